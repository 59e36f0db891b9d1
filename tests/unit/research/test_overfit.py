"""The overfitting detector, number by number, and the summary of a walk-forward."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.core.errors import DataError
from lanner.research.overfit import (
    Recommendation,
    Value,
    consistency,
    detect_overfitting,
    parameter_stability,
    train_test_correlation,
    walk_forward_report,
)


def test_the_detector_is_that_of_its_formula_worked_out_by_hand() -> None:
    found = detect_overfitting([1.5, 1.8, 1.2], [1.0, 1.4, 1.1])
    # gap (0.5 + 0.4 + 0.1) / 3; mean 7/6, σ² = (1/36 + 49/900 + 1/225) / 2; range 0.6.
    variation = np.std([1.0, 1.4, 1.1], ddof=1) / (3.5 / 3)
    assert found.gap == pytest.approx(1.0 / 3.0)
    assert found.variation == pytest.approx(variation) == pytest.approx(0.178428, abs=1e-6)
    assert found.sensitivity == pytest.approx(0.3)
    assert found.stability == pytest.approx(0.4 * 2 / 3 + 0.3 * (1 - variation) + 0.3 * 0.7)
    assert found.probability == pytest.approx(0.4 * 2 / 3 + 0.3 * variation / 0.5 + 0.3 * 0.3)
    assert not found.overfit
    assert found.recommendation is Recommendation.PROCEED


@pytest.mark.parametrize(
    ("train", "test", "advice", "overfit"),
    [
        ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], Recommendation.PROCEED, False),
        ([1.0, 1.0], [1.0, 1.0], Recommendation.INSUFFICIENT_DATA, False),
        ([3.0, 1.0, 2.0], [-1.0, 0.5, -0.2], Recommendation.REJECT, True),
        ([1.4, 1.4, 1.4], [1.0, 1.0, 0.5], Recommendation.CAUTION, False),
        ([2.0, 2.0, 2.0], [1.0, 1.0, 1.0], Recommendation.PROCEED, False),
        ([0.0, 0.9, 0.0], [0.0, 0.0, 0.0], Recommendation.PROCEED, False),
    ],
)
def test_advice_follows_the_table(
    train: list[float], test: list[float], advice: Recommendation, overfit: bool
) -> None:
    found = detect_overfitting(train, test)
    assert found.recommendation is advice
    assert found.overfit is overfit


def test_scatter_around_no_mean_counts_at_most_one_and_around_a_small_one_at_most_two() -> None:
    assert detect_overfitting([1.0, 1.0], [-3.0, 3.0]).variation == 1.0
    assert detect_overfitting([1.0, 1.0], [-0.1, 0.1]).variation == pytest.approx(np.std([-0.1, 0.1], ddof=1))
    assert detect_overfitting([1.0, 1.0], [-3.0, 3.2]).variation == 2.0
    assert detect_overfitting([1.0], [0.7]).variation == 0.0


@given(st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20)), min_size=1, max_size=12))
def test_shares_stay_between_nought_and_one(pairs: list[tuple[float, float]]) -> None:
    found = detect_overfitting([a for a, _ in pairs], [b for _, b in pairs])
    for value in (found.sensitivity, found.stability, found.probability):
        assert -1e-12 <= value <= 1.0 + 1e-12
    assert 0.0 <= found.variation <= 2.0


def test_parameters_that_jump_from_end_to_end_have_no_stability() -> None:
    ranges = {"fast": (5.0, 25.0), "slow": (50.0, 150.0)}
    still = [{"fast": 10, "slow": 100}] * 4
    assert parameter_stability(still, ranges) == 1.0
    jumping = [{"fast": 5, "slow": 50}, {"fast": 25, "slow": 150}, {"fast": 5, "slow": 50}]
    assert parameter_stability(jumping, ranges) == 0.0
    moving = [{"fast": 5, "slow": 50}, {"fast": 10, "slow": 50}, {"fast": 10, "slow": 100}]
    assert parameter_stability(moving, ranges) == pytest.approx(1.0 - (0.25 + 0 + 0 + 0.5) / 4)


def test_parameters_without_a_range_or_a_number_are_measured_by_their_own_choices() -> None:
    chosen: list[dict[str, Value]] = [
        {"n": 10, "kind": "sma", "on": True},
        {"n": 10, "kind": "ema", "on": True},
        {"n": 30, "kind": "ema", "on": True},
    ]
    assert parameter_stability(chosen) == pytest.approx(1.0 - (0 + 1 + 1 + 0 + 0 + 0) / 6)
    assert parameter_stability(chosen[:1]) is None
    assert parameter_stability([{}, {}]) is None


def test_correlation_needs_three_windows_that_vary() -> None:
    assert train_test_correlation([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]) == pytest.approx(1.0)
    assert train_test_correlation([1.0, 2.0, 3.0], [3.0, 2.0, 1.0]) == pytest.approx(-1.0)
    assert train_test_correlation([1.0, 2.0], [2.0, 4.0]) is None
    assert train_test_correlation([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]) is None


def test_robust_means_not_overfit_mostly_profitable_and_positive() -> None:
    steady = ([1.2, 1.3, 1.1, 1.2], [1.0, 1.1, 0.9, 1.0])
    report = walk_forward_report(*steady, [0.05, 0.02, -0.01, 0.04], [{"n": 10}] * 4)
    assert report.robust
    assert report.consistency == 0.75
    assert report.test_sharpe == pytest.approx(1.0)
    assert report.parameter_stability == 1.0
    assert not walk_forward_report(*steady, [0.05, 0.02, -0.01, -0.04]).robust
    assert not walk_forward_report([-1.0] * 4, [-1.0] * 4, [0.1] * 4).robust
    assert not walk_forward_report([1.0] * 2, [1.0] * 2, [0.1] * 2).robust
    overfit = walk_forward_report([4.0, 2.0, 3.0], [0.5, 0.1, 1.5], [0.1, 0.1, 0.1])
    assert overfit.detection.overfit
    assert not overfit.robust


def test_windows_that_do_not_pair_up_are_refused() -> None:
    with pytest.raises(DataError, match="per window"):
        detect_overfitting([1.0], [1.0, 2.0])
    with pytest.raises(DataError, match="per window"):
        detect_overfitting([], [])
    with pytest.raises(DataError, match="finite"):
        detect_overfitting([1.0], [float("nan")])
    with pytest.raises(DataError, match="test window"):
        consistency([])
