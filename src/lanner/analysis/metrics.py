"""Compute every metric of a run at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lanner.analysis.periods import DAYS_PER_YEAR
from lanner.analysis.records import EquityCurve, FillRow, RoundTrip
from lanner.analysis.registry import METRICS, Metric
from lanner.analysis.sample import Sample, build_sample


def compute_metrics(
    equity: EquityCurve,
    round_trips: Sequence[RoundTrip],
    fills: Sequence[FillRow],
    start_equity: float,
    *,
    fees: float | None = None,
    days_per_year: float = DAYS_PER_YEAR,
    daily: bool = False,
) -> dict[str, float | None]:
    """Return every metric of `METRICS` by name; None where it is not defined, never NaN or infinite.

    Ratios are annualised from the median spacing of the curve's samples and years of `days_per_year` days.
    With `daily`, returns are measured between the last values of UTC days: the fair choice for a curve whose
    samples are not evenly spaced. `fees` is the total in the result's currency; without it the fills' fees
    are summed.
    """
    # A curve that grows beyond what a float can square has no variance; that is None, not a warning.
    with np.errstate(all="ignore"):
        sample = build_sample(
            equity,
            round_trips,
            fills,
            float(start_equity),
            fees=fees,
            days_per_year=days_per_year,
            daily=daily,
        )
        return {name: _value(metric, sample) for name, metric in METRICS.items()}


def _value(metric: Metric, sample: Sample) -> float | None:
    try:
        value = metric.compute(sample)
    except OverflowError:
        return None
    return float(value) if value is not None and math.isfinite(value) else None
