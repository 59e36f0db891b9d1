"""What an invented market is like: its level, its noise, its grid, its calendar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from lanner.core.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

YEAR_NS = 365 * 86_400_000_000_000

_HOURS = (
    1.02, 0.94, 0.88, 0.82, 0.78, 0.77, 0.82, 0.93, 1.02, 0.98, 0.93, 0.92,
    1.03, 1.27, 1.46, 1.42, 1.28, 1.14, 1.06, 1.02, 1.01, 0.98, 0.95, 1.03,
)  # fmt: skip
"""Typical volatility at each UTC hour against the day's mean: quiet before Europe, loud at the US open."""

_WEEKEND = 0.72
"""Volatility of a Saturday or Sunday against a working day."""


@dataclass(frozen=True, slots=True)
class Market:
    """Parameters of a synthetic market.

    ``vol`` and ``drift`` are annualised (365 days): the standard deviation and the mean of log returns.
    ``spread_bps`` is the typical spread at normal volatility. ``turnover`` is in quote currency a day.
    Prices are multiples of ``tick``, quantities of ``lot``. With ``regimes`` the market switches between
    calm, rising, falling and turbulent phases of days.
    """

    start_price: float = 40_000.0
    vol: float = 0.6
    drift: float = 0.0
    spread_bps: float = 1.0
    regimes: bool = True
    tick: Decimal = Decimal("0.1")
    lot: Decimal = Decimal("0.00001")
    turnover: float = 60e6
    trades_per_day: float = 80_000.0

    def __post_init__(self) -> None:
        _check("start price", self.start_price, float(self.tick) * 100, 1e12)
        _check("volatility", self.vol, 0.001, 10.0)
        _check("drift", self.drift, -5.0, 5.0)
        _check("spread in basis points", self.spread_bps, 0.0, 500.0)
        _check("turnover a day", self.turnover, 1.0, 1e15)
        _check("trades a day", self.trades_per_day, 1.0, 5e6)
        _check("tick", float(self.tick), 1e-12, 1e6)
        _check("lot", float(self.lot), 1e-12, 1e9)

    @property
    def tick_float(self) -> float:
        """Return the tick as a float."""
        return float(self.tick)

    @property
    def lot_float(self) -> float:
        """Return the lot as a float."""
        return float(self.lot)


def market_for(start_price: float, **changes: float | bool) -> Market:
    """Return a market whose tick is about 1/400,000 of its price and whose lot is worth some 0.4."""
    if not (math.isfinite(start_price) and start_price > 0):
        raise ConfigError("the start price must be positive", expected="a number > 0", found=start_price)
    digits = len(f"{start_price:.0f}") if start_price >= 1 else 1 - _leading_zeros(start_price)
    tick = Decimal(1).scaleb(digits - 6)
    lot = Decimal(1).scaleb(-digits)
    return Market(start_price, tick=tick, lot=lot, **changes)  # type: ignore[arg-type]


def on_grid(steps: NDArray[np.int64], step: Decimal) -> NDArray[np.float64]:
    """Return multiples of a decimal step as the floats nearest to them (61833.2, not 61833.200000000004)."""
    numerator, denominator = step.as_integer_ratio()
    values: NDArray[np.float64] = (steps * numerator) / denominator
    return values


def week_profile() -> NDArray[np.float64]:
    """Return the volatility factor of each minute of a week that starts on Monday 00:00 UTC.

    Its mean square is 1, so it moves volatility about without changing its level.
    """
    hours = np.array((*_HOURS, _HOURS[0]))
    minute = np.arange(1440) / 60.0
    left = minute.astype(np.int64)
    day = hours[left] * (1.0 - (minute - left)) + hours[left + 1] * (minute - left)
    week = np.concatenate([day] * 5 + [day * _WEEKEND] * 2)
    mean_square = math.fsum((week * week).tolist()) / len(week)
    scaled: NDArray[np.float64] = week / math.sqrt(mean_square)
    return scaled


def _leading_zeros(price: float) -> int:
    zeros = 0
    while price < 1:
        price *= 10
        zeros += 1
    return zeros


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(
            f"the {name} is not believable", expected=f"a number from {low:g} to {high:g}", found=value
        )
