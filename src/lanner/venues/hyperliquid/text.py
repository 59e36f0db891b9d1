"""Prices and sizes as the venue writes them: plain decimals, no trailing zeros, at most five significant figures."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

from lanner.venues.errors import ErrorKind, Reason, VenueError
from lanner.venues.hyperliquid.spec import SIGNIFICANT_FIGURES

if TYPE_CHECKING:
    from lanner.model.instruments import Instrument


def plain(steps: int, decimals: int) -> str:
    """Write ``steps`` × 10^−``decimals`` without trailing zeros, e.g. (1670100, 3) → 1670.1."""
    if decimals <= 0:
        return str(steps)
    digits = str(steps)
    if len(digits) <= decimals:
        digits = digits.rjust(decimals + 1, "0")
    whole, part = digits[:-decimals], digits[-decimals:].rstrip("0")
    return f"{whole}.{part}" if part else whole


def px_text(instrument: Instrument, ticks: int) -> str:
    """Write a price; raise ``VenueError`` REJECTED for one that the venue's grid does not have."""
    text = plain(ticks, instrument.px_decimals)
    if "." in text and len(text.replace(".", "").lstrip("0")) > SIGNIFICANT_FIGURES:
        raise VenueError(
            ErrorKind.REJECTED,
            f"{instrument.id}: the price {text} has more than {SIGNIFICANT_FIGURES} significant figures",
            reason=Reason.PRICE_GRID,
        )
    if ticks <= 0:
        raise VenueError(
            ErrorKind.REJECTED, f"{instrument.id}: a price must be positive", reason=Reason.PRICE_GRID
        )
    return text


def qty_text(instrument: Instrument, lots: int) -> str:
    """Write a size."""
    if lots <= 0:
        raise VenueError(
            ErrorKind.REJECTED, f"{instrument.id}: a size must be positive", reason=Reason.QTY_LIMITS
        )
    return plain(lots, instrument.qty_decimals)


def ticks_of(instrument: Instrument, text: str) -> int:
    """Return the ticks of a price as text, the nearest where it lies between (averages of several fills do)."""
    return _steps(text, instrument.px_decimals)


def lots_of(instrument: Instrument, text: str) -> int:
    """Return the lots of a size as text, the nearest where it lies between."""
    return _steps(text, instrument.qty_decimals)


def on_grid(instrument: Instrument, text: str) -> bool:
    """Tell whether a size is a whole number of lots; what is left over from conversions is not."""
    return not text.strip().partition(".")[2][instrument.qty_decimals :].strip("0")


def _steps(text: str, decimals: int) -> int:
    whole, _, part = text.strip().partition(".")
    if len(part) <= decimals:
        return int(whole + part.ljust(decimals, "0"))
    if not part[decimals:].strip("0"):
        return int(whole + part[:decimals])
    return int(Decimal(text.strip()).scaleb(decimals).to_integral_value(ROUND_HALF_EVEN))
