"""Facts of Hyperliquid: where it lives, what it limits, what its words mean.

Read from the venue's documentation (mirror of 2026-08-22) and its Python SDK. Everything is one product: perpetuals and
spot share hosts, sockets and the account.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from lanner.model.enums import OrderStatus
from lanner.model.features import FEATURES, Feature, Support
from lanner.model.instruments import FeeSchedule
from lanner.venues.codec import Bucket, Endpoints, Feed, Heartbeat, ProductSpec
from lanner.venues.errors import Reason

VENUE = "HYPERLIQUID"
HOUR_NS = 3_600_000_000_000

SPOT_ASSETS = 10_000
"""Asset ids of spot pairs begin here; a perpetual's is its place in the universe."""
PERP_PX_DECIMALS = 6
SPOT_PX_DECIMALS = 8
"""Prices have at most so many decimals, less the decimals of the size."""
SIGNIFICANT_FIGURES = 5
MIN_NOTIONAL = Decimal(10)
PERP_FEES = FeeSchedule(Decimal("0.00015"), Decimal("0.00045"))
SPOT_FEES = FeeSchedule(Decimal("0.0004"), Decimal("0.0007"), in_base=True)
"""Fees of an account without volume; ``fees`` asks for the account's own."""

MARKET_SLIPPAGE = 0.05
"""There are no market orders: an IOC limit order so far through the mid is one."""
TRIGGER_SLIPPAGE = 0.10
"""A stop or target by market is limited so far through its trigger price, as on the venue's own pages."""
CANDLE_ROWS = 5_000
"""Only so many candles of a series are kept by the venue."""
FUNDING_ROWS = 500
FILL_ROWS = 2_000
BATCH_STEP = 40
"""Every so many orders of a batch cost one more."""
MAX_SUBSCRIPTIONS = 1_000
MIN_DEAD_MAN_S = 5.0
HEARTBEAT = Heartbeat(every_s=30.0, ours=True, ping_text=b'{"method":"ping"}')
"""A connection on which the venue sends nothing for 60 s is closed by it."""
SENDS_PER_S = 2_000 / 60

LIGHT_QUESTIONS = frozenset(
    {
        "l2Book",
        "allMids",
        "clearinghouseState",
        "orderStatus",
        "spotClearinghouseState",
        "exchangeStatus",
    }
)
"""Questions of weight 2; ``userRole`` weighs 60, all others 20."""


def weight(question: str) -> int:
    """Return what an info question costs of the 1,200 a minute."""
    if question in LIGHT_QUESTIONS:
        return 2
    return 60 if question == "userRole" else 20


TIMEFRAMES = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w", "1M")

STATUSES: Mapping[str, tuple[OrderStatus, str]] = MappingProxyType(
    {
        "open": (OrderStatus.ACCEPTED, ""),
        "filled": (OrderStatus.FILLED, ""),
        "canceled": (OrderStatus.CANCELED, ""),
        "triggered": (OrderStatus.TRIGGERED, ""),
        "rejected": (OrderStatus.REJECTED, Reason.OTHER),
        "marginCanceled": (OrderStatus.CANCELED, Reason.INSUFFICIENT_FUNDS),
        "vaultWithdrawalCanceled": (OrderStatus.CANCELED, Reason.OTHER),
        "openInterestCapCanceled": (OrderStatus.CANCELED, Reason.POSITION_LIMIT),
        "selfTradeCanceled": (OrderStatus.CANCELED, Reason.SELF_TRADE),
        "reduceOnlyCanceled": (OrderStatus.CANCELED, Reason.REDUCE_ONLY),
        "siblingFilledCanceled": (OrderStatus.CANCELED, ""),
        "delistedCanceled": (OrderStatus.CANCELED, Reason.MARKET_CLOSED),
        "liquidatedCanceled": (OrderStatus.CANCELED, Reason.INSUFFICIENT_FUNDS),
        "scheduledCancel": (OrderStatus.CANCELED, ""),
        "tickRejected": (OrderStatus.REJECTED, Reason.PRICE_GRID),
        "minTradeNtlRejected": (OrderStatus.REJECTED, Reason.MIN_NOTIONAL),
        "perpMarginRejected": (OrderStatus.REJECTED, Reason.INSUFFICIENT_FUNDS),
        "reduceOnlyRejected": (OrderStatus.REJECTED, Reason.REDUCE_ONLY),
        "badAloPxRejected": (OrderStatus.REJECTED, Reason.POST_ONLY),
        "iocCancelRejected": (OrderStatus.REJECTED, Reason.NO_LIQUIDITY),
        "badTriggerPxRejected": (OrderStatus.REJECTED, Reason.WOULD_TRIGGER),
        "marketOrderNoLiquidityRejected": (OrderStatus.REJECTED, Reason.NO_LIQUIDITY),
        "positionIncreaseAtOpenInterestCapRejected": (OrderStatus.REJECTED, Reason.POSITION_LIMIT),
        "positionFlipAtOpenInterestCapRejected": (OrderStatus.REJECTED, Reason.POSITION_LIMIT),
        "tooAggressiveAtOpenInterestCapRejected": (OrderStatus.REJECTED, Reason.POSITION_LIMIT),
        "openInterestIncreaseRejected": (OrderStatus.REJECTED, Reason.POSITION_LIMIT),
        "insufficientSpotBalanceRejected": (OrderStatus.REJECTED, Reason.INSUFFICIENT_FUNDS),
        "oracleRejected": (OrderStatus.REJECTED, Reason.PRICE_BAND),
        "perpMaxPositionRejected": (OrderStatus.REJECTED, Reason.POSITION_LIMIT),
    }
)
"""All documented order statuses: what they are to us, and why."""

REFUSALS: tuple[tuple[str, str], ...] = (
    ("Price must be divisible by tick size", Reason.PRICE_GRID),
    ("Order has invalid price", Reason.PRICE_GRID),
    ("Order must have minimum value of", Reason.MIN_NOTIONAL),
    ("Insufficient margin to place order", Reason.INSUFFICIENT_FUNDS),
    ("Reduce only order would increase position", Reason.REDUCE_ONLY),
    ("Post only order would have immediately matched", Reason.POST_ONLY),
    ("Order could not immediately match against any resting orders", Reason.NO_LIQUIDITY),
    ("Invalid TP/SL price", Reason.WOULD_TRIGGER),
    ("No liquidity available for market order", Reason.NO_LIQUIDITY),
    ("Order would increase open interest", Reason.POSITION_LIMIT),
    ("Order rejected due to price more aggressive than oracle", Reason.POSITION_LIMIT),
    ("Order has insufficient spot balance to trade", Reason.INSUFFICIENT_FUNDS),
    ("(Spot-only) Order has insufficient spot balance to trade", Reason.INSUFFICIENT_FUNDS),
    ("Order price too far from oracle", Reason.PRICE_BAND),
    ("Order price cannot be more than", Reason.PRICE_BAND),
    ("Order would cause position to exceed margin tier limit", Reason.POSITION_LIMIT),
    ("Order was never placed, already canceled, or filled", Reason.UNKNOWN_ORDER),
    ("Cannot modify", Reason.UNKNOWN_ORDER),
    ("Order has zero size", Reason.QTY_LIMITS),
    ("Order has invalid size", Reason.QTY_GRID),
    ("Too many open orders", Reason.TOO_MANY_ORDERS),
    ("Trading is halted", Reason.MARKET_CLOSED),
    ("Asset is delisted", Reason.MARKET_CLOSED),
    ("Duplicate cloid", Reason.DUPLICATE_ID),
    ("Cloid already", Reason.DUPLICATE_ID),
    ("Invalid leverage", Reason.LEVERAGE),
    ("Cannot switch leverage type with open position", Reason.LEVERAGE),
)
"""How the venue's refusals begin, and what they are to us; the first seventeen kinds are the documented ones."""

AUTH_WORDS = (
    "does not exist",
    "nonce",
    "signature",
    "must deposit before",
    "not authorized",
    "not allowed",
    "vault not registered",
)
"""Refusals of a whole request that are about who asks rather than what is asked."""

LIMIT_WORDS = ("too many requests", "rate limit", "too many cumulative requests")

_ABSENT = (
    Feature.FOK,
    Feature.GTD,
    Feature.ICEBERG,
    Feature.TRAILING_STOP,
)
_EMULATED = (Feature.CANCEL_ALL,)
_TRIGGERS = (
    Feature.STOP_MARKET,
    Feature.STOP_LIMIT,
    Feature.TAKE_PROFIT_MARKET,
    Feature.TAKE_PROFIT_LIMIT,
)


def _support(feature: str) -> Support:
    if feature in _ABSENT:
        return Support.IMPOSSIBLE
    return Support.EMULATED if feature in _EMULATED else Support.NATIVE


def _local(base: str) -> Endpoints:
    socket = "ws" + base.removeprefix("http") + "/ws"
    return Endpoints(base, socket, socket)


HYPERLIQUID = ProductSpec(
    product="hyperliquid",
    venue=VENUE,
    title="Hyperliquid perpetuals and spot",
    mainnet=Endpoints(
        "https://api.hyperliquid.xyz", "wss://api.hyperliquid.xyz/ws", "wss://api.hyperliquid.xyz/ws"
    ),
    testnet=Endpoints(
        "https://api.hyperliquid-testnet.xyz",
        "wss://api.hyperliquid-testnet.xyz/ws",
        "wss://api.hyperliquid-testnet.xyz/ws",
    ),
    local=_local,
    book_rule="hyperliquid",
    buckets=MappingProxyType({"weight": Bucket(1_200, 60.0), "messages": Bucket(2_000, 60.0)}),
    capabilities=MappingProxyType({feature: _support(feature) for feature in FEATURES}),
    feeds=frozenset(Feed),
    timeframes=TIMEFRAMES,
    key_kinds=("wallet",),
    spot_lacks=frozenset(_TRIGGERS),
    history_rows=MappingProxyType({Feed.BARS: CANDLE_ROWS, Feed.FUNDING: FUNDING_ROWS, Feed.TRADES: 10}),
    docs="https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api",
)
