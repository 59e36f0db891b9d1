"""Falls from peaks, months and years, attribution, rolling windows, comparison, and numbers as text."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.analysis import (
    METRICS,
    Unit,
    attribute,
    break_down,
    compare_metrics,
    drawdowns,
    is_exact,
    monthly_returns,
    show_fraction,
    show_metric,
    show_minutes,
    show_number,
    show_value,
    waterfall,
)
from lanner.analysis.drawdown import drawdown_series, max_drawdown_duration_days
from lanner.analysis.periods import NS_PER_DAY
from lanner.analysis.returns import rolling_sharpe, sharpe
from lanner.testkit.results import build_result


def days(*dates: str) -> np.ndarray:
    return np.array([np.datetime64(date, "ns").astype(np.int64) for date in dates])


def test_each_fall_knows_its_peak_valley_and_recovery() -> None:
    ts = NS_PER_DAY * np.arange(8, dtype=np.int64)
    falls = drawdowns(ts, np.array([100.0, 90.0, 80.0, 100.0, 120.0, 90.0, 60.0, 66.0]))
    assert [fall.depth for fall in falls] == pytest.approx([0.2, 0.5])
    assert [(fall.peak_ts // NS_PER_DAY, fall.valley_ts // NS_PER_DAY, fall.days) for fall in falls] == [
        (0, 2, 3.0),
        (4, 6, 3.0),
    ]
    assert falls[0].recovery_ts == 3 * NS_PER_DAY
    assert falls[1].recovery_ts is None


def test_the_longest_drawdown_runs_to_the_end_when_it_never_recovers() -> None:
    ts = NS_PER_DAY * np.arange(6, dtype=np.int64)
    assert max_drawdown_duration_days(ts, np.array([1.0, 2.0, 1.9, 1.8, 1.7, 1.6])) == 4.0


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=60))
def test_drawdown_is_zero_exactly_at_each_new_peak(values: list[float]) -> None:
    equity = np.array(values)
    fall = drawdown_series(equity)
    assert np.all((fall == 0.0) == (equity == np.maximum.accumulate(equity)))
    assert np.all((fall >= 0.0) & (fall < 1.0))


def test_months_compound_to_the_years_and_the_years_to_the_total() -> None:
    result = build_result()
    rows = monthly_returns(result.equity.ts, result.equity.equity)
    for row in rows:
        assert math.prod(1 + value for value in row.months if value is not None) == pytest.approx(
            1 + row.total
        )
    total = result.metrics["total_return"]
    assert total is not None
    assert math.prod(1 + row.total for row in rows) == pytest.approx(1 + total)


def test_the_close_at_midnight_of_new_year_belongs_to_the_old_year() -> None:
    ts = days("2023-12-30", "2023-12-31", "2024-01-01", "2024-01-02")
    rows = monthly_returns(ts, np.array([100.0, 110.0, 121.0, 60.5]))
    assert [row.year for row in rows] == [2023, 2024]
    assert rows[0].months[11] == pytest.approx(0.21)
    assert rows[1].months[0] == pytest.approx(-0.5)


def test_months_without_a_sample_are_blank() -> None:
    rows = monthly_returns(days("2023-01-01", "2023-01-15", "2023-04-15"), np.array([100.0, 110.0, 121.0]))
    months = rows[0].months
    assert [index for index, value in enumerate(months) if value is not None] == [0, 3]
    assert [months[0], months[3]] == pytest.approx([0.1, 0.1])


MONEY = st.decimals(min_value=-(10**30), max_value=10**30, places=18)


@given(total=MONEY, fees=MONEY, funding=MONEY, slippage=MONEY)
def test_attribution_sums_to_the_last_digit(
    total: Decimal, fees: Decimal, funding: Decimal, slippage: Decimal
) -> None:
    parts = attribute(total, fees=fees, funding=funding, slippage=slippage)
    assert is_exact(parts)
    steps = waterfall(parts)
    assert steps[-1].amount == total
    assert [step.start for step in steps[1:-1]] == [step.end for step in steps[:-2]]


def test_rolling_sharpe_equals_the_sharpe_of_each_window() -> None:
    series = np.random.default_rng(2).normal(0.0005, 0.01, 300)
    rolled = rolling_sharpe(series, 60, 365.0)
    assert np.all(np.isnan(rolled[:59]))
    for index in (59, 100, 299):
        assert rolled[index] == pytest.approx(sharpe(series[index - 59 : index + 1], 365.0), rel=1e-9)


def test_rolling_sharpe_has_no_value_where_nothing_moved() -> None:
    series = np.concatenate((np.full(50, 0.0), np.random.default_rng(2).normal(0, 0.01, 50)))
    rolled = rolling_sharpe(series, 20, 365.0)
    assert np.isnan(rolled[30])
    assert np.isfinite(rolled[99])


def test_slices_of_the_trades_add_up_to_the_whole() -> None:
    result = build_result(instruments=("BTC-PERP.HYPERLIQUID", "ETH-PERP.HYPERLIQUID"), strategies=("a", "b"))
    slices = break_down(result.round_trips, lambda trip: trip.strategy_id)
    assert sorted(piece.key for piece in slices) == ["a", "b"]
    assert sum(piece.net_profit for piece in slices) == pytest.approx(result.metrics["net_profit"])
    assert sum(piece.trades for piece in slices) == len(result.round_trips)
    assert slices[0].net_profit >= slices[1].net_profit


def test_comparison_marks_the_best_run_in_the_direction_that_is_better() -> None:
    rows = compare_metrics(
        [
            {"sharpe": 1.0, "max_drawdown": 0.2, "turnover": 3.0},
            {"sharpe": 2.0, "max_drawdown": 0.3, "turnover": 1.0},
        ],
        ["sharpe", "max_drawdown", "turnover"],
    )
    assert [row.best for row in rows] == [(1,), (0,), ()]
    assert rows[0].change == 1.0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00"),
        (-0.0, "0.00"),
        (-0.001, "−0.001"),
        (1234.5, "1,234.50"),
        (-1234567.0, "−1,234,567"),
        (0.057, "0.057"),
        (0.00001234, "0.00001234"),
        (1e-9, "1.000e-09"),
        (1.5e15, "1.500e+15"),
    ],
)
def test_numbers_read_well_at_any_size(value: float, text: str) -> None:
    assert show_number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1234, "12.34%"),
        (-0.05, "−5.00%"),
        (250.0, "25,000%"),
        (1e9, "1.00e+11%"),
        (0.0, "0.00%"),
        (0.00002, "0.002%"),
    ],
)
def test_fractions_read_as_percentages(value: float, text: str) -> None:
    assert show_fraction(value) == text


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (0.0, "0s"),
        (0.5, "30s"),
        (0.002, "0.12s"),
        (60.0, "1h"),
        (90.0, "1h 30m"),
        (1500.0, "1d 1h"),
        (1e6, "694d"),
    ],
)
def test_durations_use_the_two_units_that_fit(minutes: float, text: str) -> None:
    assert show_minutes(minutes) == text


def test_wins_without_a_loss_are_infinite_and_no_trades_are_a_dash() -> None:
    assert (
        show_metric("profit_factor", {"profit_factor": None, "total_profit": 5.0, "total_loss": 0.0}) == "∞"
    )
    assert (
        show_metric("profit_factor", {"profit_factor": None, "total_profit": 0.0, "total_loss": 0.0}) == "–"
    )


@pytest.mark.parametrize("unit", list(Unit))
@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_is_not_defined_is_a_dash_in_every_unit(unit: Unit, value: float | None) -> None:
    assert show_value(unit, value) == "–"


def test_every_metric_of_a_run_fits_into_a_narrow_column() -> None:
    result = build_result(start_equity="1000000000000000.12", bars=900)
    for name in METRICS:
        assert len(show_metric(name, result.metrics)) <= 14, name
