"""The markets that a simulated venue lists unless told otherwise, with the rules of the real ones."""

from __future__ import annotations

from decimal import Decimal

from lanner.core.errors import NotFoundError
from lanner.model.instruments import Instrument, PriceRule
from lanner.simulator.markets import Bracket, Market, Rules
from lanner.simulator.money import to_atoms, to_ppb

HOUR_NS = 3600 * 10**9

_SPOT = (
    ("BTC", "USDT", "0.01", "0.00001", "9000", "5"),
    ("ETH", "USDT", "0.01", "0.0001", "9000", "5"),
    ("SOL", "USDT", "0.01", "0.001", "90000", "5"),
    ("ETH", "BTC", "0.00001", "0.0001", "100000", "0.0001"),
)
"""Base, quote, tick, lot, largest quantity, smallest notional."""

_USDM = (
    ("BTC", "0.1", "0.001", "1000", "120", 125, 50_000),
    ("ETH", "0.01", "0.001", "10000", "2000", 100, 50_000),
    ("SOL", "0.01", "0.01", "1000000", "50000", 75, 10_000),
)
"""Base, tick, lot, largest quantity, largest market quantity, leverage, notional of the first margin tier."""

_TIERS = (
    (1, 125, "0.004"),
    (12, 100, "0.005"),
    (60, 75, "0.0065"),
    (240, 50, "0.01"),
    (1_400, 25, "0.02"),
    (2_000, 20, "0.025"),
    (4_600, 10, "0.05"),
    (9_600, 5, "0.1"),
    (16_000, 3, "0.15"),
    (36_000, 1, "0.5"),
)
"""Margin tiers: up to so many times the first tier's notional, leverage, maintenance rate."""

_PERPS = (("BTC", 5, 40), ("ETH", 4, 25), ("SOL", 2, 20), ("HYPE", 2, 10))
"""Coin, decimals of the size, leverage."""

_PAIRS = (("PURR", 0, "PURR/USDC"), ("HYPE", 2, "@107"))

START_PRICES = {"BTC": 60_000.0, "ETH": 3_000.0, "SOL": 150.0, "HYPE": 40.0, "PURR": 0.2}
"""Where the synthetic market starts, in dollars."""


def markets_of(dialect: str) -> list[Market]:
    """Return fresh markets for a dialect."""
    makers = {"binance-spot": _binance_spot, "binance-usdm": _binance_usdm, "hyperliquid": _hyperliquid}
    if dialect not in makers:
        raise NotFoundError(f"no markets are listed for {dialect!r}", expected=", ".join(makers))
    return makers[dialect]()


def start_price(market: Market) -> float:
    """Return a believable first price of a market."""
    base = START_PRICES.get(market.base, 1.0)
    return base / START_PRICES.get(market.quote, 1.0)


def _binance_spot() -> list[Market]:
    found = []
    for base, quote, tick, lot, largest, least in _SPOT:
        instrument = Instrument.spot(
            f"{base}-{quote}.BINANCE",
            tick=tick,
            lot=lot,
            symbol=f"{base}{quote}",
            min_qty=lot,
            maker="0.001",
            taker="0.001",
        )
        rules = Rules(
            min_px=Decimal(tick),
            max_px=Decimal(1_000_000),
            max_qty=Decimal(largest),
            market_max_qty=Decimal(largest) / 50,
            min_notional=Decimal(least),
            max_notional=Decimal(9_000_000),
            percent_up=Decimal(5),
            percent_down=Decimal("0.2"),
            max_open_orders=200,
            max_trigger_orders=5,
            max_iceberg_parts=10,
            max_amends=10,
            min_trail_bps=10,
            max_trail_bps=2_000,
        )
        found.append(Market(instrument, rules))
    return found


def _tiers(first: int, leverage: int) -> tuple[Bracket, ...]:
    """Return margin tiers whose maintenance amount joins without a step."""
    found: list[Bracket] = []
    for times, most, rate in _TIERS:
        cap, ppb = to_atoms(first * times), to_ppb(rate)
        cum = 0
        if found:
            before = found[-1]
            cum = before.cum_atoms + before.cap_atoms * (ppb - before.rate_ppb) // 10**9
        found.append(Bracket(cap, min(most, leverage), ppb, cum))
    return tuple(found)


def _binance_usdm() -> list[Market]:
    found = []
    for base, tick, lot, largest, largest_market, leverage, first in _USDM:
        instrument = Instrument.perp(
            f"{base}USDT-PERP.BINANCE",
            tick=tick,
            lot=lot,
            symbol=f"{base}USDT",
            min_qty=lot,
            maker="0.0002",
            taker="0.0005",
            max_leverage=leverage,
            maintenance_margin="0.004",
            funding_interval_ns=8 * HOUR_NS,
        )
        rules = Rules(
            min_px=Decimal(tick),
            max_px=Decimal(10_000_000),
            max_qty=Decimal(largest),
            market_max_qty=Decimal(largest_market),
            min_notional=Decimal({"BTC": 100, "ETH": 20}.get(base, 5)),
            percent_up=Decimal("1.05"),
            percent_down=Decimal("0.95"),
            max_open_orders=200,
            max_trigger_orders=10,
            max_amends=10_000,
            min_trail_bps=10,
            max_trail_bps=1_000,
        )
        found.append(Market(instrument, rules, _tiers(first, leverage)))
    return found


def _hyperliquid() -> list[Market]:
    found = []
    for coin, decimals, leverage in _PERPS:
        instrument = Instrument.perp(
            f"{coin}-PERP.HYPERLIQUID",
            tick=Decimal(1).scaleb(decimals - 6),
            lot=Decimal(1).scaleb(-decimals),
            symbol=coin,
            maker="0.00015",
            taker="0.00045",
            max_leverage=leverage,
            maintenance_margin=Decimal(1) / (2 * leverage),
            funding_interval_ns=HOUR_NS,
            price_rule=PriceRule(5),
        )
        found.append(Market(instrument, _hyperliquid_rules()))
    for base, decimals, symbol in _PAIRS:
        instrument = Instrument.spot(
            f"{base}-USDC.HYPERLIQUID",
            tick=Decimal(1).scaleb(decimals - 8),
            lot=Decimal(1).scaleb(-decimals),
            symbol=symbol,
            maker="0.0004",
            taker="0.0007",
            price_rule=PriceRule(5),
        )
        found.append(Market(instrument, _hyperliquid_rules()))
    return found


def _hyperliquid_rules() -> Rules:
    return Rules(
        min_notional=Decimal(10),
        max_open_orders=1_000,
        max_trigger_orders=1_000,
        cancel_stops_when_flat=True,
        reject_immediate_trigger=False,
        funding_interval_ns=HOUR_NS,
        liquidation_fee=Decimal(0),
    )
