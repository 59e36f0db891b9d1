"""exchangeInfo into instruments: what can be traded now, on which grid, within which bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from lanner.core.errors import ConfigError
from lanner.model.enums import InstrumentKind
from lanner.model.instruments import Instrument, check_instrument_id
from lanner.venues.binance.names import exact
from lanner.venues.binance.spec import (
    FUNDING_INTERVAL_NS,
    SPOT_FEES,
    USDM_FEES,
    USDM_MAX_LEVERAGE,
    VENUE,
)
from lanner.venues.binance.wire import ExchangeInfo, Filter, SymbolInfo

PERPETUALS = frozenset({"PERPETUAL", "TRADIFI_PERPETUAL"})

_decode_info = msgspec.json.Decoder(ExchangeInfo, strict=False).decode
_decode_symbol = msgspec.json.Decoder(SymbolInfo, strict=False).decode


@dataclass(frozen=True, slots=True)
class Bounds:
    """Rules that an instrument has no word for: of market orders, and of prices against the recent average.

    A limit price may lie between ``px_down`` and ``px_up`` times the average (spot) or mark price (futures).
    """

    market_min: Decimal = Decimal(0)
    market_max: Decimal | None = None
    px_down: Decimal | None = None
    px_up: Decimal | None = None


def spot_instruments(body: bytes) -> Iterator[tuple[Instrument, Bounds]]:
    """Read all spot pairs that trade now."""
    for info in _symbols(body):
        if info.status == "TRADING" and info.isSpotTradingAllowed:
            yield from _made(info, _spot)


def usdm_instruments(body: bytes) -> Iterator[tuple[Instrument, Bounds]]:
    """Read all perpetual contracts that trade now."""
    for info in _symbols(body):
        if info.contractType in PERPETUALS and (info.status or info.contractStatus) == "TRADING":
            yield from _made(info, _perp)


def _symbols(body: bytes) -> Iterator[SymbolInfo]:
    for raw in _decode_info(body).symbols:
        try:
            yield _decode_symbol(raw)
        except msgspec.MsgspecError:
            continue  # a symbol of a form not known yet must not hide the others


def _made(
    info: SymbolInfo, make: Callable[[SymbolInfo, dict[str, Filter]], Instrument]
) -> Iterator[tuple[Instrument, Bounds]]:
    """Make an instrument; none where the venue's rules give no grid or the name is not one of ours."""
    rules = {rule.filterType: rule for rule in info.filters}
    try:
        instrument = make(info, rules)
    except (ConfigError, KeyError, ValueError, ArithmeticError):
        return
    yield instrument, _bounds(rules)


def _spot(info: SymbolInfo, rules: dict[str, Filter]) -> Instrument:
    name = check_instrument_id(f"{info.baseAsset}-{info.quoteAsset}.{VENUE}")
    tick, lot, min_qty, max_qty = _grid(rules)
    least = rules.get("NOTIONAL") or rules.get("MIN_NOTIONAL")
    return Instrument(
        id=name,
        kind=InstrumentKind.SPOT,
        base=info.baseAsset,
        quote=info.quoteAsset,
        settle=info.quoteAsset,
        tick=tick,
        lot=lot,
        min_qty=min_qty,
        max_qty=max_qty,
        min_notional=exact((least.minNotional if least else None) or Decimal(0)),
        fees=SPOT_FEES,
        symbol=info.symbol,
    )


def _perp(info: SymbolInfo, rules: dict[str, Filter]) -> Instrument:
    name = check_instrument_id(f"{info.symbol}-PERP.{VENUE}")
    tick, lot, min_qty, max_qty = _grid(rules)
    least = rules.get("MIN_NOTIONAL")
    return Instrument(
        id=name,
        kind=InstrumentKind.LINEAR_PERP,
        base=info.baseAsset,
        quote=info.quoteAsset,
        settle=info.marginAsset or info.quoteAsset,
        tick=tick,
        lot=lot,
        min_qty=min_qty,
        max_qty=max_qty,
        min_notional=exact((least.notional if least else None) or Decimal(0)),
        fees=USDM_FEES,
        max_leverage=USDM_MAX_LEVERAGE,
        maintenance_margin=exact(info.maintMarginPercent or Decimal(0)) / 100,
        funding_interval_ns=FUNDING_INTERVAL_NS,
        symbol=info.symbol,
    )


def _grid(rules: dict[str, Filter]) -> tuple[Decimal, Decimal, Decimal, Decimal | None]:
    """Return tick, lot and the bounds of a quantity; trailing zeros are dropped, so that texts are short."""
    price, size = rules["PRICE_FILTER"], rules["LOT_SIZE"]
    if price.tickSize is None or size.stepSize is None:
        raise KeyError("a grid")
    most = size.maxQty
    return (
        _short(price.tickSize),
        _short(size.stepSize),
        _short(size.minQty or Decimal(0)),
        None if not most else _short(most),
    )


def _short(number: Decimal) -> Decimal:
    """Drop trailing zeros without going over to exponents: 0.01000000 → 0.01, 100.0 → 100."""
    short = exact(number).normalize()
    return short.quantize(Decimal(1)) if short == short.to_integral_value() else short


def _bounds(rules: dict[str, Filter]) -> Bounds:
    market, band = rules.get("MARKET_LOT_SIZE"), rules.get("PERCENT_PRICE")
    sided = rules.get("PERCENT_PRICE_BY_SIDE")
    return Bounds(
        (market.minQty if market else None) or Decimal(0),
        (market.maxQty if market else None) or None,
        band.multiplierDown if band else sided.askMultiplierDown if sided else None,
        band.multiplierUp if band else sided.bidMultiplierUp if sided else None,
    )
