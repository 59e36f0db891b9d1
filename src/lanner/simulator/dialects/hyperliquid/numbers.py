"""Numbers as Hyperliquid writes and reads them: decimal text, never floats."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from lanner.simulator.dialects.hyperliquid.spec import (
    MAX_PERP_DECIMALS,
    MAX_SPOT_DECIMALS,
    SIGNIFICANT_FIGURES,
)
from lanner.simulator.money import SCALE


def text(value: Decimal | int) -> str:
    """Write a number as the venue does: no exponent, no trailing zeros, at least one decimal."""
    if isinstance(value, int):
        return f"{value}.0"
    plain = f"{value:f}"
    if "." not in plain:
        return f"{plain}.0"
    plain = plain.rstrip("0")
    return f"{plain}0" if plain.endswith(".") else plain


def money(atoms: int, decimals: int = 6) -> str:
    """Write atoms of USDC to so many decimals, cut towards zero."""
    sign = "-" if atoms < 0 else ""
    whole, rest = divmod(abs(atoms), SCALE)
    digits = f"{rest:012d}"[:decimals].rstrip("0") or "0"
    return f"{sign if whole or digits != '0' else ''}{whole}.{digits}"


def parse(raw: str) -> Decimal | None:
    """Read decimal text; None where it is not a finite, plain, non-negative number."""
    if not raw or not raw.isascii() or raw.strip("0123456789.") or raw.count(".") > 1 or raw == ".":
        return None
    try:
        return Decimal(raw)
    except InvalidOperation:
        return None


def stripped(raw: str) -> str:
    """Write a decimal text as signers must: no trailing zeros. Other text stays as it is."""
    if "." not in raw or parse(raw) is None:
        return raw
    return raw.rstrip("0").rstrip(".")


def decimals_of(value: Decimal) -> int:
    """Count the decimals that matter."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def figures_of(value: Decimal) -> int:
    """Count the significant figures."""
    return len(value.normalize().as_tuple().digits)


def max_price_decimals(size_decimals: int, *, spot: bool) -> int:
    """Return how many decimals a price may have at most."""
    return max(0, (MAX_SPOT_DECIMALS if spot else MAX_PERP_DECIMALS) - size_decimals)


def price_fault(price: Decimal, size_decimals: int, *, spot: bool) -> str:
    """Tell what is wrong with a price: ``""``, ``"decimals"`` or ``"figures"``."""
    if price == price.to_integral_value():
        return ""
    if decimals_of(price) > max_price_decimals(size_decimals, spot=spot):
        return "decimals"
    return "figures" if figures_of(price) > SIGNIFICANT_FIGURES else ""


def significant(price: Decimal, figures: int, mantissa: int, *, up: bool) -> Decimal:
    """Round a price to a bucket of ``figures`` significant figures, downwards for bids, upwards for asks.

    ``mantissa`` 2 or 5 makes the last figure a multiple of it.
    """
    if not price:
        return price
    step = Decimal(mantissa).scaleb(price.adjusted() - figures + 1)
    whole, rest = divmod(price, step)
    return (whole + 1 if up and rest else whole) * step
