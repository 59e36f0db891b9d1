"""Trades dealt again: laws of shuffling, known distributions, a written-out twin."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lanner.analysis.drawdown import max_drawdown
from lanner.core.errors import ConfigError, DataError
from lanner.research.montecarlo import Deal, simulate_trades


def test_the_observed_history_is_that_of_the_trades_as_they_came() -> None:
    trades = np.array([0.1, -0.2, 0.05, 0.3, -0.1])
    found = simulate_trades(trades, np.random.default_rng(1), histories=10)
    equity = np.concatenate(([1.0], np.cumprod(1.0 + trades)))
    assert found.observed_return == pytest.approx(equity[-1] - 1.0)
    assert found.observed_drawdown == pytest.approx(max_drawdown(equity))


def test_shuffling_changes_the_way_and_not_the_end() -> None:
    trades = np.random.default_rng(2).normal(0.01, 0.05, 50)
    found = simulate_trades(trades, np.random.default_rng(3), histories=500, deal=Deal.SHUFFLE)
    assert list(found.final_return.values()) == pytest.approx([found.observed_return] * 7)
    assert found.max_drawdown[5] < found.max_drawdown[95]


def test_shuffles_of_four_trades_come_near_to_all_their_orders() -> None:
    trades = np.array([0.2, -0.1, -0.15, 0.1])
    worst = [
        max_drawdown(np.concatenate(([1.0], np.cumprod(1.0 + np.array(order)))))
        for order in itertools.permutations(trades)
    ]
    found = simulate_trades(trades, np.random.default_rng(4), histories=20_000, deal=Deal.SHUFFLE)
    # 24 orders: the 5th and the 95th percentile lie inside one of them, not between two.
    low, high = np.percentile(np.repeat(np.array(worst, dtype=float), 800), (5, 95))
    assert (found.max_drawdown[5], found.max_drawdown[95]) == pytest.approx((low, high))
    smaller = np.mean(np.array(worst, dtype=float) < found.observed_drawdown - 1e-12)
    assert found.drawdown_rank == pytest.approx(smaller, abs=0.015)


def test_resampled_ends_have_the_spread_of_independent_trades() -> None:
    trades = np.random.default_rng(5).normal(0.002, 0.02, 400)
    found = simulate_trades(trades, np.random.default_rng(6), histories=8_000)
    logs = np.log1p(trades)
    middle, spread = logs.sum(), logs.std() * 20.0
    assert np.log1p(found.final_return[50]) == pytest.approx(middle, abs=0.02)
    assert np.log1p(found.final_return[95]) == pytest.approx(middle + 1.645 * spread, abs=0.05)
    assert np.log1p(found.final_return[5]) == pytest.approx(middle - 1.645 * spread, abs=0.05)


def test_ruin_is_as_likely_as_counting_says() -> None:
    """Three coin flips of ±50 %: half the account is gone after a first loss, or after a win and two losses."""
    found = simulate_trades(np.array([0.5, -0.5]), np.random.default_rng(7), histories=40_000, ruin_level=0.5)
    # Two trades each: ruined when the first loses (1/2); win then loss leaves 0.75.
    assert found.ruin == pytest.approx(0.5, abs=0.01)
    assert found.loss == pytest.approx(0.75, abs=0.01)
    wiped = simulate_trades(np.array([0.5, -1.5]), np.random.default_rng(8), histories=40_000, ruin_level=0.0)
    assert wiped.ruin == pytest.approx(0.75, abs=0.01)
    assert wiped.max_drawdown[99] == 1.0


@pytest.mark.parametrize("deal", list(Deal))
def test_blocks_keep_streaks_together(deal: Deal) -> None:
    streaks = np.tile(np.concatenate((np.full(7, 0.03), np.full(7, -0.03))), 7)
    alone = simulate_trades(streaks, np.random.default_rng(9), deal=deal)
    together = simulate_trades(streaks, np.random.default_rng(9), deal=deal, block=7)
    assert together.max_drawdown[50] > 1.3 * alone.max_drawdown[50]


def test_shuffled_blocks_of_uneven_length_deal_every_trade_once() -> None:
    trades = np.random.default_rng(10).normal(0.0, 0.05, 23)
    found = simulate_trades(trades, np.random.default_rng(11), histories=200, deal=Deal.SHUFFLE, block=4)
    assert list(found.final_return.values()) == pytest.approx([found.observed_return] * 7)


def test_one_seed_gives_one_answer() -> None:
    trades = np.random.default_rng(12).normal(0.01, 0.05, 30)
    first, again, other = (simulate_trades(trades, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_trades_that_cannot_be_dealt_are_refused() -> None:
    rng = np.random.default_rng(13)
    with pytest.raises(DataError, match="too few"):
        simulate_trades(np.array([0.1]), rng)
    for wrong in ({"block": 4}, {"histories": 0}, {"ruin_level": 1.0}):
        with pytest.raises(ConfigError, match="simulated"):
            simulate_trades(np.array([0.1, 0.2, 0.3]), rng, **wrong)
