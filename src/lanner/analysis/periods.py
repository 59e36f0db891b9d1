"""How often an equity curve is sampled, and what a year is: 365 days, because these markets never close."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NS_PER_MINUTE = 60_000_000_000
NS_PER_DAY = 86_400_000_000_000
DAYS_PER_YEAR = 365.0

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


def median_spacing_ns(ts: Times) -> float | None:
    """Return the median nanoseconds between consecutive distinct times, None below two of them."""
    gaps = np.diff(ts)
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) if gaps.size else None


def periods_per_year(ts: Times, days_per_year: float = DAYS_PER_YEAR) -> float | None:
    """Return how many samples of this spacing a year has.

    The median is used so that gaps in the data do not change the scale. Formula: P = days_per_year · 1 day /
    median(ts[i] − ts[i−1]).
    """
    spacing = median_spacing_ns(ts)
    return days_per_year * NS_PER_DAY / spacing if spacing else None


def years_between(start_ns: int, end_ns: int, days_per_year: float = DAYS_PER_YEAR) -> float:
    """Return the elapsed time in years of `days_per_year` days."""
    return (end_ns - start_ns) / (NS_PER_DAY * days_per_year)


def last_of_each_day(ts: Times) -> NDArray[np.int64]:
    """Return the index of the last sample of each UTC day.

    A sample stamped exactly at midnight closes the day before it, as a bar's closing time does.
    """
    if ts.size == 0:
        return np.empty(0, dtype=np.int64)
    day = (ts - 1) // NS_PER_DAY
    return np.append(np.flatnonzero(np.diff(day)), ts.size - 1).astype(np.int64)
