"""A run beside its benchmark, buy and hold of the first instrument: simple returns over the same samples."""

from __future__ import annotations

import math

import numpy as np

from lanner.analysis.periods import Floats
from lanner.analysis.returns import finite, ratio, sigma


def beta(returns: Floats, benchmark: Floats) -> float | None:
    """Return how much of the benchmark's moves the run took on.

    Formula: cov(r, b) / var(b), both with ddof = 1.
    Source: Sharpe (1964); empyrical `beta`.
    """
    deviation = sigma(benchmark)
    if not deviation or returns.size != benchmark.size:
        return None
    together = float(np.sum((returns - returns.mean()) * (benchmark - benchmark.mean()))) / (returns.size - 1)
    return ratio(together, deviation * deviation)


def alpha(returns: Floats, benchmark: Floats, periods: float) -> float | None:
    """Return the annual return that the benchmark's moves do not explain, not compounded.

    Formula: (mean(r) − beta · mean(b)) · P, risk-free rate 0.
    Source: Jensen (1968).
    """
    slope = beta(returns, benchmark)
    if slope is None:
        return None
    return finite((float(np.mean(returns)) - slope * float(np.mean(benchmark))) * periods)


def correlation(returns: Floats, benchmark: Floats) -> float | None:
    """Return the correlation of the run with its benchmark, −1 to 1.

    Formula: cov(r, b) / (σ(r) · σ(b)).
    Source: Pearson (1895).
    """
    slope, own, other = beta(returns, benchmark), sigma(returns), sigma(benchmark)
    return None if slope is None or not own or not other else finite(slope * other / own)


def information_ratio(returns: Floats, benchmark: Floats, periods: float) -> float | None:
    """Return the annualised return above the benchmark per unit of its variation.

    Formula: mean(r − b) / σ(r − b) · √P.
    Source: Grinold & Kahn (1999).
    """
    if returns.size != benchmark.size:
        return None
    active = returns - benchmark
    deviation = sigma(active)
    return ratio(float(np.mean(active)) * math.sqrt(periods), deviation) if deviation else None
