"""Objectives against the metrics registry, and what a ranking does where a metric has no value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.analysis import EquityCurve, RoundTrip, compute_metrics
from lanner.analysis.sample import Sample, build_sample
from lanner.core.errors import ConfigError, InternalFaultError
from lanner.research.objectives import (
    NO_LOSS_FACTOR,
    OBJECTIVES,
    STREAMING,
    WHOLE_CURVE,
    Direction,
    objective,
    ranked,
    run_statistics,
    sample_statistics,
)
from tests.unit.research.noise import Floats

HOUR = 3_600_000_000_000


def trip(number: int, pnl: float) -> RoundTrip:
    return RoundTrip(
        id=number, instrument_id="BTC-USDT.BINANCE", strategy_id="s", side=1, entry_ts=number * HOUR,
        exit_ts=(number + 1) * HOUR, entry_px=100.0, exit_px=100.0 + pnl, qty=1.0, pnl=pnl, pnl_gross=pnl, fees=0.0,
        funding=0.0, slippage=0.0, return_frac=pnl / 100.0, entry_reason="", exit_reason="", open=False, mae=0.0,
        mfe=0.0,
    )  # fmt: skip


def run(values: object, pnl: Floats) -> tuple[Sample, dict[str, float | None]]:
    equity = np.asarray(values, dtype=np.float64)
    curve = EquityCurve(np.arange(equity.size, dtype=np.int64) * HOUR, equity, None, np.ones(equity.size))
    trips = [trip(number, float(value)) for number, value in enumerate(pnl)]
    start = float(equity[0])
    return build_sample(curve, trips, [], start), compute_metrics(curve, trips, [], start)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("seed", range(5))
def test_a_score_is_the_metric_of_the_same_name(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    equity = 10_000.0 * np.cumprod(1.0 + rng.normal(0.0002, 0.01, 500))
    sample, metrics = run(equity, rng.normal(5.0, 100.0, 40))
    score = float(objective(name).score(sample_statistics(sample)))
    metric = metrics[name]
    assert metric is not None
    wanted = -metric if OBJECTIVES[name].direction is Direction.MINIMISE else metric
    if name == "stability" and (metrics["total_return"] or 0.0) < 0.0:
        wanted = -metric
    assert score == pytest.approx(wanted, rel=1e-12)


@given(st.lists(st.floats(-0.3, 0.3), min_size=2, max_size=60), st.lists(st.floats(-50, 50), max_size=8))
def test_wherever_the_metric_has_a_value_the_score_is_it(steps: list[float], pnl: list[float]) -> None:
    equity = 1_000.0 * np.cumprod(np.concatenate(([1.0], 1.0 + np.array(steps))))
    sample, metrics = run(equity, np.array(pnl))
    statistics = sample_statistics(sample)
    for name, one in OBJECTIVES.items():
        metric, score = metrics[name], float(one.score(statistics))
        if metric is None or name == "stability":
            continue
        if name == "max_drawdown":
            assert math.isnan(score) if not statistics["sigma"] > 0 else score == -metric
        else:
            assert score == pytest.approx(metric, rel=1e-9, abs=1e-12)


def test_many_variants_at_once_score_as_each_alone() -> None:
    rng = np.random.default_rng(1)
    alone = []
    for _ in range(30):
        equity = 1_000.0 * np.cumprod(1.0 + rng.normal(0.0, 0.01, 200))
        sample, _ = run(equity, rng.normal(0.0, 10.0, int(rng.integers(0, 20))))
        alone.append(sample_statistics(sample))
    table = {name: np.array([statistics[name] for statistics in alone]) for name in alone[0]}
    for one in OBJECTIVES.values():
        together = one.score(table)
        assert together.shape == (30,)
        assert together == pytest.approx(np.array([float(one.score(row)) for row in alone]), nan_ok=True)


def test_where_nothing_was_lost_the_gain_counts_ten_times() -> None:
    sample, metrics = run(1_000.0 * 1.01 ** np.arange(100), np.array([5.0, 10.0]))
    statistics = sample_statistics(sample)
    assert sample.periods is not None
    assert sample.annual is not None
    yearly = statistics["mean"] * sample.periods
    for name, wanted in (
        ("sortino", 10.0 * yearly), ("omega", 10.0 * float(sample.returns.sum())), ("calmar", 10.0 * sample.annual),
        ("profit_factor", NO_LOSS_FACTOR),
    ):  # fmt: skip
        assert metrics[name] is None
        assert float(objective(name).score(statistics)) == pytest.approx(wanted)
    constant = objective("sharpe").score({"mean": 0.01, "sigma": 0.0, "periods": 100.0})
    assert float(constant) == pytest.approx(10.0)


def test_a_variant_that_did_nothing_is_not_ranked() -> None:
    sample, _ = run(np.full(50, 1_000.0), np.empty(0))
    statistics = sample_statistics(sample)
    for name in OBJECTIVES:
        score = float(objective(name).score(statistics))
        if name in {"net_profit", "total_return"}:
            assert score == 0.0
        else:
            assert math.isnan(score), name


def test_a_steady_loser_is_not_stable() -> None:
    sample, metrics = run(
        1_000.0 * np.exp(-0.01 * np.arange(100) + 0.001 * np.sin(np.arange(100))), np.array([-5.0])
    )
    stability = metrics["stability"]
    assert stability is not None
    assert stability > 0.99
    assert float(objective("stability").score(sample_statistics(sample))) == -stability


def test_variants_with_too_few_trades_are_not_ranked() -> None:
    table = {"won": np.array([5.0, 50.0]), "lost": np.array([0.0, 40.0]), "trades": np.array([1.0, 30.0])}
    factor = objective("profit_factor")
    assert ranked(factor.score(table)).tolist() == [0, 1]
    assert ranked(factor.score(table, min_trades=10)).tolist() == [1, 0]
    assert math.isnan(factor.score(table, min_trades=10)[0])


def test_every_need_is_a_statistic_that_a_run_has() -> None:
    known = set(STREAMING) | set(WHOLE_CURVE)
    assert {need for one in OBJECTIVES.values() for need in one.needs} <= known
    given_by_a_run = run_statistics(
        np.zeros(3), np.empty(0), periods=1.0, growth=0.0, annual=0.0, max_drawdown=0.0
    )
    assert set(given_by_a_run) == known
    assert {name for name, one in OBJECTIVES.items() if not one.streaming} == {"tail_ratio", "stability"}


def test_an_unknown_objective_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"mean 'sortino'"):
        objective("sortno")
    with pytest.raises(InternalFaultError, match="sigma"):
        objective("sharpe").score({"mean": 1.0})


def test_ranking_puts_the_best_first_ties_in_order_and_the_unranked_last() -> None:
    scores = np.array([1.0, math.nan, 3.0, 3.0, -2.0])
    assert ranked(scores).tolist() == [2, 3, 0, 4, 1]
    assert ranked(scores, 2).tolist() == [2, 3]
