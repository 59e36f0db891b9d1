"""Resampling in blocks: weights against written-out resamples, nominal rates, automatic block lengths."""

from __future__ import annotations

import time

import numpy as np
import pytest

from lanner.core.errors import ConfigError
from lanner.research.bootstrap import (
    Scheme,
    Statistic,
    block_length,
    bootstrap_interval,
    bootstrap_p_value,
    resample_weights,
    resampled,
)
from tests.unit.research.noise import Floats


def autoregressive(bars: int, memory: float, rng: np.random.Generator) -> Floats:
    series = rng.normal(size=bars)
    for i in range(1, bars):
        series[i] += memory * series[i - 1]
    return series


@pytest.mark.parametrize("scheme", list(Scheme))
@pytest.mark.parametrize("block", [1.0, 4.0, 9.5])
def test_weights_take_every_sample_equally_often_and_fill_every_resample(
    scheme: Scheme, block: float
) -> None:
    rng = np.random.default_rng(1)
    weights = np.concatenate(list(resample_weights(20, 20_000, rng, block=block, scheme=scheme)))
    assert weights.shape == (20_000, 20)
    assert np.all(weights >= 0.0)
    assert np.all(weights.sum(axis=1) == 20.0)
    assert weights.mean(axis=0) == pytest.approx(np.ones(20), abs=0.05)


def test_weights_of_circular_blocks_are_those_of_written_out_resamples() -> None:
    size, length = 11, 4
    weights = np.concatenate(
        list(resample_weights(size, 300, np.random.default_rng(5), block=length, scheme=Scheme.CIRCULAR))
    )
    starts = np.random.default_rng(5).integers(0, size, size=(300, 3))
    for row, begin in zip(weights, starts, strict=True):
        places = [(first + step) % size for first in begin for step in range(length)][:size]
        assert row.tolist() == np.bincount(places, minlength=size).tolist()


def test_stationary_blocks_have_a_geometric_length() -> None:
    """A sample's successor is taken with it unless a block ends there: P = 1 − 1/L + 1/(L·n)."""
    rng = np.random.default_rng(2)
    series = autoregressive(400, 0.9, rng)
    wanted = resampled(series, rng, resamples=4_000, block=20.0).var()
    lags = np.arange(1, 400)
    centred = series - series.mean()
    covariance = np.array([centred @ np.roll(centred, -lag) for lag in range(400)]) / 400
    # Politis & Romano (1994), lemma 1: the exact variance of the resampled mean.
    kept = (1 - lags / 400) * (1 - 1 / 20) ** lags
    exact = (covariance[0] + 2 * float(kept @ covariance[1:])) / 400
    assert wanted == pytest.approx(exact, rel=0.08)


def test_block_lengths_follow_the_memory_of_a_series() -> None:
    """The population value of an AR(1) is (2ρ / (1 − ρ²))^⅔ · n^⅓ for stationary blocks."""
    rng = np.random.default_rng(3)
    for memory, tolerance in ((0.3, 0.35), (0.7, 0.3)):
        found = np.mean([block_length(autoregressive(2_000, memory, rng)) for _ in range(40)])
        assert found == pytest.approx(
            (2 * memory / (1 - memory**2)) ** (2 / 3) * 2_000 ** (1 / 3), rel=tolerance
        )
    assert np.mean([block_length(rng.normal(size=2_000)) for _ in range(40)]) < 4.0
    slow = autoregressive(2_000, 0.7, rng)
    assert block_length(slow, Scheme.CIRCULAR) == pytest.approx(1.5 ** (1 / 3) * block_length(slow))
    assert block_length(np.full(50, 0.25)) == 1.0
    assert block_length(np.cumsum(rng.normal(size=300))) <= 3.0 * np.sqrt(300)


@pytest.mark.parametrize("memory", [0.0, 0.5])
@pytest.mark.parametrize("statistic", list(Statistic))
def test_p_values_of_noise_are_uniform_even_with_memory(memory: float, statistic: Statistic) -> None:
    rng = np.random.default_rng(4)
    found = np.array(
        [
            bootstrap_p_value(autoregressive(500, memory, rng), rng, statistic=statistic, resamples=199)
            for _ in range(400)
        ]
    )
    for rate, slack in ((0.05, 0.035), (0.1, 0.045), (0.5, 0.075)):
        assert np.mean(found <= rate) == pytest.approx(rate, abs=slack)


def test_without_blocks_memory_would_make_luck_look_like_skill() -> None:
    rng = np.random.default_rng(5)
    found = [
        bootstrap_p_value(autoregressive(500, 0.5, rng), rng, resamples=199, block=1.0) for _ in range(300)
    ]
    assert np.mean(np.array(found) <= 0.05) > 0.1


@pytest.mark.parametrize("statistic", list(Statistic))
def test_intervals_cover_the_true_value_as_often_as_they_say(statistic: Statistic) -> None:
    rng = np.random.default_rng(6)
    covered = 0
    for _ in range(400):
        found = bootstrap_interval(
            rng.normal(0.1, 1.0, 300), rng, statistic=statistic, level=0.9, resamples=199
        )
        assert found.low < found.estimate < found.high
        covered += found.low <= 0.1 <= found.high
    assert covered / 400 == pytest.approx(0.9, abs=0.05)


def test_a_strong_edge_has_the_smallest_p_value_there_is() -> None:
    rng = np.random.default_rng(7)
    assert bootstrap_p_value(rng.normal(0.3, 1.0, 1_000), rng, resamples=999) == 0.001


def test_one_seed_gives_one_answer() -> None:
    series = np.random.default_rng(8).normal(size=200)
    first, again, other = (bootstrap_p_value(series, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_ten_thousand_bars_and_a_thousand_resamples_take_less_than_a_second() -> None:
    rng = np.random.default_rng(9)
    series = rng.normal(size=10_000)
    began = time.process_time()
    bootstrap_p_value(series, rng, resamples=1_000, block=20.0)
    assert time.process_time() - began < 1.0


def test_resamples_that_cannot_be_drawn_are_refused() -> None:
    rng = np.random.default_rng(10)
    with pytest.raises(ConfigError, match="resampled"):
        next(resample_weights(10, 5, rng, block=11.0))
    with pytest.raises(ConfigError, match="level"):
        bootstrap_interval(np.arange(10.0), rng, level=1.0)


def test_series_that_stand_still_have_no_sharpe_ratio() -> None:
    rng = np.random.default_rng(11)
    assert bootstrap_p_value(np.zeros(50), rng) == 1.0
    assert resampled(np.full(50, 0.5), rng, statistic=Statistic.SHARPE, resamples=20).tolist() == [0.0] * 20
