"""Statistics of closed round trips, from arrays of one value per trip, in the order of their exits.

`pnl` is net of fees and funding. A trip that neither won nor lost counts in the total and in neither side. A
position still open at the end is not a closed trip: it is counted apart and shows in the equity, not here.
"""

from __future__ import annotations

import math

import numpy as np

from lanner.analysis.periods import NS_PER_MINUTE, Floats, Times
from lanner.analysis.returns import finite, ratio, sigma


def total_profit(pnl: Floats) -> float:
    """Return the sum of the winning trips.

    Formula: Σ pnl where pnl > 0.
    Source: common usage.
    """
    return float(np.sum(pnl[pnl > 0.0]))


def total_loss(pnl: Floats) -> float:
    """Return the sum of the losing trips, as a positive number.

    Formula: Σ |pnl| where pnl < 0.
    Source: common usage.
    """
    return float(-np.sum(pnl[pnl < 0.0])) + 0.0


def net_profit(pnl: Floats) -> float:
    """Return the sum of all closed trips.

    Formula: total_profit − total_loss.
    Source: common usage.
    """
    return float(np.sum(pnl))


def profit_factor(pnl: Floats) -> float | None:
    """Return what was won per unit lost; None without a loss (shown as ∞ when there were wins).

    Formula: total_profit / total_loss.
    Source: common usage; some tools print 999 without a loss, a made-up number that would enter averages.
    """
    return ratio(total_profit(pnl), total_loss(pnl))


def average_profit(pnl: Floats) -> float | None:
    """Return the mean of the winning trips, None without one.

    Formula: total_profit / winning_trades.
    Source: common usage.
    """
    return ratio(total_profit(pnl), winning_trades(pnl))


def average_loss(pnl: Floats) -> float | None:
    """Return the mean of the losing trips as a positive number, None without one.

    Formula: total_loss / losing_trades.
    Source: common usage.
    """
    return ratio(total_loss(pnl), losing_trades(pnl))


def payoff_ratio(pnl: Floats) -> float | None:
    """Return the size of the average win over the size of the average loss, None without both.

    Formula: average_profit / average_loss.
    Source: quantstats `payoff_ratio`.
    """
    win, loss = average_profit(pnl), average_loss(pnl)
    return None if win is None or not loss else ratio(win, loss)


def expectancy(pnl: Floats) -> float | None:
    """Return what an average trip earned.

    Formula: average_profit · win share − average_loss · loss share, which is mean(pnl).
    Source: Tharp (2006).
    """
    return finite(float(np.mean(pnl))) if pnl.size else None


def total_trades(pnl: Floats) -> float:
    """Return the number of closed round trips.

    Formula: n.
    Source: common usage.
    """
    return float(pnl.size)


def winning_trades(pnl: Floats) -> float:
    """Return the number of trips that won.

    Formula: count(pnl > 0).
    Source: common usage.
    """
    return float(np.count_nonzero(pnl > 0.0))


def losing_trades(pnl: Floats) -> float:
    """Return the number of trips that lost.

    Formula: count(pnl < 0).
    Source: common usage.
    """
    return float(np.count_nonzero(pnl < 0.0))


def win_rate(pnl: Floats) -> float | None:
    """Return the share of trips that won.

    Formula: winning_trades / total_trades.
    Source: common usage.
    """
    return ratio(winning_trades(pnl), float(pnl.size))


def longest_run(hits: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
    """Return the length of the longest unbroken run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], hits.astype(np.int8), [0]))))
    return float(np.max(edges[1::2] - edges[::2])) if edges.size else 0.0


def max_consecutive_wins(pnl: Floats) -> float:
    """Return the longest row of winning trips.

    Formula: longest run of pnl > 0.
    Source: quantstats `consecutive_wins`.
    """
    return longest_run(pnl > 0.0)


def max_consecutive_losses(pnl: Floats) -> float:
    """Return the longest row of losing trips.

    Formula: longest run of pnl < 0.
    Source: quantstats `consecutive_losses`.
    """
    return longest_run(pnl < 0.0)


def kelly(pnl: Floats) -> float | None:
    """Return the fraction of capital that would maximise log growth if the trips repeated independently.

    Formula: w − (1 − w) / payoff_ratio, w the share of wins among trips that won or lost.
    Source: Kelly (1956); quantstats `kelly_criterion`.
    """
    payoff = payoff_ratio(pnl)
    if not payoff:
        return None
    wins, losses = winning_trades(pnl), losing_trades(pnl)
    share = wins / (wins + losses)
    return finite(share - (1.0 - share) / payoff)


def system_quality_number(pnl: Floats) -> float | None:
    """Return the system quality number (SQN): the t-statistic of the mean trip.

    Formula: √n · mean(pnl) / σ(pnl).
    Source: Tharp (2008), with money in place of R-multiples, as backtesting.py has it.
    """
    deviation = sigma(pnl)
    return ratio(math.sqrt(pnl.size) * float(np.mean(pnl)), deviation) if deviation else None


def best_trade(pnl: Floats) -> float | None:
    """Return the largest win (or the smallest loss, when nothing won).

    Formula: max(pnl).
    Source: common usage.
    """
    return finite(float(np.max(pnl))) if pnl.size else None


def worst_trade(pnl: Floats) -> float | None:
    """Return the largest loss (or the smallest win, when nothing lost).

    Formula: min(pnl).
    Source: common usage.
    """
    return finite(float(np.min(pnl))) if pnl.size else None


def hold_minutes(entry_ts: Times, exit_ts: Times) -> Floats:
    """Return how long each trip was held, in minutes."""
    return np.asarray((exit_ts - entry_ts) / NS_PER_MINUTE, dtype=np.float64)


def average_hold_time_minutes(hold: Floats) -> float | None:
    """Return the mean time in a trip.

    Formula: mean(exit − entry).
    Source: common usage.
    """
    return finite(float(np.mean(hold))) if hold.size else None


def max_hold_time_minutes(hold: Floats) -> float | None:
    """Return the longest time in a trip.

    Formula: max(exit − entry).
    Source: common usage.
    """
    return finite(float(np.max(hold))) if hold.size else None


def min_hold_time_minutes(hold: Floats) -> float | None:
    """Return the shortest time in a trip.

    Formula: min(exit − entry).
    Source: common usage.
    """
    return finite(float(np.min(hold))) if hold.size else None


def average_trade_interval_minutes(entry_ts: Times) -> float | None:
    """Return the mean time from one entry to the next, None below two trips.

    Formula: (last entry − first entry) / (n − 1).
    Source: common usage.
    """
    if entry_ts.size < 2:
        return None
    return finite((int(np.max(entry_ts)) - int(np.min(entry_ts))) / (entry_ts.size - 1) / NS_PER_MINUTE)


def mean_of(values: Floats) -> float | None:
    """Return the mean, None without a value.

    Formula: Σ x / n.
    Source: common usage.
    """
    return finite(float(np.mean(values))) if values.size else None
