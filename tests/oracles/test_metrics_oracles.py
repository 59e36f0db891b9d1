"""Our metrics against what empyrical-reloaded and quantstats printed for the same real returns."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lanner.analysis import METRICS, EquityCurve, compute_metrics, drawdown, returns, trades
from lanner.analysis.account import time_in_market
from lanner.analysis.periods import NS_PER_DAY


@pytest.fixture(scope="module")
def oracle(shared_data: Path) -> dict[str, Any]:
    file = shared_data / "oracles" / "metrics" / "btc_coinbase_daily.json"
    document: dict[str, Any] = json.loads(file.read_text())
    return document


@pytest.fixture(scope="module")
def series(oracle: dict[str, Any]) -> np.ndarray:
    return np.array([float(value) for value in oracle["returns"]])


@pytest.fixture(scope="module")
def equity(series: np.ndarray) -> np.ndarray:
    return np.concatenate(([1.0], np.cumprod(1.0 + series)))


@pytest.fixture(scope="module")
def metrics(equity: np.ndarray) -> dict[str, float | None]:
    ts = 1_417_392_000_000_000_000 + NS_PER_DAY * np.arange(equity.size, dtype=np.int64)
    curve = EquityCurve(ts, equity * 10_000.0, None, np.ones(equity.size))
    return compute_metrics(curve, [], [], 10_000.0)


EMPYRICAL = {
    "cum_returns_final": "total_return",
    "annual_return_cagr": "annualized_return",
    "annual_volatility": "volatility",
    "sharpe": "sharpe",
    "sortino": "sortino",
    "calmar": "calmar",
    "omega": "omega",
    "downside_risk": "downside_risk",
    "tail_ratio": "tail_ratio",
    "stability": "stability",
    "var_5pct": "value_at_risk",
    "cvar_5pct": "conditional_value_at_risk",
}
QUANTSTATS = {
    "cagr": "annualized_return",
    "sharpe": "sharpe",
    "sortino": "sortino",
    "volatility": "volatility",
    "calmar": "calmar",
    "ulcer_index": "ulcer_index",
    "recovery_factor": "recovery_factor",
    "skew": "skew",
    "kurtosis_excess": "kurtosis",
    "gain_to_pain": "gain_to_pain",
    "tail_ratio": "tail_ratio",
    "best": "best_day",
    "worst": "worst_day",
    "win_rate": "positive_days",
}


@pytest.mark.parametrize(("theirs", "ours"), EMPYRICAL.items())
def test_metric_equals_empyrical(
    theirs: str, ours: str, oracle: dict[str, Any], metrics: dict[str, float | None]
) -> None:
    assert metrics[ours] == pytest.approx(oracle["results"]["empyrical_reloaded"][theirs], rel=1e-9)


@pytest.mark.parametrize(("theirs", "ours"), QUANTSTATS.items())
def test_metric_equals_quantstats(
    theirs: str, ours: str, oracle: dict[str, Any], metrics: dict[str, float | None]
) -> None:
    assert metrics[ours] == pytest.approx(oracle["results"]["quantstats"][theirs], rel=1e-9)


def test_max_drawdown_equals_both_with_the_sign_turned(
    oracle: dict[str, Any], metrics: dict[str, float | None]
) -> None:
    for peer in ("empyrical_reloaded", "quantstats"):
        assert metrics["max_drawdown"] == pytest.approx(-oracle["results"][peer]["max_drawdown"], rel=1e-9)


@pytest.mark.parametrize(
    ("theirs", "function"),
    [
        ("profit_factor", trades.profit_factor),
        ("payoff_ratio", trades.payoff_ratio),
        ("kelly", trades.kelly),
        ("consecutive_wins", trades.max_consecutive_wins),
        ("consecutive_losses", trades.max_consecutive_losses),
        ("best", returns.best),
        ("worst", returns.worst),
    ],
)
def test_trade_statistics_equal_quantstats_when_each_return_is_a_trade(
    theirs: str, function: Any, oracle: dict[str, Any], series: np.ndarray
) -> None:
    assert function(series) == pytest.approx(oracle["results"]["quantstats"][theirs], rel=1e-9)


def test_time_in_market_equals_quantstats_exposure_after_its_rounding_up(
    oracle: dict[str, Any], series: np.ndarray
) -> None:
    share = time_in_market(series)
    assert share is not None
    assert math.ceil(share * 100) / 100 == oracle["results"]["quantstats"]["exposure"]


def test_no_metric_of_a_real_series_is_infinite_or_not_a_number(metrics: dict[str, float | None]) -> None:
    assert set(metrics) == set(METRICS)
    assert all(value is None or math.isfinite(value) for value in metrics.values())


def test_the_oracle_has_no_number_that_is_left_unchecked(oracle: dict[str, Any]) -> None:
    by_hand = {
        "max_drawdown",
        "profit_factor",
        "payoff_ratio",
        "kelly",
        "consecutive_wins",
        "consecutive_losses",
    }
    assert set(oracle["results"]["empyrical_reloaded"]) <= set(EMPYRICAL) | by_hand
    assert set(oracle["results"]["quantstats"]) <= set(QUANTSTATS) | by_hand | {"exposure"}


def test_drawdown_of_the_curve_never_leaves_the_unit_interval(equity: np.ndarray) -> None:
    fall = drawdown.drawdown_series(equity)
    assert fall.min() == 0.0
    assert fall.max() < 1.0
