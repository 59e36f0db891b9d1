"""Money inside the venue: ``int`` atoms of 1e-12 of an asset, ``Decimal`` at the edges."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from lanner.core.errors import ConfigError

SCALE = 10**12
ATOM = Decimal(1).scaleb(-12)
FEE_STEP = 10**4
"""Fees are whole multiples of 1e-8 of the asset, as on real venues."""


def to_atoms(amount: Decimal | int | str) -> int:
    """Turn an amount into atoms; an amount finer than 1e-12 raises ``ConfigError``."""
    scaled = Decimal(amount) * SCALE
    atoms = int(scaled)
    if atoms != scaled:
        raise ConfigError("an amount is too fine", expected="at most 12 decimals", found=amount)
    return atoms


def from_atoms(atoms: int) -> Decimal:
    """Turn atoms into an exact Decimal without trailing zeros beyond the point."""
    whole, rest = divmod(abs(atoms), SCALE)
    text = f"{whole}.{rest:012d}".rstrip("0").rstrip(".") if rest else str(whole)
    return Decimal(text if atoms >= 0 else f"-{text}")


def atoms_text(atoms: int, decimals: int = 8) -> str:
    """Write atoms with exactly so many decimals, cut towards zero, as Binance writes amounts."""
    sign = "-" if atoms < 0 else ""
    steps = abs(atoms) // 10 ** (12 - decimals)
    if not decimals:
        return f"{sign}{steps}"
    whole, rest = divmod(steps, 10**decimals)
    return f"{sign}{whole}.{rest:0{decimals}d}"


def fee_of(notional_atoms: int, rate_ppb: int) -> int:
    """Return the fee of a notional at a rate in 1e-9, rounded half up to 1e-8 of the asset; rebates are negative."""
    raw = notional_atoms * rate_ppb
    unit = FEE_STEP * 10**9
    return (raw + unit // 2) // unit * FEE_STEP


@lru_cache(maxsize=1_024)
def to_ppb(rate: Decimal | str) -> int:
    """Turn a fraction into parts of 1e-9."""
    return int((Decimal(rate) * 10**9).to_integral_value())
