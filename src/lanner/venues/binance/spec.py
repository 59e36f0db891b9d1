"""Facts of Binance spot and Binance USD-M futures: where they live, what they limit, what they can do.

Read from binance/binance-spot-api-docs (2026-07-21) and the USD-M pages of developers.binance.com. Since 2025-12-09
conditional orders of USD-M live at ``/fapi/v1/algoOrder``; its streams are routed by path (``/public`` books and
quotes, ``/market`` everything else that is public, ``/private`` the account), and a stream asked for on the wrong path
stays silent.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from lanner.model.features import FEATURES, Support
from lanner.model.instruments import FeeSchedule
from lanner.venues.codec import Bucket, Endpoints, Feed, ProductSpec

VENUE = "BINANCE"
SPOT = "binance-spot"
USDM = "binance-usdm"

MAX_AGE_S = 23.5 * 3600
"""The venue ends a connection after 24 hours."""

STREAMS_PER_CONNECTION = 1024
STREAMS_PER_REQUEST = 100
PING_S = 15.0
"""We ping: the venue's own pings, every 20 s (spot) and 3 minutes (futures), would show a dead peer far too late."""
SPOT_SENDS_PER_S = 4.0
"""The venue takes 5 messages a second on a spot stream and cuts the connection above that."""
USDM_SENDS_PER_S = 8.0
"""The venue takes 10 messages a second on a futures stream."""
LISTEN_KEY_KEPT_S = 30 * 60.0
"""A listen key lives 60 minutes; it is prolonged at half of that."""
BATCH_ORDERS = 5
KLINE_ROWS = 1000
TRADE_ROWS = 1000
FUNDING_ROWS = 1000
SPOT_DEPTH = 5000
USDM_DEPTH = 1000
FUNDING_INTERVAL_NS = 8 * 3_600_000_000_000
"""The usual interval; exchangeInfo does not tell the contracts that settle more often."""
USDM_MAX_LEVERAGE = Decimal(125)
"""The venue's ceiling; each contract's own bracket is the venue's to check (-4028)."""
SPOT_FEES = FeeSchedule(Decimal("0.001"), Decimal("0.001"), in_base=True)
USDM_FEES = FeeSchedule(Decimal("0.0002"), Decimal("0.0005"))
"""Fees of an account without discounts; ``fees`` asks for the account's own."""

TIMEFRAMES = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M")

_N, _E, _I = Support.NATIVE, Support.EMULATED, Support.IMPOSSIBLE


def _spot_local(base: str) -> Endpoints:
    stream = "ws" + base.removeprefix("http")
    return Endpoints(base, stream, stream + "/ws-api/v3")


def _usdm_local(base: str) -> Endpoints:
    stream = "ws" + base.removeprefix("http")
    return Endpoints(base, stream, stream + "/ws-fapi/v1")


def _capabilities(**differing: Support) -> Mapping[str, Support]:
    return MappingProxyType({name: differing.get(name, _N) for name in FEATURES})


BINANCE_SPOT = ProductSpec(
    product=SPOT,
    venue=VENUE,
    title="Binance spot",
    mainnet=Endpoints(
        "https://api.binance.com",
        "wss://stream.binance.com:9443",
        "wss://ws-api.binance.com:443/ws-api/v3",
    ),
    testnet=Endpoints(
        "https://testnet.binance.vision",
        "wss://stream.testnet.binance.vision",
        "wss://ws-api.testnet.binance.vision/ws-api/v3",
    ),
    local=_spot_local,
    book_rule="binance_spot",
    buckets=MappingProxyType(
        {
            "weight": Bucket(6000, 60.0, "x-mbx-used-weight-1m"),
            "orders_10s": Bucket(100, 10.0, "x-mbx-order-count-10s", per_account=True),
            "orders_1d": Bucket(200_000, 86_400.0, "x-mbx-order-count-1d", per_account=True),
        }
    ),
    # reduce-only is not known on spot: a sell cannot go short, a buy is refused. OCO lists take a stop and a target
    # in one batch; other groups are kept by the engine.
    capabilities=_capabilities(
        gtd=_I, reduce_only=_E, bracket=_E, batch=_E, dead_man=_I, leverage=_I, margin_mode=_I
    ),
    feeds=frozenset({Feed.QUOTES, Feed.TRADES, Feed.BOOK, Feed.BARS}),
    timeframes=("1s", *TIMEFRAMES),
    key_kinds=("hmac", "ed25519", "rsa"),
    history_rows=MappingProxyType({Feed.BARS: KLINE_ROWS, Feed.TRADES: TRADE_ROWS}),
    docs="https://developers.binance.com/docs/binance-spot-api-docs",
    consecutive_trades=True,
)

BINANCE_USDM = ProductSpec(
    product=USDM,
    venue=VENUE,
    title="Binance USD-M futures (perpetuals)",
    rights_at=SPOT,
    mainnet=Endpoints(
        "https://fapi.binance.com",
        "wss://fstream.binance.com",
        "wss://ws-fapi.binance.com/ws-fapi/v1",
    ),
    testnet=Endpoints(
        "https://demo-fapi.binance.com",
        "wss://fstream.binancefuture.com",
        "wss://testnet.binancefuture.com/ws-fapi/v1",
    ),
    local=_usdm_local,
    book_rule="binance_usdm",
    buckets=MappingProxyType(
        {
            "weight": Bucket(2400, 60.0, "x-mbx-used-weight-1m"),
            "orders_10s": Bucket(300, 10.0, "x-mbx-order-count-10s", per_account=True),
            "orders_1m": Bucket(1200, 60.0, "x-mbx-order-count-1m", per_account=True),
        }
    ),
    capabilities=_capabilities(amend_trigger=_I, iceberg=_I, oco=_E, bracket=_E),
    feeds=frozenset({Feed.QUOTES, Feed.TRADES, Feed.BOOK, Feed.BARS, Feed.MARK, Feed.FUNDING}),
    timeframes=TIMEFRAMES,
    key_kinds=("hmac", "ed25519", "rsa"),
    history_rows=MappingProxyType(
        {Feed.BARS: KLINE_ROWS, Feed.TRADES: TRADE_ROWS, Feed.FUNDING: FUNDING_ROWS}
    ),
    docs="https://developers.binance.com/docs/derivatives/usds-margined-futures",
    consecutive_trades=True,
)
