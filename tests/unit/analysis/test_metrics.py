"""Metrics of hand-made runs whose answers can be worked out on paper, and of runs that hardly are any."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanner.analysis import METRICS, EquityCurve, FillRow, RoundTrip, Unit, compute_metrics
from lanner.analysis.periods import NS_PER_DAY, last_of_each_day, periods_per_year
from lanner.testkit.results import HOUR_NS, START_NS, build_result

DAY = NS_PER_DAY


def curve(values: list[float], spacing: int = DAY, benchmark: list[float] | None = None) -> EquityCurve:
    size = len(values)
    return EquityCurve(
        ts=START_NS + spacing * np.arange(size, dtype=np.int64),
        equity=np.array(values, dtype=np.float64),
        benchmark=None if benchmark is None else np.array(benchmark, dtype=np.float64),
        exposure=np.zeros(size),
    )


def trip(number: int, pnl: float, *, side: int = 1, minutes: int = 60, is_open: bool = False) -> RoundTrip:
    entry = START_NS + number * HOUR_NS
    return RoundTrip(
        id=number, instrument_id="BTC-USDT.BINANCE", strategy_id="s", side=side, entry_ts=entry,
        exit_ts=entry + minutes * 60_000_000_000, entry_px=100.0, exit_px=100.0 + pnl, qty=1.0, pnl=pnl,
        pnl_gross=pnl, fees=0.0, funding=0.0, slippage=0.0, return_frac=pnl / 100.0, entry_reason="in",
        exit_reason="out", open=is_open, mae=-0.01, mfe=0.02,
    )  # fmt: skip


def fill(px: float, qty: float, *, fee: float = 0.0, liquidity: str = "taker") -> FillRow:
    return FillRow(START_NS, "X", "s", "o", "t", 1, px, qty, fee, "USDT", liquidity, 0.0, "")


def test_trade_statistics_of_five_trips_are_those_worked_out_by_hand() -> None:
    trips = [trip(n, pnl) for n, pnl in enumerate([10.0, -5.0, 20.0, 30.0, -15.0])]
    m = compute_metrics(curve([1000.0, 1010.0, 1005.0, 1025.0, 1055.0, 1040.0]), trips, [], 1000.0)
    expected = {
        "total_profit": 60.0, "total_loss": 20.0, "net_profit": 40.0, "profit_factor": 3.0, "average_profit": 20.0,
        "average_loss": 10.0, "payoff_ratio": 2.0, "expectancy": 8.0, "total_trades": 5.0, "winning_trades": 3.0,
        "losing_trades": 2.0, "win_rate": 0.6, "max_consecutive_wins": 2.0, "max_consecutive_losses": 1.0,
        "kelly": 0.4, "best_trade": 30.0, "worst_trade": -15.0, "average_hold_time_minutes": 60.0,
        "average_trade_interval_minutes": 60.0, "initial_capital": 1000.0, "final_equity": 1040.0,
        "equity_peak": 1055.0, "equity_trough": 1000.0, "backtest_days": 5.0, "average_mae": -0.01,
        "average_mfe": 0.02,
    }  # fmt: skip
    assert {name: m[name] for name in expected} == pytest.approx(expected)
    assert m["max_drawdown"] == pytest.approx(15 / 1055)
    assert m["total_return"] == pytest.approx(0.04)
    assert m["annualized_return"] == pytest.approx(1.04 ** (365 / 5) - 1)


def test_risk_adjusted_score_mixes_sharpe_profit_factor_and_win_rate() -> None:
    trips = [trip(0, 10.0), trip(1, -5.0)]
    m = compute_metrics(curve([1000.0, 1010.0, 1005.0]), trips, [], 1000.0)
    assert m["sharpe"] is not None
    assert m["risk_adjusted"] == pytest.approx(0.5 * m["sharpe"] + 0.3 * 2.0 / 3.0 + 0.2 * 0.5)


def test_sortino_divides_by_the_downside_of_all_samples() -> None:
    values = [100.0, 110.0, 99.0, 108.9]
    m = compute_metrics(curve(values), [], [], 100.0)
    downside = math.sqrt(0.01 / 3) * math.sqrt(365)
    assert m["sortino"] == pytest.approx((0.1 / 3) * 365 / downside)


@pytest.mark.parametrize("minutes", [1, 60, 1440])
def test_annualisation_follows_the_real_spacing_of_the_bars(minutes: int) -> None:
    ts = START_NS + minutes * 60_000_000_000 * np.arange(50, dtype=np.int64)
    assert periods_per_year(ts) == pytest.approx(365 * 1440 / minutes)


def test_gaps_in_the_data_do_not_change_the_annualisation() -> None:
    ts = START_NS + HOUR_NS * np.arange(100, dtype=np.int64)
    ts[60:] += 30 * DAY
    assert periods_per_year(ts) == pytest.approx(8760.0)


def test_hourly_curve_measured_daily_equals_the_curve_of_its_midnights() -> None:
    rng = np.random.default_rng(3)
    hourly = 1000.0 * np.exp(np.cumsum(rng.normal(0, 0.01, 24 * 40)))
    hourly = np.concatenate(([1000.0], hourly))
    daily = compute_metrics(curve(hourly.tolist(), HOUR_NS), [], [], 1000.0, daily=True)
    midnights = compute_metrics(curve(hourly[::24].tolist(), DAY), [], [], 1000.0)
    for name in ("sharpe", "sortino", "volatility", "value_at_risk", "skew"):
        assert daily[name] == pytest.approx(midnights[name])


def test_a_sample_at_midnight_closes_the_day_before_it() -> None:
    ts = START_NS + HOUR_NS * np.arange(49, dtype=np.int64)
    assert last_of_each_day(ts).tolist() == [0, 24, 48]


def test_a_curve_that_begins_after_the_first_change_still_counts_it() -> None:
    m = compute_metrics(curve([900.0, 950.0, 990.0]), [], [], 1000.0)
    assert m["total_return"] == pytest.approx(-0.01)
    assert m["max_drawdown"] == pytest.approx(0.1)
    assert m["worst_day"] == pytest.approx(-0.1)


def test_open_positions_count_apart_from_closed_trips() -> None:
    m = compute_metrics(curve([1000.0, 1005.0]), [trip(0, 5.0), trip(1, -50.0, is_open=True)], [], 1000.0)
    assert (m["total_trades"], m["open_trades"], m["net_profit"]) == (1.0, 1.0, 5.0)


def test_long_and_short_trips_are_told_apart() -> None:
    trips = [trip(0, 5.0), trip(1, -2.0), trip(2, 7.0, side=-1)]
    m = compute_metrics(curve([1000.0, 1010.0]), trips, [], 1000.0)
    assert (m["long_trades"], m["long_net_profit"], m["long_win_rate"]) == (2.0, 3.0, 0.5)
    assert (m["short_trades"], m["short_net_profit"], m["short_win_rate"]) == (1.0, 7.0, 1.0)


def test_turnover_fee_rate_and_maker_share_come_from_the_fills() -> None:
    fills = [fill(100.0, 3.0, fee=0.3), fill(100.0, 1.0, fee=-0.1, liquidity="maker")]
    m = compute_metrics(curve([200.0, 200.0]), [], fills, 200.0)
    assert m["turnover"] == pytest.approx(2.0)
    assert m["annual_turnover"] == pytest.approx(730.0)
    assert m["total_commission"] == pytest.approx(0.2)
    assert m["fee_rate"] == pytest.approx(0.0005)
    assert m["maker_share"] == pytest.approx(0.25)


def test_total_fees_of_the_run_replace_the_sum_over_fills_of_mixed_currencies() -> None:
    m = compute_metrics(curve([200.0, 200.0]), [], [fill(100.0, 1.0, fee=0.001)], 200.0, fees=0.1)
    assert m["total_commission"] == 0.1


def test_twice_the_benchmark_has_a_beta_of_two_and_no_alpha() -> None:
    rng = np.random.default_rng(5)
    moves = rng.normal(0.001, 0.02, 300)
    run = np.concatenate(([100.0], 100.0 * np.cumprod(1 + 2 * moves)))
    other = np.concatenate(([100.0], 100.0 * np.cumprod(1 + moves)))
    m = compute_metrics(curve(run.tolist(), benchmark=other.tolist()), [], [], 100.0)
    assert m["beta"] == pytest.approx(2.0)
    assert m["alpha"] == pytest.approx(0.0, abs=1e-9)
    assert m["correlation"] == pytest.approx(1.0)
    assert m["information_ratio"] == pytest.approx(
        float(np.mean(moves) / np.std(moves, ddof=1)) * math.sqrt(365)
    )
    assert m["benchmark_return"] == pytest.approx(other[-1] / 100 - 1)


DEGENERATE = {
    "nothing": curve([]),
    "one point": curve([1000.0]),
    "two points": curve([1000.0, 1001.0]),
    "flat": curve([1000.0] * 20, benchmark=[1000.0] * 20),
    "ruined": curve([1000.0, 10.0, 0.0, 0.0]),
    "below zero": curve([1000.0, 400.0, -250.0, -100.0, 50.0]),
    "only gains": curve([1000.0, 1100.0, 1200.0, 1300.0, 1500.0]),
    "only losses": curve([1000.0, 900.0, 800.0, 700.0]),
    "one instant": EquityCurve(np.full(3, START_NS), np.array([1000.0, 1001.0, 999.0]), None, np.zeros(3)),
    "a blank benchmark": curve([1000.0, 1001.0, 999.0], benchmark=[math.nan, 1.0, 2.0]),
}


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.parametrize(
    "trips", [[], [trip(0, 5.0)], [trip(0, 5.0), trip(1, 6.0)], [trip(0, 0.0)], [trip(0, -4.0)]]
)
def test_degenerate_runs_give_numbers_or_none_and_never_a_warning(case: str, trips: list[RoundTrip]) -> None:
    m = compute_metrics(DEGENERATE[case], trips, [], 1000.0)
    assert set(m) == set(METRICS)
    assert all(value is None or math.isfinite(value) for value in m.values())


def test_ratios_without_a_denominator_are_none_and_not_a_made_up_number() -> None:
    m = compute_metrics(DEGENERATE["only gains"], [trip(0, 5.0), trip(1, 6.0)], [], 1000.0)
    for name in (
        "sortino",
        "omega",
        "calmar",
        "profit_factor",
        "payoff_ratio",
        "gain_to_pain",
        "recovery_factor",
    ):
        assert m[name] is None, name
    flat = compute_metrics(DEGENERATE["flat"], [], [], 1000.0)
    for name in (
        "sharpe",
        "stability",
        "skew",
        "kurtosis",
        "beta",
        "win_rate",
        "expectancy",
        "risk_adjusted",
    ):
        assert flat[name] is None, name
    assert flat["volatility"] == 0.0


def test_a_constant_return_has_no_sharpe_ratio_made_of_rounding_errors() -> None:
    m = compute_metrics(curve([1000.0 * 1.01**n for n in range(200)]), [], [], 1000.0)
    assert m["sharpe"] is None or m["sharpe"] > 1e6
    assert m["stability"] == pytest.approx(1.0)


def test_negative_equity_is_a_drawdown_of_more_than_everything() -> None:
    m = compute_metrics(DEGENERATE["below zero"], [], [], 1000.0)
    assert m["max_drawdown"] == pytest.approx(1.25)
    assert m["total_return"] == pytest.approx(-0.95)


def test_losing_everything_is_an_annual_return_of_minus_one() -> None:
    m = compute_metrics(DEGENERATE["ruined"], [], [], 1000.0)
    assert m["total_return"] == -1.0
    assert m["annualized_return"] == -1.0


def test_less_than_a_day_is_not_annualised() -> None:
    m = compute_metrics(curve([1000.0, 1100.0], HOUR_NS), [], [], 1000.0)
    assert m["annualized_return"] is None
    assert m["calmar"] is None


def test_a_thousand_trades_take_less_than_a_tenth_of_a_second() -> None:
    result = build_result(bars=18_000, hold=(2, 16), seed=1)
    assert len(result.round_trips) > 1000
    compute_metrics(result.equity, result.round_trips, result.fills, 100_000.0)
    best = math.inf
    for _ in range(5):
        start = time.process_time()
        compute_metrics(result.equity, result.round_trips[:1000], result.fills[:2000], 100_000.0)
        best = min(best, time.process_time() - start)
    assert best < 0.1


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(-1e12, 1e12, allow_nan=False), max_size=30),
    pnl=st.lists(st.floats(-1e9, 1e9, allow_nan=False), max_size=12),
    start=st.floats(1e-6, 1e12),
)
def test_any_curve_and_any_trips_give_finite_numbers_or_none(
    values: list[float], pnl: list[float], start: float
) -> None:
    m = compute_metrics(curve(values), [trip(n, value) for n, value in enumerate(pnl)], [], start)
    assert all(value is None or math.isfinite(value) for value in m.values())
    if pnl:
        assert m["net_profit"] == pytest.approx((m["total_profit"] or 0) - (m["total_loss"] or 0), abs=1e-3)


def test_every_metric_explains_itself() -> None:
    assert len(METRICS) >= 37
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.formula, name
        assert metric.source, name
        assert len(metric.summary) > 10, name
        assert isinstance(metric.unit, Unit)
        assert "Formula" not in metric.summary
