"""Instruments: what is traded, on which grid of prices and quantities, and what it costs.

The quantise functions here are the one door between measurements (floats), money at the edges
(Decimal, text) and the exact integers inside: prices are ``int`` ticks, quantities ``int`` lots.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, InvalidOperation
from enum import IntEnum
from functools import cached_property

import msgspec

from lanner.core.errors import ConfigError, InvalidOrderError
from lanner.model.enums import InstrumentKind, Side

Number = int | float | str | Decimal

_ID = re.compile(r"^[A-Z0-9][A-Z0-9_\-/:.]*\.[A-Z0-9_\-]+$", re.IGNORECASE)


class Rounding(IntEnum):
    """Direction in which a price that is off the grid is moved."""

    NEAREST = 0
    DOWN = 1
    UP = 2


class FeeSchedule(msgspec.Struct, frozen=True):
    """Maker and taker fees as fractions of notional; a negative maker fee is a rebate.

    ``in_base``: the fee of a spot buy is taken out of the coin that was bought, so that less of it can be sold.
    """

    maker: Decimal = Decimal(0)
    taker: Decimal = Decimal(0)
    in_base: bool = False

    def __post_init__(self) -> None:
        for name, rate in (("maker", self.maker), ("taker", self.taker)):
            if not rate.is_finite() or abs(rate) > Decimal("0.1"):
                raise ConfigError(
                    f"the {name} fee is not believable",
                    expected="a fraction between -0.1 and 0.1 (0.001 is 10 bps)",
                    found=rate,
                    fix="Fees are fractions of notional, not per cent.",
                )


class PriceRule(msgspec.Struct, frozen=True):
    """Which multiples of the tick a price may take.

    ``significant_figures`` 0 means every multiple. Hyperliquid allows at most 5 significant figures
    on top of the tick, and whole numbers always.
    """

    significant_figures: int = 0


class Instrument(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """An instrument of one venue. Build it with ``spot`` or ``perp``.

    ``tick`` and ``lot`` are the steps of price and quantity, ``multiplier`` the base units of one
    contract, ``min_notional`` in ``settle`` currency. ``max_leverage`` bounds what an account may ask for.
    """

    id: str
    kind: InstrumentKind
    base: str
    quote: str
    settle: str
    tick: Decimal
    lot: Decimal
    multiplier: Decimal = Decimal(1)
    min_qty: Decimal = Decimal(0)
    max_qty: Decimal | None = None
    min_notional: Decimal = Decimal(0)
    price_rule: PriceRule = PriceRule()
    fees: FeeSchedule = FeeSchedule()
    max_leverage: Decimal = Decimal(1)
    maintenance_margin: Decimal = Decimal(0)
    funding_interval_ns: int = 0
    symbol: str = ""

    def __post_init__(self) -> None:
        check_instrument_id(self.id)
        if self.kind not in (InstrumentKind.SPOT, InstrumentKind.LINEAR_PERP):
            raise ConfigError(
                f"{self.id}: instruments of kind {self.kind.name} are not supported yet",
                expected="SPOT or LINEAR_PERP",
            )
        for name in ("tick", "lot", "multiplier", "max_leverage"):
            value: Decimal = getattr(self, name)
            if not value.is_finite() or value <= 0:
                raise ConfigError(f"{self.id}: {name} must be positive", expected="a number > 0", found=value)
        for name in ("min_qty", "min_notional", "maintenance_margin"):
            value = getattr(self, name)
            if not value.is_finite() or value < 0:
                raise ConfigError(
                    f"{self.id}: {name} must not be negative", expected="a number >= 0", found=value
                )

    @classmethod
    def spot(cls, instrument_id: str, *, tick: Number, lot: Number, **more: object) -> Instrument:
        """Build a spot instrument; base and quote come from an id like ``BTC-USDT.BINANCE``."""
        base, quote = _pair(instrument_id)
        return _build(cls, InstrumentKind.SPOT, instrument_id, base, quote, quote, tick, lot, more)

    @classmethod
    def perp(
        cls, instrument_id: str, *, tick: Number, lot: Number, quote: str = "", **more: object
    ) -> Instrument:
        """Build a linear perpetual; ``BTC-PERP.HYPERLIQUID`` settles in USDC, ``BTCUSDT-PERP.BINANCE`` in USDT."""
        base, inferred = _perp_pair(instrument_id)
        quote = quote or inferred
        return _build(cls, InstrumentKind.LINEAR_PERP, instrument_id, base, quote, quote, tick, lot, more)

    # -- names -------------------------------------------------------------------------------------

    @property
    def venue(self) -> str:
        """Return the venue's name, the part of the id behind the last dot."""
        return self.id.rpartition(".")[2]

    @property
    def is_spot(self) -> bool:
        """Tell whether the instrument is delivered at once (and so cannot be sold short)."""
        return self.kind is InstrumentKind.SPOT

    # -- the grid ----------------------------------------------------------------------------------

    @cached_property
    def tick_float(self) -> float:
        """Return the tick as a float."""
        return float(self.tick)

    @cached_property
    def lot_float(self) -> float:
        """Return the lot as a float."""
        return float(self.lot)

    @cached_property
    def _tick_ratio(self) -> tuple[int, int]:
        return self.tick.as_integer_ratio()

    @cached_property
    def _lot_ratio(self) -> tuple[int, int]:
        return self.lot.as_integer_ratio()

    @cached_property
    def px_decimals(self) -> int:
        """Return how many decimals a price of this instrument has."""
        return decimals_of(self.tick)

    @cached_property
    def qty_decimals(self) -> int:
        """Return how many decimals a quantity of this instrument has."""
        return decimals_of(self.lot)

    @cached_property
    def min_lots(self) -> int:
        """Return the smallest quantity in lots (at least one)."""
        return max(1, math.ceil(self.min_qty / self.lot))

    def quantise_px(self, px: Number, rounding: Rounding = Rounding.NEAREST) -> int:
        """Turn a price into ticks on the instrument's grid, or raise ``InvalidOrderError``.

        A float within 1e-9 (relative, at most a thousandth of a tick) of a grid point counts as lying on it,
        so that float arithmetic does not push a price to the neighbouring tick.
        """
        numerator, denominator = self._tick_ratio
        ticks = _to_steps(px, self.tick_float, numerator, denominator, rounding, "price", self.id)
        if self.price_rule.significant_figures:
            ticks = self._to_significant(ticks, rounding)
        if ticks <= 0:
            raise InvalidOrderError(
                f"{self.id}: the price rounds to 0",
                expected=f"a price of at least {self.tick}",
                found=px,
            )
        return ticks

    def quantise_qty(self, qty: Number) -> int:
        """Turn a quantity into lots, rounding towards zero; 0 after rounding is refused with the minimum."""
        lots = self.floor_lots(qty)
        if lots < self.min_lots:
            raise InvalidOrderError(
                f"{self.id}: the quantity is too small",
                expected=f"at least {self.qty_text(self.min_lots)} (steps of {self.lot:f})",
                found=qty,
                fix="Order more, or use an instrument with a smaller lot.",
            )
        return lots

    def floor_lots(self, qty: Number) -> int:
        """Turn a non-negative quantity into lots, rounding down; 0 is a legal answer."""
        numerator, denominator = self._lot_ratio
        lots = _to_steps(qty, self.lot_float, numerator, denominator, Rounding.DOWN, "quantity", self.id)
        if lots < 0:
            raise InvalidOrderError(
                f"{self.id}: a quantity cannot be negative", expected="a number > 0", found=qty
            )
        return lots

    def _to_significant(self, ticks: int, rounding: Rounding) -> int:
        """Coarsen ticks to the allowed significant figures; whole prices are always allowed."""
        digits = len(str(abs(ticks)))
        extra = digits - self.price_rule.significant_figures
        if extra <= 0:
            return ticks
        whole = Decimal(1) / self.tick
        step: int = 10**extra
        if whole == whole.to_integral_value():
            step = min(step, int(whole))
        down, rest = divmod(ticks, step)
        if rest == 0 or rounding is Rounding.DOWN:
            return down * step
        if rounding is Rounding.UP:
            return (down + 1) * step
        return (down + (2 * rest > step or (2 * rest == step and down % 2 == 1))) * step

    def px(self, ticks: int) -> Decimal:
        """Return the price of so many ticks."""
        return self.tick * ticks

    def qty(self, lots: int) -> Decimal:
        """Return the quantity of so many lots."""
        return self.lot * lots

    def px_float(self, ticks: int) -> float:
        """Return the price of so many ticks as the nearest float."""
        numerator, denominator = self._tick_ratio
        return ticks * numerator / denominator

    def qty_float(self, lots: int) -> float:
        """Return the quantity of so many lots as the nearest float."""
        numerator, denominator = self._lot_ratio
        return lots * numerator / denominator

    def px_text(self, ticks: int) -> str:
        """Return a price as text with the instrument's decimals."""
        return f"{self.px(ticks):f}"

    def qty_text(self, lots: int) -> str:
        """Return a quantity as text with the instrument's decimals."""
        return f"{self.qty(lots):f}"

    def to_json(self) -> bytes:
        """Encode the instrument for the catalog."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2)

    @classmethod
    def from_json(cls, data: bytes) -> Instrument:
        """Decode what ``to_json`` wrote."""
        return msgspec.json.decode(data, type=cls)


def passive(side: Side) -> Rounding:
    """Return the rounding that never makes a limit price worse than the one asked for."""
    return Rounding.DOWN if side is Side.BUY else Rounding.UP


def adverse(side: Side) -> Rounding:
    """Return the rounding that is worse for the one who trades: up for a buyer, down for a seller."""
    return Rounding.UP if side is Side.BUY else Rounding.DOWN


def check_instrument_id(text: str) -> str:
    """Return the id when it has the form ``SYMBOL.VENUE``, else raise ``ConfigError``."""
    if not _ID.match(text):
        raise ConfigError(
            "not an instrument id",
            expected="SYMBOL.VENUE, e.g. BTC-USDT.BINANCE or BTC-PERP.HYPERLIQUID",
            found=repr(text),
        )
    return text


def decimals_of(step: Decimal) -> int:
    """Return how many decimals a step needs, e.g. 2 for 0.01 and 0 for 5."""
    exponent = step.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


def to_decimal(value: Number, name: str) -> Decimal:
    """Turn user input into a Decimal; floats go through their shortest text."""
    try:
        number = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise ConfigError(f"{name} is not a number", expected="a number", found=repr(value)) from None
    if not number.is_finite():
        raise ConfigError(f"{name} is not a finite number", expected="a finite number", found=repr(value))
    return number


def _to_steps(
    value: Number, step: float, numerator: int, denominator: int, rounding: Rounding, what: str, owner: str
) -> int:
    """Divide by a step (numerator/denominator, ``step`` as a float) and round in the given direction."""
    if isinstance(value, float):
        quotient = value / step
        if not math.isfinite(quotient):
            raise InvalidOrderError(
                f"{owner}: the {what} is not finite", expected="a finite number", found=value
            )
        nearest = round(quotient)
        size = abs(quotient)
        # bounded, so that a price of very many ticks is still rounded; the last term is the float's own grain
        near = min(1e-9 * max(1.0, size), 1e-3 + 8e-16 * size)
        if rounding is Rounding.NEAREST or abs(quotient - nearest) <= near:
            return nearest
        return math.floor(quotient) if rounding is Rounding.DOWN else math.ceil(quotient)
    exact = to_decimal(value, what) * denominator / numerator
    mode = (ROUND_HALF_EVEN, ROUND_FLOOR, ROUND_CEILING)[rounding]
    return int(exact.to_integral_value(mode))


_KNOWN_QUOTES = ("USDT", "USDC", "BUSD", "FDUSD", "TUSD", "USD", "EUR", "GBP", "BTC", "ETH", "BNB")


def _pair(instrument_id: str) -> tuple[str, str]:
    symbol = check_instrument_id(instrument_id).rpartition(".")[0]
    for separator in ("-", "/", "_"):
        base, found, quote = symbol.partition(separator)
        if found and base and quote:
            return base.upper(), quote.upper()
    for quote in _KNOWN_QUOTES:
        if symbol.upper().endswith(quote) and len(symbol) > len(quote):
            return symbol.upper()[: -len(quote)], quote
    raise ConfigError(
        "cannot tell base and quote currency from the instrument id",
        expected="BASE-QUOTE.VENUE, e.g. BTC-USDT.BINANCE",
        found=repr(instrument_id),
    )


def _perp_pair(instrument_id: str) -> tuple[str, str]:
    symbol, _, venue = check_instrument_id(instrument_id).rpartition(".")
    stem = symbol.upper().removesuffix("-PERP").removesuffix("-SWAP")
    for separator in ("-", "/", "_"):
        base, found, quote = stem.partition(separator)
        if found and base and quote:
            return base, quote
    for quote in _KNOWN_QUOTES:
        if stem.endswith(quote) and len(stem) > len(quote):
            return stem[: -len(quote)], quote
    return stem, "USDC" if venue.upper() == "HYPERLIQUID" else "USDT"


def _build(
    cls: type[Instrument],
    kind: InstrumentKind,
    instrument_id: str,
    base: str,
    quote: str,
    settle: str,
    tick: Number,
    lot: Number,
    more: dict[str, object],
) -> Instrument:
    decimals = {"multiplier", "min_qty", "max_qty", "min_notional", "max_leverage", "maintenance_margin"}
    values: dict[str, object] = {}
    for name, value in more.items():
        if name in decimals and value is not None:
            values[name] = to_decimal(value, name)  # type: ignore[arg-type]
        elif name in ("maker", "taker"):
            continue
        else:
            values[name] = value
    if "maker" in more or "taker" in more:
        values["fees"] = FeeSchedule(
            to_decimal(more.get("maker", 0), "maker"),  # type: ignore[arg-type]
            to_decimal(more.get("taker", 0), "taker"),  # type: ignore[arg-type]
        )
    unknown = set(values) - set(cls.__struct_fields__)
    if unknown:
        raise ConfigError(
            f"{instrument_id}: unknown instrument field",
            expected=", ".join(sorted(set(cls.__struct_fields__) | {"maker", "taker"})),
            found=", ".join(sorted(unknown)),
        )
    return cls(
        id=instrument_id,
        kind=kind,
        base=base,
        quote=quote,
        settle=settle,
        tick=to_decimal(tick, "tick"),
        lot=to_decimal(lot, "lot"),
        **values,  # type: ignore[arg-type]
    )
