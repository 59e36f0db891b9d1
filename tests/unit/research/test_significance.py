"""Closed formulas of luck, against the numbers printed in the papers that gave them, and against simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lanner.core.errors import ConfigError, DataError
from lanner.research.significance import (
    SharpeMoments,
    deflated_sharpe,
    effective_trials,
    expected_maximum_sharpe,
    minimum_backtest_years,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_error,
    sharpe_moments,
)

# The example of "The Deflated Sharpe Ratio" (2014): an annual 2.5 from five years of 250 daily returns.
PAPER = SharpeMoments(2.5 / math.sqrt(250), 1_250, -3.0, 10.0)
PAPER_VARIANCE = 0.5 / 250


def test_the_deflated_sharpe_ratio_is_that_of_the_papers_example() -> None:
    assert expected_maximum_sharpe(100, PAPER_VARIANCE) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(PAPER, 100, PAPER_VARIANCE) == pytest.approx(0.9004, abs=5e-5)
    assert deflated_sharpe(PAPER, 46, PAPER_VARIANCE) == pytest.approx(0.9505, abs=5e-5)
    normal = SharpeMoments(PAPER.sharpe, 1_250, 0.0, 3.0)
    assert deflated_sharpe(normal, 88, PAPER_VARIANCE) == pytest.approx(0.9505, abs=5e-5)


def test_the_probabilistic_sharpe_ratio_is_that_of_the_papers_hedge_fund() -> None:
    """Two years of monthly returns with an annual Sharpe ratio of 1.59."""
    normal = SharpeMoments(0.458, 24, 0.0, 3.0)
    skewed = SharpeMoments(0.458, 24, -2.448, 10.164)
    assert probabilistic_sharpe(normal) == pytest.approx(0.982, abs=5e-4)
    assert probabilistic_sharpe(skewed) == pytest.approx(0.913, abs=5e-4)


@pytest.mark.parametrize(
    ("per_year", "skew", "kurtosis", "years"),
    [(252, 0.0, 3.0, 2.73), (52, 0.0, 3.0, 2.83), (12, 0.0, 3.0, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_the_track_record_is_as_long_as_the_paper_says(
    per_year: int, skew: float, kurtosis: float, years: float
) -> None:
    """An annual Sharpe ratio of 2, to be 95 % sure that it is above 1."""
    measured = SharpeMoments(2.0 / math.sqrt(per_year), 1_000, skew, kurtosis)
    needed = minimum_track_record(measured, 1.0 / math.sqrt(per_year), 0.95)
    assert needed is not None
    assert needed / per_year == pytest.approx(years, abs=5e-3)


def test_five_years_are_too_short_for_forty_five_trials() -> None:
    """Bailey et al. (2014): with five years of data no more than 45 variants before a Sharpe of 1 is expected."""
    assert minimum_backtest_years(45, 1.0) == pytest.approx(5.0, abs=0.1)


def test_the_track_record_that_is_needed_gives_just_the_confidence_asked_for() -> None:
    measured = SharpeMoments(0.1, 500, -0.5, 6.0)
    needed = minimum_track_record(measured, 0.02, 0.9)
    assert needed is not None
    assert (0.1 - 0.02) * math.sqrt(needed - 1) / (sharpe_error(measured) * math.sqrt(499)) == pytest.approx(
        1.2816, abs=1e-4
    )
    assert minimum_track_record(measured, 0.1) is None


def test_the_expected_maximum_is_what_simulated_strategies_without_skill_show() -> None:
    rng = np.random.default_rng(1)
    for trials in (10, 100, 1_000):
        best = rng.normal(0.0, 0.05, (4_000, trials)).max(axis=1)
        assert expected_maximum_sharpe(trials, 0.05**2) == pytest.approx(best.mean(), rel=0.03)
    assert expected_maximum_sharpe(1, 1.0) == 0.0
    assert math.isfinite(expected_maximum_sharpe(10**17, 1.0))


def test_the_standard_error_is_the_scatter_of_sharpe_ratios_of_skewed_returns() -> None:
    rng = np.random.default_rng(2)
    returns = 0.3 + 1.0 - rng.exponential(1.0, (8_000, 400))  # skew −2, kurtosis 9
    sharpes = returns.mean(axis=1) / returns.std(axis=1, ddof=1)
    formula = sharpe_error(SharpeMoments(0.3, 400, -2.0, 9.0))
    assert formula == pytest.approx(sharpes.std(), rel=0.04)
    assert formula > 1.15 * sharpe_error(SharpeMoments(0.3, 400, 0.0, 3.0))


def test_on_noise_the_probabilistic_sharpe_ratio_is_uniform() -> None:
    rng = np.random.default_rng(3)
    found = np.sort([probabilistic_sharpe(sharpe_moments(rng.normal(size=300))) for _ in range(1_000)])
    assert np.max(np.abs(found - np.arange(1, 1_001) / 1_000)) < 0.052  # Kolmogorov–Smirnov, 1 %


def test_moments_are_those_of_their_definitions() -> None:
    series = np.array([0.01, -0.02, 0.03, 0.005, -0.01, 0.04])
    measured = sharpe_moments(series)
    centred = series - series.mean()
    assert measured.sharpe == pytest.approx(series.mean() / series.std(ddof=1))
    assert measured.skew == pytest.approx(np.mean(centred**3) / np.mean(centred**2) ** 1.5)
    assert measured.kurtosis == pytest.approx(np.mean(centred**4) / np.mean(centred**2) ** 2)
    tiny = sharpe_moments(series * 1e-120)
    assert tiny.kurtosis == pytest.approx(measured.kurtosis)
    assert sharpe_moments(np.full(10, 0.1)) == SharpeMoments(0.0, 10, 0.0, 3.0)


def test_correlated_trials_count_for_fewer() -> None:
    assert effective_trials(100, 0.0) == 100.0
    assert effective_trials(100, 0.5) == pytest.approx(50.5)
    assert effective_trials(100, 1.0) == 1.0
    assert effective_trials(100, -0.2) == 100.0


def test_input_that_means_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="3 for a normal"):
        probabilistic_sharpe(SharpeMoments(1.0, 100, 2.0, 0.0))
    with pytest.raises(ConfigError):
        expected_maximum_sharpe(0, 1.0)
    with pytest.raises(ConfigError):
        minimum_track_record(PAPER, confidence=1.0)
    with pytest.raises(ConfigError):
        minimum_backtest_years(10, 0.0)
    with pytest.raises(DataError, match="nan at index 2"):
        sharpe_moments(np.array([0.0, 1.0, np.nan, 2.0]))
    with pytest.raises(DataError, match="too few"):
        sharpe_moments(np.array([0.0, 1.0]))
    with pytest.raises(DataError, match="1 dimension"):
        sharpe_moments(np.zeros((4, 4)))
