"""The best of many against luck: nominal rates, power, and a written-out twin."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from lanner.core.errors import ConfigError, DataError
from lanner.research.blocks import BlockMoments, block_moments
from lanner.research.bootstrap import resample_weights
from lanner.research.selection import superior_ability, superior_ability_of_blocks
from tests.unit.research.noise import Floats, cross_returns, white_noise


def test_the_test_is_that_of_its_formula_written_out() -> None:
    rng = np.random.default_rng(1)
    returns = rng.normal(0.0, 0.01, (150, 6)) + np.array([0.0, 0.001, -0.004, 0.0005, -0.001, 0.0])
    found = superior_ability(returns, np.random.default_rng(9), resamples=200, block=5.0)
    weights = np.concatenate(list(resample_weights(150, 200, np.random.default_rng(9), block=5.0)))
    mean = returns.mean(axis=0)
    drawn = np.array([[row @ returns[:, k] / 150 for k in range(6)] for row in weights])
    spread = drawn.std(axis=0)
    t = mean / (spread * np.sqrt(150 / 145))
    bad = -np.sqrt(2 * np.log(np.log(150)))
    maxima: dict[str, list[float]] = {"lower": [], "consistent": [], "upper": [], "plain": []}
    for row in drawn:
        z = (row - mean) / spread
        maxima["upper"].append(max(0.0, *z))
        maxima["consistent"].append(max(0.0, *(z + np.where(t < bad, t, 0.0))))
        maxima["lower"].append(max(0.0, *(z + np.minimum(t, 0.0))))
        maxima["plain"].append(max(0.0, *(row - mean)))
    assert found.statistic == pytest.approx(t.max())
    assert found.judged == int(np.argmax(t))
    for p, kind in ((found.p_value, "consistent"), (found.p_lower, "lower"), (found.p_upper, "upper")):
        assert p == pytest.approx((1 + np.sum(np.array(maxima[kind]) >= t.max())) / 201)
    assert found.p_reality_check == pytest.approx((1 + np.sum(np.array(maxima["plain"]) >= mean.max())) / 201)


def fat(rng: np.random.Generator) -> Floats:
    return cross_returns(0.01 * rng.standard_t(3, 1_000))


def related(rng: np.random.Generator) -> Floats:
    return cross_returns(white_noise(1_000, rng))


def unrelated(rng: np.random.Generator) -> Floats:
    return rng.normal(0.0, 0.01, (512, 80))


@pytest.mark.parametrize("draw", [related, unrelated, fat])
def test_on_noise_the_best_of_many_is_rejected_no_more_often_than_it_may(
    draw: Callable[[np.random.Generator], Floats],
) -> None:
    rng = np.random.default_rng(2)
    bars, blocks = [], []
    for number in range(300):
        returns = draw(rng)
        blocks.append(superior_ability_of_blocks(block_moments(returns, 64), rng, resamples=199).p_value)
        if number < 150:
            bars.append(superior_ability(returns, rng, resamples=199, block=1.0).p_value)
    for found, most in ((np.array(blocks), 0.085), (np.array(bars), 0.1)):
        assert np.mean(found <= 0.05) <= most
        assert np.mean(found <= 0.5) == pytest.approx(0.5, abs=0.12)


def test_a_naive_test_of_the_winner_would_be_fooled() -> None:
    """What the machinery is for: the winner's own t-test rejects most of the time where there is nothing."""
    rng = np.random.default_rng(3)
    naive = 0
    for _ in range(100):
        returns = unrelated(rng)
        naive += (returns.mean(axis=0) / returns.std(axis=0) * np.sqrt(512)).max() > 1.645
    assert naive > 90


def test_one_good_among_many_is_found_and_named() -> None:
    rng = np.random.default_rng(4)
    returns = rng.normal(0.0, 0.01, (2_000, 300))
    returns[:, 123] += 0.0014
    for found in (
        superior_ability(returns, rng),
        superior_ability_of_blocks(block_moments(returns, 64), rng),
    ):
        assert found.judged == 123
        assert found.p_value < 0.01
        assert found.p_lower <= found.p_value <= found.p_upper


def test_hopeless_variants_do_not_blunt_the_test() -> None:
    """Hansen's point against the reality check: bad and wild company hides a good strategy there, not here."""
    rng = np.random.default_rng(5)
    good = rng.normal(0.0008, 0.01, (1_500, 1))
    wild = rng.normal(-0.03, 0.1, (1_500, 200))
    found = superior_ability(np.concatenate((good, wild), axis=1), rng)
    assert found.p_value < 0.05 < found.p_reality_check


def test_another_choice_than_the_best_is_judged_by_its_own_value() -> None:
    rng = np.random.default_rng(6)
    returns = rng.normal(0.0, 0.01, (1_000, 20))
    returns[:, 3] += 0.002
    moments = block_moments(returns, 64)
    best = superior_ability_of_blocks(moments, np.random.default_rng(1))
    other = superior_ability_of_blocks(moments, np.random.default_rng(1), chosen=7)
    same = superior_ability_of_blocks(moments, np.random.default_rng(1), chosen=3)
    assert same == best
    assert (best.judged, other.judged) == (3, 7)
    assert other.p_value > best.p_value


def test_variants_split_over_chunks_give_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = block_moments(np.random.default_rng(7).normal(size=(640, 90)), 64)
    whole = superior_ability_of_blocks(moments, np.random.default_rng(1), resamples=100)
    monkeypatch.setattr("lanner.research.selection._BATCH", 700)
    parts = superior_ability_of_blocks(moments, np.random.default_rng(1), resamples=100)
    assert parts.p_value == whole.p_value
    assert parts.statistic == pytest.approx(whole.statistic)


def test_losing_and_idle_variants_prove_nothing() -> None:
    rng = np.random.default_rng(8)
    assert superior_ability(rng.normal(-0.01, 0.01, (200, 3)), rng, block=1.0).p_value == 1.0
    assert superior_ability(np.zeros((200, 3)), rng, block=1.0).p_value == 1.0


def test_ten_thousand_bars_and_a_thousand_resamples_take_about_a_second() -> None:
    returns = np.random.default_rng(9).normal(size=(10_000, 50))
    began = time.process_time()
    superior_ability_of_blocks(block_moments(returns, 64), np.random.default_rng(1), resamples=1_000)
    assert time.process_time() - began < 1.0


def test_what_cannot_be_tested_is_refused() -> None:
    rng = np.random.default_rng(10)
    with pytest.raises(DataError, match="rows"):
        superior_ability_of_blocks(BlockMoments(np.full(16, 10), np.ones((2, 16)), np.ones((2, 16))), rng)
    with pytest.raises(DataError, match="matrix"):
        superior_ability(np.zeros(100), rng)
    with pytest.raises(ConfigError, match="no such variant"):
        superior_ability(rng.normal(size=(100, 3)), rng, chosen=3)
