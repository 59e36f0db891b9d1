"""The one list of metrics: name, unit, which way is better, and the function that defines each.

Reports, exports, the console summary and the reference page are made from this table; the text about a metric
is the docstring of its function.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from lanner.analysis import account, benchmark, drawdown, returns, trades
from lanner.analysis.periods import Floats
from lanner.analysis.sample import Sample


class Unit(StrEnum):
    """Say how a metric's number is to be read: a fraction is written as a percentage."""

    RATIO = "ratio"
    FRACTION = "fraction"
    CURRENCY = "currency"
    COUNT = "count"
    MINUTES = "minutes"
    DAYS = "days"


class Better(StrEnum):
    """Say which direction of a metric is the good one."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Metric:
    """Describe one metric and how to compute it from a run; `over` says of what, where that is not all samples."""

    name: str
    label: str
    group: str
    unit: Unit
    better: Better
    function: Callable[..., float | None]
    compute: Callable[[Sample], float | None]
    over: str = ""

    @property
    def summary(self) -> str:
        """Return the first paragraph of the function's docstring, which says what the metric means."""
        head = re.split(r"\n\s*\n|\n(?=Formula:)", inspect.getdoc(self.function) or "")[0]
        text = " ".join(head.split()).removeprefix("Return ")
        return f"{text[0].upper()}{text[1:]}" + (f" Here of {self.over}." if self.over else "")

    @property
    def formula(self) -> str:
        """Return the formula, from the docstring."""
        return self._field("Formula")

    @property
    def source(self) -> str:
        """Return where the definition comes from, from the docstring."""
        return self._field("Source")

    def _field(self, name: str) -> str:
        text = inspect.getdoc(self.function) or ""
        found = re.search(rf"^{name}: (.+?)(?=^\w+: |\Z)", text, re.MULTILINE | re.DOTALL)
        return " ".join(found.group(1).split()).removesuffix(".") if found else ""


def _side(sample: Sample, side: int) -> Floats:
    return np.asarray(sample.pnl[sample.side == side], dtype=np.float64)


def _annual(function: Callable[..., float | None], *fields: str) -> Callable[[Sample], float | None]:
    """Bind a function of the sample's arrays and P, None when the spacing or an array is not known."""

    def compute(sample: Sample) -> float | None:
        values = [getattr(sample, field) for field in fields]
        if sample.periods is None or any(value is None for value in values):
            return None
        return function(*values, sample.periods)

    return compute


def _plain(function: Callable[..., float | None], *fields: str) -> Callable[[Sample], float | None]:
    """Bind a function of some of the sample's arrays, None when one of them is not known."""

    def compute(sample: Sample) -> float | None:
        values = [getattr(sample, field) for field in fields]
        return None if any(value is None for value in values) else function(*values)

    return compute


def _pnl(function: Callable[..., float | None]) -> Callable[[Sample], float | None]:
    return _plain(function, "pnl")


def _hold(function: Callable[..., float | None]) -> Callable[[Sample], float | None]:
    return lambda s: function(trades.hold_minutes(s.entry_ts, s.exit_ts))


def _count_side(pnl: Floats) -> float:
    """Return the number of closed trips of this side.

    Formula: count(side).
    Source: common usage.
    """
    return float(pnl.size)


def _open_trades(count: int) -> float:
    """Return the number of positions still held at the end, valued at the last price, in no trade statistic.

    Formula: count(open).
    Source: common usage.
    """
    return float(count)


def _benchmark_return(growth: float | None) -> float | None:
    """Return what buying the first instrument and holding it would have earned, without costs.

    Formula: benchmark end / start − 1.
    Source: common usage.
    """
    return growth


def _excess_return(growth: float | None, other: float | None) -> float | None:
    """Return the total return above the benchmark's.

    Formula: total_return − benchmark_return.
    Source: common usage.
    """
    return None if growth is None or other is None else growth - other


def _risk_adjusted(sample: Sample) -> float | None:
    ratio = returns.sharpe(sample.returns, sample.periods) if sample.periods else None
    return account.risk_adjusted(ratio, trades.profit_factor(sample.pnl), trades.win_rate(sample.pnl))


_R, _F, _C, _N, _M, _D = Unit.RATIO, Unit.FRACTION, Unit.CURRENCY, Unit.COUNT, Unit.MINUTES, Unit.DAYS
_UP, _DOWN, _ANY = Better.HIGHER, Better.LOWER, Better.NEITHER


def _metric(
    name: str,
    label: str,
    group: str,
    unit: Unit,
    better: Better,
    function: Callable[..., float | None],
    compute: Callable[[Sample], float | None],
    over: str = "",
) -> Metric:
    return Metric(name, label, group, unit, better, function, compute, over)


_ACCOUNT = [
    _metric("initial_capital", "Start equity", "Account", _C, _ANY, account.initial_capital,
            _plain(account.initial_capital, "start_equity")),
    _metric("final_equity", "End equity", "Account", _C, _UP, account.final_equity,
            _plain(account.final_equity, "equity")),
    _metric("equity_peak", "Highest equity", "Account", _C, _UP, account.equity_peak,
            _plain(account.equity_peak, "equity")),
    _metric("equity_trough", "Lowest equity", "Account", _C, _UP, account.equity_trough,
            _plain(account.equity_trough, "equity")),
    _metric("equity_volatility", "Equity σ", "Account", _C, _DOWN, account.equity_volatility,
            _plain(account.equity_volatility, "equity")),
    _metric("total_commission", "Fees paid", "Account", _C, _DOWN, account.total_commission,
            _plain(account.total_commission, "fees")),
    _metric("backtest_days", "Span", "Account", _D, _ANY, account.backtest_days,
            _plain(account.backtest_days, "ts")),
]  # fmt: skip

_RETURN = [
    _metric("total_return", "Total return", "Return", _F, _UP, returns.total_return, lambda s: s.growth),
    _metric("annualized_return", "CAGR", "Return", _F, _UP, returns.annualized_return, lambda s: s.annual),
    _metric("best_day", "Best day", "Return", _F, _UP, returns.best,
            _plain(returns.best, "daily"), "the returns of UTC days"),
    _metric("worst_day", "Worst day", "Return", _F, _UP, returns.worst,
            _plain(returns.worst, "daily"), "the returns of UTC days"),
    _metric("best_month", "Best month", "Return", _F, _UP, returns.best,
            _plain(returns.best, "monthly"), "the returns of UTC months"),
    _metric("worst_month", "Worst month", "Return", _F, _UP, returns.worst,
            _plain(returns.worst, "monthly"), "the returns of UTC months"),
    _metric("positive_days", "Positive days", "Return", _F, _UP, returns.positive_share,
            _plain(returns.positive_share, "daily"), "the returns of UTC days"),
    _metric("positive_months", "Positive months", "Return", _F, _UP, returns.positive_share,
            _plain(returns.positive_share, "monthly"), "the returns of UTC months"),
]  # fmt: skip

_RISK = [
    _metric("volatility", "Volatility", "Risk", _F, _DOWN, returns.volatility,
            _annual(returns.volatility, "returns")),
    _metric("downside_risk", "Downside risk", "Risk", _F, _DOWN, returns.downside_risk,
            _annual(returns.downside_risk, "returns")),
    _metric("max_drawdown", "Max drawdown", "Risk", _F, _DOWN, drawdown.max_drawdown,
            lambda s: s.worst_fall),
    _metric("average_drawdown", "Average drawdown", "Risk", _F, _DOWN, drawdown.average_drawdown,
            _plain(drawdown.average_drawdown, "equity")),
    _metric("max_drawdown_duration_days", "Longest drawdown", "Risk", _D, _DOWN,
            drawdown.max_drawdown_duration_days,
            _plain(drawdown.max_drawdown_duration_days, "ts", "equity")),
    _metric("ulcer_index", "Ulcer index", "Risk", _F, _DOWN, drawdown.ulcer_index,
            _plain(drawdown.ulcer_index, "equity")),
    _metric("value_at_risk", "VaR 95 %", "Risk", _F, _UP, returns.value_at_risk,
            _plain(returns.value_at_risk, "returns")),
    _metric("conditional_value_at_risk", "CVaR 95 %", "Risk", _F, _UP, returns.conditional_value_at_risk,
            _plain(returns.conditional_value_at_risk, "returns")),
    _metric("skew", "Skew", "Risk", _R, _UP, returns.skew, _plain(returns.skew, "returns")),
    _metric("kurtosis", "Excess kurtosis", "Risk", _R, _DOWN, returns.kurtosis,
            _plain(returns.kurtosis, "returns")),
]  # fmt: skip

_RATIOS = [
    _metric("sharpe", "Sharpe", "Ratios", _R, _UP, returns.sharpe, _annual(returns.sharpe, "returns")),
    _metric("sortino", "Sortino", "Ratios", _R, _UP, returns.sortino, _annual(returns.sortino, "returns")),
    _metric("calmar", "Calmar", "Ratios", _R, _UP, returns.calmar,
            lambda s: returns.calmar(s.annual, s.worst_fall)),
    _metric("omega", "Omega", "Ratios", _R, _UP, returns.omega, _plain(returns.omega, "returns")),
    _metric("gain_to_pain", "Gain to pain", "Ratios", _R, _UP, returns.gain_to_pain,
            _plain(returns.gain_to_pain, "daily"), "the returns of UTC days"),
    _metric("tail_ratio", "Tail ratio", "Ratios", _R, _UP, returns.tail_ratio,
            _plain(returns.tail_ratio, "returns")),
    _metric("stability", "Stability R²", "Ratios", _R, _UP, returns.stability,
            _plain(returns.stability, "returns")),
    _metric("recovery_factor", "Recovery factor", "Ratios", _R, _UP, returns.recovery_factor,
            _plain(returns.recovery_factor, "returns", "worst_fall")),
    _metric("risk_adjusted", "Risk-adjusted score", "Ratios", _R, _UP, account.risk_adjusted, _risk_adjusted),
]  # fmt: skip

_TRADES = [
    _metric("total_trades", "Closed trades", "Trades", _N, _ANY, trades.total_trades,
            _pnl(trades.total_trades)),
    _metric("open_trades", "Open at end", "Trades", _N, _ANY, _open_trades,
            _plain(_open_trades, "open_trips")),
    _metric("winning_trades", "Winners", "Trades", _N, _UP, trades.winning_trades,
            _pnl(trades.winning_trades)),
    _metric("losing_trades", "Losers", "Trades", _N, _DOWN, trades.losing_trades, _pnl(trades.losing_trades)),
    _metric("win_rate", "Win rate", "Trades", _F, _UP, trades.win_rate, _pnl(trades.win_rate)),
    _metric("profit_factor", "Profit factor", "Trades", _R, _UP, trades.profit_factor,
            _pnl(trades.profit_factor)),
    _metric("payoff_ratio", "Payoff ratio", "Trades", _R, _UP, trades.payoff_ratio,
            _pnl(trades.payoff_ratio)),
    _metric("expectancy", "Expectancy", "Trades", _C, _UP, trades.expectancy, _pnl(trades.expectancy)),
    _metric("average_trade_return", "Average return", "Trades", _F, _UP, trades.mean_of,
            _plain(trades.mean_of, "return_frac"), "the returns of closed trips on their entry cost"),
    _metric("total_profit", "Gross wins", "Wins and losses", _C, _UP, trades.total_profit, _pnl(trades.total_profit)),
    _metric("total_loss", "Gross losses", "Wins and losses", _C, _DOWN, trades.total_loss, _pnl(trades.total_loss)),
    _metric("net_profit", "Net of closed trades", "Wins and losses", _C, _UP, trades.net_profit,
            _pnl(trades.net_profit)),
    _metric("average_profit", "Average win", "Wins and losses", _C, _UP, trades.average_profit,
            _pnl(trades.average_profit)),
    _metric("average_loss", "Average loss", "Wins and losses", _C, _DOWN, trades.average_loss,
            _pnl(trades.average_loss)),
    _metric("best_trade", "Best trade", "Wins and losses", _C, _UP, trades.best_trade, _pnl(trades.best_trade)),
    _metric("worst_trade", "Worst trade", "Wins and losses", _C, _UP, trades.worst_trade, _pnl(trades.worst_trade)),
    _metric("max_consecutive_wins", "Wins in a row", "Wins and losses", _N, _UP, trades.max_consecutive_wins,
            _pnl(trades.max_consecutive_wins)),
    _metric("max_consecutive_losses", "Losses in a row", "Wins and losses", _N, _DOWN, trades.max_consecutive_losses,
            _pnl(trades.max_consecutive_losses)),
    _metric("kelly", "Kelly fraction", "Trades", _F, _UP, trades.kelly, _pnl(trades.kelly)),
    _metric("system_quality_number", "SQN", "Trades", _R, _UP, trades.system_quality_number,
            _pnl(trades.system_quality_number)),
    _metric("average_mae", "Average worst excursion", "Wins and losses", _F, _UP, trades.mean_of,
            _plain(trades.mean_of, "mae"), "the worst unrealised return of each closed trip"),
    _metric("average_mfe", "Average best excursion", "Wins and losses", _F, _UP, trades.mean_of,
            _plain(trades.mean_of, "mfe"), "the best unrealised return of each closed trip"),
]  # fmt: skip

_SIDES = [
    _metric("long_trades", "Long trades", "Long and short", _N, _ANY, _count_side,
            lambda s: _count_side(_side(s, 1)), "long trips"),
    _metric("long_net_profit", "Long net", "Long and short", _C, _UP, trades.net_profit,
            lambda s: trades.net_profit(_side(s, 1)), "long trips"),
    _metric("long_win_rate", "Long win rate", "Long and short", _F, _UP, trades.win_rate,
            lambda s: trades.win_rate(_side(s, 1)), "long trips"),
    _metric("short_trades", "Short trades", "Long and short", _N, _ANY, _count_side,
            lambda s: _count_side(_side(s, -1)), "short trips"),
    _metric("short_net_profit", "Short net", "Long and short", _C, _UP, trades.net_profit,
            lambda s: trades.net_profit(_side(s, -1)), "short trips"),
    _metric("short_win_rate", "Short win rate", "Long and short", _F, _UP, trades.win_rate,
            lambda s: trades.win_rate(_side(s, -1)), "short trips"),
]  # fmt: skip

_ACTIVITY = [
    _metric("average_hold_time_minutes", "Average hold", "Activity", _M, _ANY,
            trades.average_hold_time_minutes, _hold(trades.average_hold_time_minutes)),
    _metric("max_hold_time_minutes", "Longest hold", "Activity", _M, _ANY, trades.max_hold_time_minutes,
            _hold(trades.max_hold_time_minutes)),
    _metric("min_hold_time_minutes", "Shortest hold", "Activity", _M, _ANY, trades.min_hold_time_minutes,
            _hold(trades.min_hold_time_minutes)),
    _metric("average_trade_interval_minutes", "Between entries", "Activity", _M, _ANY,
            trades.average_trade_interval_minutes, _plain(trades.average_trade_interval_minutes, "entry_ts")),
    _metric("time_in_market", "Time in market", "Activity", _F, _ANY, account.time_in_market,
            _plain(account.time_in_market, "exposure")),
    _metric("average_exposure", "Average exposure", "Activity", _F, _ANY, account.average_exposure,
            _plain(account.average_exposure, "exposure")),
    _metric("max_exposure", "Highest exposure", "Activity", _F, _DOWN, account.max_exposure,
            _plain(account.max_exposure, "exposure")),
    _metric("turnover", "Turnover", "Activity", _R, _ANY, account.turnover,
            _plain(account.turnover, "traded", "equity")),
    _metric("annual_turnover", "Turnover per year", "Activity", _R, _ANY, account.annual_turnover,
            _plain(account.annual_turnover, "traded", "equity", "years")),
    _metric("fee_rate", "Fees per notional", "Activity", _F, _DOWN, account.cost_drag,
            _plain(account.cost_drag, "fees", "traded")),
    _metric("maker_share", "Maker share", "Activity", _F, _ANY, account.maker_share,
            _plain(account.maker_share, "maker_share")),
]  # fmt: skip

_BENCHMARK = [
    _metric("benchmark_return", "Benchmark return", "Benchmark", _F, _ANY, _benchmark_return,
            _plain(_benchmark_return, "benchmark_growth")),
    _metric("excess_return", "Excess return", "Benchmark", _F, _UP, _excess_return,
            _plain(_excess_return, "growth", "benchmark_growth")),
    _metric("beta", "Beta", "Benchmark", _R, _ANY, benchmark.beta,
            _plain(benchmark.beta, "returns", "benchmark_returns")),
    _metric("alpha", "Alpha per year", "Benchmark", _F, _UP, benchmark.alpha,
            _annual(benchmark.alpha, "returns", "benchmark_returns")),
    _metric("correlation", "Correlation", "Benchmark", _R, _ANY, benchmark.correlation,
            _plain(benchmark.correlation, "returns", "benchmark_returns")),
    _metric("information_ratio", "Information ratio", "Benchmark", _R, _UP, benchmark.information_ratio,
            _annual(benchmark.information_ratio, "returns", "benchmark_returns")),
]  # fmt: skip

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *_RETURN, *_RISK, *_RATIOS, *_BENCHMARK, *_TRADES, *_SIDES, *_ACTIVITY, *_ACCOUNT,
    )
}  # fmt: skip
