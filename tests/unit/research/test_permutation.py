"""Permutation tests against written-out permutations, and their rates on noise."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lanner.core.errors import DataError
from lanner.research.bootstrap import Statistic
from lanner.research.permutation import shift_test, sign_flip_test
from tests.unit.research.noise import Floats


def held_for_a_while(bars: int, rng: np.random.Generator) -> Floats:
    """Return positions −1, 0, 1 that stay for 20 bars on average."""
    changes = rng.random(bars) < 0.05
    values = rng.integers(-1, 2, bars).astype(float)
    last = np.maximum.accumulate(np.where(changes, np.arange(bars), 0))
    return np.asarray(values[last])


@pytest.mark.parametrize("statistic", list(Statistic))
@pytest.mark.parametrize("cost", [0.0, 0.002])
def test_shifts_are_those_written_out_one_by_one(statistic: Statistic, cost: float) -> None:
    rng = np.random.default_rng(1)
    positions, market = held_for_a_while(101, rng), rng.normal(0.001, 0.01, 101)
    values = []
    for shift in range(101):
        earned = np.roll(positions, shift) * market - cost
        values.append(earned.mean() if statistic is Statistic.MEAN else earned.mean() / earned.std())
    found = shift_test(positions, market, statistic=statistic, cost=cost)
    assert found.observed == pytest.approx(values[0])
    assert found.expected == pytest.approx(np.mean(values))
    assert found.p_value == pytest.approx(np.mean(np.array(values) >= values[0] - 1e-12))


def test_holding_a_rising_market_is_no_skill() -> None:
    rng = np.random.default_rng(2)
    market = rng.normal(0.005, 0.01, 2_000)
    assert shift_test(np.ones(2_000), market).p_value == 1.0
    drifting = [
        shift_test(np.abs(held_for_a_while(1_000, rng)), rng.normal(0.005, 0.01, 1_000)).p_value
        for _ in range(300)
    ]
    assert np.mean(np.array(drifting) <= 0.1) == pytest.approx(0.1, abs=0.045)


def test_knowing_the_next_return_is_skill() -> None:
    rng = np.random.default_rng(3)
    market = rng.normal(0.0, 0.01, 1_000)
    assert shift_test(np.sign(market), market).p_value == pytest.approx(0.001)


def test_sign_flips_of_few_samples_come_near_to_all_of_them() -> None:
    series = np.array([0.3, -0.1, 0.25, 0.4, -0.05, 0.1, 0.2, -0.3, 0.15, 0.05])
    flips = [np.dot(signs, series) for signs in itertools.product((1, -1), repeat=10)]
    exact = np.mean(np.array(flips) >= series.sum() - 1e-12)
    found = sign_flip_test(series, np.random.default_rng(4), permutations=20_000)
    assert found.p_value == pytest.approx(exact, abs=0.01)
    assert found.observed == pytest.approx(series.mean())


def test_sign_flips_of_noise_reject_as_often_as_they_should() -> None:
    rng = np.random.default_rng(5)
    volatile = np.exp(np.sin(np.arange(300) / 20))
    found = np.array(
        [
            sign_flip_test(volatile * rng.normal(size=300), rng, permutations=199, block=3).p_value
            for _ in range(500)
        ]
    )
    assert np.mean(found <= 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.mean(found <= 0.5) == pytest.approx(0.5, abs=0.07)


def test_positions_of_other_samples_than_the_returns_are_refused() -> None:
    with pytest.raises(DataError, match="same samples"):
        shift_test(np.ones(10), np.ones(11))


def test_a_series_of_zeros_proves_nothing() -> None:
    assert sign_flip_test(np.zeros(20), np.random.default_rng(6)).p_value == 1.0
    assert shift_test(np.zeros(20), np.arange(20.0)).p_value == 1.0
