"""Falls of the equity below its highest value so far, as positive fractions of that peak: 0.25 is −25 %."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lanner.analysis.periods import NS_PER_DAY, Floats, Times
from lanner.analysis.returns import finite


@dataclass(frozen=True, slots=True)
class Drawdown:
    """Describe one fall: from its peak through its deepest point to recovery (None when it never came)."""

    depth: float
    peak_ts: int
    valley_ts: int
    recovery_ts: int | None
    days: float


def drawdown_series(equity: Floats) -> Floats:
    """Return the fraction lost since the highest value so far, 0 at a new peak, above 1 below zero equity."""
    peak = np.maximum.accumulate(equity)
    fall = np.zeros(equity.size, dtype=np.float64)
    np.divide(peak - equity, peak, out=fall, where=peak > 0.0)
    return fall


def max_drawdown(equity: Floats) -> float | None:
    """Return the deepest fall from a peak, as a positive fraction of that peak.

    Formula: max((peak − equity) / peak), peak the highest value so far.
    Source: Magdon-Ismail & Atiya (2004); empyrical `max_drawdown` with the sign turned.
    """
    return finite(float(np.max(drawdown_series(equity)))) if equity.size else None


def average_drawdown(equity: Floats) -> float | None:
    """Return the mean depth below the highest value so far, over all samples.

    Formula: Σ drawdown / n.
    Source: Martin & McCann (1989), the "pain index".
    """
    return finite(float(np.mean(drawdown_series(equity)))) if equity.size else None


def ulcer_index(equity: Floats) -> float | None:
    """Return the root of the mean squared drawdown: deep and long falls weigh more than short ones.

    Formula: √(Σ drawdown² / (n − 1)), n the number of returns.
    Source: Martin & McCann (1989); quantstats `ulcer_index`.
    """
    returns = equity.size - 1
    if returns < 2:
        return None
    return finite(math.sqrt(float(np.sum(drawdown_series(equity) ** 2)) / (returns - 1)))


def drawdowns(ts: Times, equity: Floats) -> list[Drawdown]:
    """Return every fall in the order of time; the last one may be unrecovered and then lasts to the end."""
    fall = drawdown_series(equity)
    below = np.concatenate(([False], fall > 0.0, [False]))
    edges = np.flatnonzero(np.diff(below.astype(np.int8)))
    found: list[Drawdown] = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        valley = start + int(np.argmax(fall[start:stop]))
        recovered = stop < fall.size
        end = stop if recovered else fall.size - 1
        peak_ts = int(ts[start - 1])
        found.append(
            Drawdown(
                depth=float(fall[valley]),
                peak_ts=peak_ts,
                valley_ts=int(ts[valley]),
                recovery_ts=int(ts[end]) if recovered else None,
                days=(int(ts[end]) - peak_ts) / NS_PER_DAY,
            )
        )
    return found


def max_drawdown_duration_days(ts: Times, equity: Floats) -> float | None:
    """Return the longest time without a new peak, in days; an unrecovered fall lasts to the end of the run.

    Formula: max(time of recovery − time of the peak before it).
    Source: common usage, also called time under water.
    """
    if equity.size == 0:
        return None
    return max((fall.days for fall in drawdowns(ts, equity)), default=0.0)
