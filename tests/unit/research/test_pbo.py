"""Block moments and cross-validation of the choice, against plain loops over the bars themselves."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from lanner.core.errors import ConfigError, DataError
from lanner.research.blocks import BlockMoments, block_edges, block_moments
from lanner.research.pbo import overfitting_probability
from tests.unit.research.noise import Floats


def sharpe(returns: Floats) -> float:
    return float(returns.mean() / returns.std(ddof=1)) if returns.std() > 0 else 0.0


def written_out(returns: Floats, blocks: int) -> tuple[list[float], list[float], list[float]]:
    """Return logits and the chosen variants' Sharpe ratios, from the definition, bar by bar."""
    edges = [bar * len(returns) // blocks for bar in range(blocks + 1)]
    logits, inside, outside = [], [], []
    for half in itertools.combinations(range(blocks), blocks // 2):
        mask = np.zeros(len(returns), dtype=bool)
        for block in half:
            mask[edges[block] : edges[block + 1]] = True
        before = [sharpe(column[mask]) for column in returns.T]
        after = [sharpe(column[~mask]) for column in returns.T]
        best = int(np.argmax(before))
        below = sum(value < after[best] - 1e-12 for value in after)
        ties = sum(abs(value - after[best]) <= 1e-12 for value in after) - 1
        omega = (1 + below + ties / 2) / (len(after) + 1)
        logits.append(math.log(omega / (1 - omega)))
        inside.append(before[best])
        outside.append(after[best])
    return logits, inside, outside


@pytest.mark.parametrize("seed", [1, 2])
def test_cross_validation_from_moments_is_that_of_the_bars(seed: int) -> None:
    rng = np.random.default_rng(seed)
    returns = rng.normal(0.0, 0.01, (200, 7)) + rng.normal(0.0, 0.001, 7)
    returns[:, 3] = returns[:, 2]  # equals share their rank
    returns[:, 5] = 0.0  # never traded
    logits, inside, outside = written_out(returns, 8)
    found = overfitting_probability(block_moments(returns, 8))
    assert found.logits == pytest.approx(logits, abs=1e-9)
    assert found.in_sample == pytest.approx(inside)
    assert found.out_of_sample == pytest.approx(outside)
    assert found.probability == pytest.approx(np.mean(np.array(logits) <= 1e-12))
    assert found.loss_probability == pytest.approx(np.mean(np.array(outside) < 0))
    slope, intercept = np.polyfit(inside, outside, 1)
    assert (found.slope, found.intercept) == pytest.approx((slope, intercept))


def test_variants_split_over_chunks_give_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    returns = np.random.default_rng(3).normal(0.0, 0.01, (320, 50))
    whole = overfitting_probability(block_moments(returns, 8))
    monkeypatch.setattr("lanner.research.pbo._BATCH", 70 * 7)
    parts = overfitting_probability(block_moments(returns, 8))
    assert parts.logits.tolist() == whole.logits.tolist()
    assert parts.chosen.tolist() == whole.chosen.tolist()


def test_choosing_from_noise_is_overfitting_in_half_of_the_splits() -> None:
    rng = np.random.default_rng(4)
    found = [overfitting_probability(block_moments(rng.normal(size=(640, 40)), 8)) for _ in range(60)]
    assert np.mean([one.probability for one in found]) == pytest.approx(0.5, abs=0.06)
    assert np.mean([one.loss_probability for one in found]) == pytest.approx(0.5, abs=0.06)
    # What one half has too much of, the other half lacks.
    assert np.mean([one.slope for one in found]) < -0.2


def test_choosing_the_one_real_edge_is_not_overfitting() -> None:
    returns = np.random.default_rng(5).normal(0.0, 0.01, (2_000, 40))
    returns[:, 11] += 0.003
    found = overfitting_probability(block_moments(returns, 16))
    assert found.probability == 0.0
    assert found.logits.size == 12_870
    assert set(found.chosen.tolist()) == {11}


def test_a_strategy_that_worked_in_one_spell_only_is_caught() -> None:
    """Each variant has its good quarter and loses elsewhere: the whole is flat, the best in sample fails outside."""
    rng = np.random.default_rng(6)
    returns = rng.normal(0.0, 0.01, (1_600, 16))
    for variant in range(16):
        spell = slice(100 * variant, 100 * variant + 100)
        returns[:, variant] -= 0.0003
        returns[spell, variant] += 0.006
    found = overfitting_probability(block_moments(returns, 16))
    assert found.probability > 0.75
    assert found.loss_probability > 0.75


def test_a_sample_of_splits_comes_near_to_all_of_them() -> None:
    returns = np.random.default_rng(7).normal(0.0, 0.01, (640, 30)) + np.linspace(0.0, 0.001, 30)
    moments = block_moments(returns, 16)
    every = overfitting_probability(moments)
    some = overfitting_probability(moments, np.random.default_rng(1), combinations_at_most=1_500)
    assert some.logits.size == 1_500
    assert some.probability == pytest.approx(every.probability, abs=0.04)
    again = overfitting_probability(moments, np.random.default_rng(1), combinations_at_most=1_500)
    assert again.logits.tolist() == some.logits.tolist()


def test_a_hundred_thousand_variants_need_no_memory_of_their_splits(tmp_path: Path) -> None:
    """Memory-mapped moments: 200 splits × 100,000 Sharpe ratios would be 160 MB each, several times over."""
    rng = np.random.default_rng(8)
    total = np.memmap(tmp_path / "total", dtype=np.float32, mode="w+", shape=(100_000, 8))
    square = np.memmap(tmp_path / "square", dtype=np.float32, mode="w+", shape=(100_000, 8))
    total[:] = rng.normal(0.0, 0.1, (100_000, 8))
    square[:] = 0.01
    moments = BlockMoments(np.full(8, 100), total, square)
    tracemalloc.start()
    found = overfitting_probability(moments)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.variants == 100_000
    assert peak < 150_000_000


def test_blocks_that_cannot_be_halved_are_refused() -> None:
    returns = np.random.default_rng(9).normal(size=(100, 3))
    with pytest.raises(ConfigError, match="halves"):
        overfitting_probability(block_moments(returns, 5))
    with pytest.raises(DataError, match="choose from"):
        overfitting_probability(block_moments(returns[:, :1], 4))
    with pytest.raises(ConfigError, match="seeded generator"):
        overfitting_probability(block_moments(returns, 8), combinations_at_most=10)


def test_block_moments_merge_and_keep_their_sharpe_ratios() -> None:
    returns = np.random.default_rng(10).normal(0.001, 0.01, (203, 5))
    returns[:, 4] = 0.0
    fine = block_moments(returns, 32)
    assert fine.bars == 203
    coarse = fine.merged(8)
    assert coarse.count.tolist() == np.diff(block_edges(203, 32)).reshape(8, 4).sum(axis=1).tolist()
    expected = [sharpe(column) for column in returns.T]
    assert fine.sharpes() == pytest.approx(expected)
    assert coarse.sharpes() == pytest.approx(expected)
    with pytest.raises(ConfigError, match="divisor"):
        fine.merged(5)


def test_the_mean_correlation_is_that_of_all_pairs() -> None:
    rng = np.random.default_rng(11)
    returns = rng.normal(size=(640, 1)) * 0.7 + rng.normal(size=(640, 12))
    moments = block_moments(returns, 64)
    pairs = np.corrcoef(moments.total)
    assert moments.mean_correlation() == pytest.approx(pairs[np.triu_indices(12, 1)].mean())
    assert block_moments(returns[:, :1], 64).mean_correlation() == 0.0


def test_moments_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(DataError, match="fit together"):
        BlockMoments(np.full(4, 10), np.zeros((2, 4)), np.zeros((2, 5)))
    with pytest.raises(DataError, match="every block"):
        BlockMoments(np.array([1, 0]), np.zeros((2, 2)), np.zeros((2, 2)))
    with pytest.raises(DataError, match="finite"):
        block_moments(np.full((100, 2), np.nan))
    with pytest.raises(ConfigError, match="too few bars"):
        block_moments(np.zeros((10, 2)), 8)
