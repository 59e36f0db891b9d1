"""Is a Sharpe ratio luck? Closed formulas: probabilistic and deflated Sharpe, expected maximum, track record.

Sharpe ratios in here are per sample and not annualised (`mean / σ` of the returns as they come); divide an
annual one by √P first. Kurtosis is the plain fourth moment, 3 for a normal distribution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from lanner.analysis.periods import Floats
from lanner.core.errors import ConfigError, DataError

EULER_MASCHERONI = 0.5772156649015329
_NORMAL = NormalDist()
# Below this many samples the third and fourth moments say nothing.
_FEWEST = 4
_REL_EPS = 1e-14


@dataclass(frozen=True, slots=True)
class SharpeMoments:
    """Hold what the formulas need of a series: Sharpe per sample, samples, skewness, kurtosis (3 = normal)."""

    sharpe: float
    samples: int
    skew: float
    kurtosis: float


def checked(returns: Floats, fewest: int = _FEWEST) -> Floats:
    """Return the series as a flat float array; a DataError names what makes it unusable."""
    series = np.ascontiguousarray(returns, dtype=np.float64)
    if series.ndim != 1:
        raise DataError("returns are one series", expected="1 dimension", found=f"{series.ndim} dimensions")
    if series.size < fewest:
        raise DataError("too few returns", expected=f"at least {fewest}", found=series.size)
    if not np.all(np.isfinite(series)):
        bad = int(np.flatnonzero(~np.isfinite(series))[0])
        raise DataError("returns must be finite", found=f"{series[bad]} at index {bad}")
    return series


def sharpe_moments(returns: Floats) -> SharpeMoments:
    """Measure a series of returns; one that does not vary has Sharpe 0 and the shape of a normal one.

    Formula: mean / σ with ddof = 1; m₃ / m₂^1.5; m₄ / m₂², with mₖ the k-th central moment.
    """
    series = checked(returns)
    mean = float(np.mean(series))
    centred = series - mean
    m2 = float(np.mean(centred**2))
    if math.sqrt(m2) <= _REL_EPS * float(np.max(np.abs(series))):
        return SharpeMoments(0.0, series.size, 0.0, 3.0)
    # Scaled first: powers of tiny returns would leave the range of a float.
    scaled = centred / math.sqrt(m2)
    sigma = math.sqrt(m2 * series.size / (series.size - 1))
    return SharpeMoments(mean / sigma, series.size, float(np.mean(scaled**3)), float(np.mean(scaled**4)))


def _spread(sharpe: float, skew: float, kurtosis: float) -> float:
    """Return the variance of √(n − 1) times the estimated Sharpe ratio."""
    spread = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe
    if not spread > 0.0:
        raise ConfigError(
            "no distribution has these moments",
            expected="kurtosis of at least 1 + skew²",
            found=f"skew {skew:g} and kurtosis {kurtosis:g}",
            fix="Kurtosis is the plain fourth moment here: 3 for a normal distribution, not 0.",
        )
    return spread


def sharpe_error(measured: SharpeMoments) -> float:
    """Return the standard error of a Sharpe ratio per sample.

    Formula: √((1 − γ₃·SR + (γ₄ − 1)/4·SR²) / (n − 1)).
    Source: Mertens (2002); Bailey & López de Prado (2012), "The Sharpe Ratio Efficient Frontier".
    """
    return math.sqrt(_spread(measured.sharpe, measured.skew, measured.kurtosis) / (measured.samples - 1))


def probabilistic_sharpe(measured: SharpeMoments, benchmark: float = 0.0) -> float:
    """Return the probability that the true Sharpe ratio is above a benchmark, 0…1.

    Formula: Φ((SR − SR*)·√(n − 1) / √(1 − γ₃·SR + (γ₄ − 1)/4·SR²)).
    Source: Bailey & López de Prado (2012), "The Sharpe Ratio Efficient Frontier", PSR.
    """
    return _NORMAL.cdf((measured.sharpe - benchmark) / sharpe_error(measured))


def expected_maximum_sharpe(trials: int, variance: float) -> float:
    """Return the best Sharpe ratio to expect of `trials` independent strategies without any skill.

    `variance` is that of the trials' Sharpe ratios, per sample; one trial expects 0.
    Formula: √V · ((1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e))), γ the Euler–Mascheroni constant.
    Source: Bailey & López de Prado (2014), "The Deflated Sharpe Ratio".
    """
    if trials < 1 or not variance >= 0.0:
        raise ConfigError(
            "the expected maximum needs trials and their variance",
            expected="trials >= 1 and variance >= 0",
            found=f"trials {trials}, variance {variance}",
        )
    if trials == 1:
        return 0.0
    # Φ⁻¹(1 − p) = −Φ⁻¹(p), which keeps its digits when p is tiny.
    first = -_NORMAL.inv_cdf(1.0 / trials)
    second = -_NORMAL.inv_cdf(1.0 / (trials * math.e))
    return math.sqrt(variance) * ((1.0 - EULER_MASCHERONI) * first + EULER_MASCHERONI * second)


def deflated_sharpe(measured: SharpeMoments, trials: int, variance: float) -> float:
    """Return the probability that the best of `trials` strategies is better than luck would make it.

    `variance` is that of the trials' Sharpe ratios per sample. Count every variant that was ever looked at,
    not only those of the last search.
    Formula: PSR against the expected maximum Sharpe ratio of N trials.
    Source: Bailey & López de Prado (2014), "The Deflated Sharpe Ratio".
    """
    return probabilistic_sharpe(measured, expected_maximum_sharpe(trials, variance))


def minimum_track_record(
    measured: SharpeMoments, benchmark: float = 0.0, confidence: float = 0.95
) -> float | None:
    """Return how many samples it takes to be `confidence` sure of beating the benchmark; None when it is below.

    Formula: 1 + (1 − γ₃·SR + (γ₄ − 1)/4·SR²)·(Φ⁻¹(confidence) / (SR − SR*))².
    Source: Bailey & López de Prado (2012), "The Sharpe Ratio Efficient Frontier", MinTRL.
    """
    if not 0.5 <= confidence < 1.0:
        raise ConfigError("confidence is a probability", expected="0.5 up to below 1", found=confidence)
    if measured.sharpe <= benchmark:
        return None
    needed = _NORMAL.inv_cdf(confidence) / (measured.sharpe - benchmark)
    return 1.0 + _spread(measured.sharpe, measured.skew, measured.kurtosis) * needed * needed


def minimum_backtest_years(trials: int, annual_sharpe: float) -> float:
    """Return the years of data below which the best of `trials` skill-less strategies shows this Sharpe ratio.

    `annual_sharpe` is annualised and above 0.
    Formula: (E[max of N standard normals] / SR)².
    Source: Bailey, Borwein, López de Prado & Zhu (2014), "Pseudo-Mathematics and Financial Charlatanism".
    """
    if not annual_sharpe > 0.0:
        raise ConfigError("the target Sharpe ratio must be positive", found=annual_sharpe)
    return (expected_maximum_sharpe(trials, 1.0) / annual_sharpe) ** 2


def effective_trials(trials: int, mean_correlation: float) -> float:
    """Return how many independent strategies a family of correlated ones is worth, between 1 and `trials`.

    Formula: ρ̄ + (1 − ρ̄)·N, ρ̄ the mean pairwise correlation, taken as 0 when negative.
    Source: Bailey & López de Prado (2014), "The Deflated Sharpe Ratio", appendix A.3.
    """
    rho = min(1.0, max(0.0, mean_correlation))
    return rho + (1.0 - rho) * trials
