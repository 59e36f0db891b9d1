"""Statistics of a series of simple returns.

Conventions, the same everywhere: returns are simple (`equity[i] / equity[i-1] - 1`), the risk-free rate is 0,
σ is the sample standard deviation (ddof = 1), P is the number of samples in a 365-day year, and a statistic
that is not defined for its input (too few samples, no variation, no loss) is None, never NaN or infinite.
"""

from __future__ import annotations

import math

import numpy as np

from lanner.analysis.periods import Floats

_MIN_YEARS = 1.0 / 365.0
# A constant series has a rounding-sized σ, not zero; a ratio built on it would be noise.
_REL_EPS = 1e-14


def finite(value: float) -> float | None:
    """Return the value as a plain float, None when it is NaN or infinite."""
    number = float(value)
    return number if math.isfinite(number) else None


def ratio(numerator: float, denominator: float) -> float | None:
    """Return numerator / denominator, None when that is not a finite number."""
    if denominator == 0.0:
        return None
    return finite(numerator / denominator)


def simple_returns(equity: Floats) -> Floats:
    """Return `equity[i] / equity[i-1] - 1`, up to and including the first point at or below zero.

    An account that has reached zero is ruined; growth rates after that mean nothing and are left out.
    """
    ruined = np.flatnonzero(equity <= 0.0)
    if ruined.size:
        equity = equity[: ruined[0] + 1]
    if equity.size < 2 or equity[0] <= 0.0:
        return np.empty(0, dtype=np.float64)
    return np.asarray(equity[1:] / equity[:-1] - 1.0, dtype=np.float64)


def sigma(values: Floats) -> float | None:
    """Return the sample standard deviation (ddof = 1); None below two values, 0.0 for a constant series."""
    if values.size < 2:
        return None
    deviation = float(np.std(values, ddof=1))
    return 0.0 if deviation <= _REL_EPS * float(np.max(np.abs(values))) else finite(deviation)


def total_return(start: float, end: float) -> float | None:
    """Return the growth over the whole run.

    Formula: end / start − 1.
    Source: common usage.
    """
    return finite(end / start - 1.0) if start > 0.0 else None


def annualized_return(growth: float, years: float) -> float | None:
    """Return the compound annual growth rate (CAGR).

    None below one day, where annualising multiplies noise, and after a loss of more than everything.
    Formula: (1 + total_return)^(1 / years) − 1, years of 365 days between the first and the last sample.
    Source: empyrical `annual_return`; quantstats `cagr`.
    """
    # A day of samples may be a rounding step short of one day.
    if years < _MIN_YEARS * (1.0 - 1e-9) or growth < -1.0:
        return None
    try:
        return finite((1.0 + growth) ** (1.0 / years) - 1.0)
    except OverflowError:
        return None


def volatility(returns: Floats, periods: float) -> float | None:
    """Return the annualised standard deviation of returns.

    Formula: σ(r) · √P.
    Source: empyrical `annual_volatility`.
    """
    deviation = sigma(returns)
    return None if deviation is None else finite(deviation * math.sqrt(periods))


def sharpe(returns: Floats, periods: float) -> float | None:
    """Return the annualised Sharpe ratio.

    Formula: mean(r) / σ(r) · √P, risk-free rate 0.
    Source: Sharpe (1994), "The Sharpe Ratio"; empyrical `sharpe_ratio`.
    """
    deviation = sigma(returns)
    return ratio(float(np.mean(returns)) * math.sqrt(periods), deviation) if deviation else None


def downside_risk(returns: Floats, periods: float) -> float | None:
    """Return the annualised downside deviation, over all samples and not only the losing ones.

    Formula: √(Σ min(r, 0)² / n) · √P.
    Source: Sortino & van der Meer (1991); empyrical `downside_risk`.
    """
    if returns.size < 2:
        return None
    return finite(math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2))) * math.sqrt(periods))


def sortino(returns: Floats, periods: float) -> float | None:
    """Return the annualised Sortino ratio, None without a losing sample.

    Formula: mean(r) · P / (√(Σ min(r, 0)² / n) · √P), target 0.
    Source: Sortino & van der Meer (1991); empyrical `sortino_ratio`.
    """
    risk = downside_risk(returns, periods)
    return ratio(float(np.mean(returns)) * periods, risk) if risk else None


def calmar(annual: float | None, max_drawdown: float | None) -> float | None:
    """Return the annualised return per unit of the worst drawdown.

    Formula: annualized_return / max_drawdown.
    Source: Young (1991), "Calmar Ratio"; empyrical `calmar_ratio`.
    """
    return None if annual is None or not max_drawdown else ratio(annual, max_drawdown)


def omega(returns: Floats) -> float | None:
    """Return the sum of gains over the sum of losses at threshold 0, None without a loss.

    Formula: Σ max(r, 0) / Σ max(−r, 0).
    Source: Keating & Shadwick (2002); empyrical `omega_ratio`.
    """
    return ratio(float(np.sum(np.maximum(returns, 0.0))), float(np.sum(np.maximum(-returns, 0.0))))


def gain_to_pain(returns: Floats) -> float | None:
    """Return the sum of all returns over the sum of losses, None without a loss.

    Formula: Σ r / Σ max(−r, 0).
    Source: Schwager (2012); quantstats `gain_to_pain_ratio`.
    """
    return ratio(float(np.sum(returns)), float(np.sum(np.maximum(-returns, 0.0))))


def tail_ratio(returns: Floats) -> float | None:
    """Return the size of the right tail over the size of the left one.

    Formula: |p95(r)| / |p5(r)|, percentiles interpolated linearly.
    Source: empyrical `tail_ratio`.
    """
    if returns.size < 2:
        return None
    high, low = np.percentile(returns, (95, 5))
    return ratio(abs(float(high)), abs(float(low)))


def stability(returns: Floats) -> float | None:
    """Return how straight the path of log equity is: 1 is a perfectly steady trend.

    Formula: R² of a least-squares line through the cumulated log returns, Σ ln(1 + r) against 0…n−1.
    Source: empyrical `stability_of_timeseries`.
    """
    if returns.size < 2 or float(np.min(returns)) <= -1.0:
        return None
    path = np.cumsum(np.log1p(returns))
    steps = np.arange(path.size, dtype=np.float64)
    x, y = steps - steps.mean(), path - path.mean()
    spread = float(y @ y)
    if spread <= _REL_EPS * max(float(path @ path), 1e-300):
        return None
    return finite(float(x @ y) ** 2 / (float(x @ x) * spread))


def value_at_risk(returns: Floats, cutoff: float = 0.05) -> float | None:
    """Return the return that only the worst `cutoff` of samples fall below (a loss is negative).

    Formula: p5(r), historical, interpolated linearly.
    Source: Jorion (2006), "Value at Risk"; empyrical `value_at_risk`.
    """
    return finite(float(np.percentile(returns, 100.0 * cutoff))) if returns.size else None


def conditional_value_at_risk(returns: Floats, cutoff: float = 0.05) -> float | None:
    """Return the mean of the worst `cutoff` of samples, also called expected shortfall (a loss is negative).

    Formula: mean of the ⌊(n − 1) · 0.05⌋ + 1 smallest r.
    Source: Rockafellar & Uryasev (2000); empyrical `conditional_value_at_risk`.
    """
    if returns.size == 0:
        return None
    last = int((returns.size - 1) * cutoff)
    return finite(float(np.mean(np.partition(returns, last)[: last + 1])))


def skew(returns: Floats) -> float | None:
    """Return the asymmetry of the distribution of returns: negative means the losses are the long tail.

    Formula: √(n(n−1)) / (n−2) · m₃ / m₂^1.5, with mₖ the k-th central moment.
    Source: Joanes & Gill (1998), G₁; quantstats `skew`.
    """
    n = returns.size
    if n < 3 or not sigma(returns):
        return None
    centred = returns - returns.mean()
    m2, m3 = float(np.mean(centred**2)), float(np.mean(centred**3))
    return ratio(math.sqrt(n * (n - 1)) / (n - 2) * m3, m2**1.5)


def kurtosis(returns: Floats) -> float | None:
    """Return the excess kurtosis: 0 for a normal distribution, positive for fat tails.

    Formula: (n−1) / ((n−2)(n−3)) · ((n+1) · m₄ / m₂² − 3(n−1)).
    Source: Joanes & Gill (1998), G₂; quantstats `kurtosis`.
    """
    n = returns.size
    if n < 4 or not sigma(returns):
        return None
    centred = returns - returns.mean()
    m2, m4 = float(np.mean(centred**2)), float(np.mean(centred**4))
    peaked = ratio(m4, m2 * m2)
    if peaked is None:
        return None
    return finite((n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * peaked - 3.0 * (n - 1)))


def recovery_factor(returns: Floats, max_drawdown: float | None) -> float | None:
    """Return how many times the run earned back its worst drawdown, with uncompounded returns.

    Formula: Σ r / max_drawdown.
    Source: quantstats `recovery_factor`.
    """
    return ratio(float(np.sum(returns)), max_drawdown) if max_drawdown else None


def best(returns: Floats) -> float | None:
    """Return the largest value.

    Formula: max(r).
    Source: quantstats `best`.
    """
    return finite(float(np.max(returns))) if returns.size else None


def worst(returns: Floats) -> float | None:
    """Return the smallest value.

    Formula: min(r).
    Source: quantstats `worst`.
    """
    return finite(float(np.min(returns))) if returns.size else None


def positive_share(returns: Floats) -> float | None:
    """Return the share of gains among the samples that moved at all.

    Formula: count(r > 0) / count(r ≠ 0).
    Source: quantstats `win_rate`.
    """
    return ratio(float(np.count_nonzero(returns > 0.0)), float(np.count_nonzero(returns)))


def rolling_sharpe(returns: Floats, window: int, periods: float) -> Floats:
    """Return the Sharpe ratio of each trailing window, NaN where the window is not full or does not vary.

    Formula: as `sharpe`, over the last `window` samples.
    """
    out = np.full(returns.size, np.nan)
    if window < 2 or returns.size < window:
        return out
    # Centred sums: without it, long runs of tiny returns lose their variance to rounding.
    centre = float(np.mean(returns))
    shifted = returns - centre
    first = np.concatenate(([0.0], np.cumsum(shifted)))
    second = np.concatenate(([0.0], np.cumsum(shifted * shifted)))
    mean = (first[window:] - first[:-window]) / window
    square = (second[window:] - second[:-window]) / window
    variance = np.maximum(square - mean * mean, 0.0) * window / (window - 1)
    noise = 1e-12 * max(float(np.mean(shifted * shifted)), 1e-300)
    moving = variance > noise
    result = np.full(mean.size, np.nan)
    result[moving] = (mean[moving] + centre) / np.sqrt(variance[moving]) * math.sqrt(periods)
    out[window - 1 :] = result
    return out
