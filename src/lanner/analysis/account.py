"""What the account did as a whole: its value, its time in the market and how much it traded."""

from __future__ import annotations

import math

import numpy as np

from lanner.analysis.periods import NS_PER_DAY, Floats, Times
from lanner.analysis.returns import finite, ratio, sigma


def initial_capital(start_equity: float) -> float:
    """Return the value of the account before the first input.

    Formula: given by the run.
    Source: common usage.
    """
    return start_equity


def final_equity(equity: Floats) -> float | None:
    """Return the value of the account after the last input, open positions at the last price.

    Formula: equity[n].
    Source: common usage.
    """
    return finite(float(equity[-1])) if equity.size else None


def equity_peak(equity: Floats) -> float | None:
    """Return the highest value of the account.

    Formula: max(equity).
    Source: common usage.
    """
    return finite(float(np.max(equity))) if equity.size else None


def equity_trough(equity: Floats) -> float | None:
    """Return the lowest value of the account.

    Formula: min(equity).
    Source: common usage.
    """
    return finite(float(np.min(equity))) if equity.size else None


def equity_volatility(equity: Floats) -> float | None:
    """Return the spread of the account's value itself, in money (not annualised).

    Formula: σ(equity).
    Source: common usage.
    """
    return sigma(equity)


def backtest_days(ts: Times) -> float:
    """Return the span of the run in days.

    Formula: (last sample − first sample) / 1 day.
    Source: common usage.
    """
    return (int(ts[-1]) - int(ts[0])) / NS_PER_DAY if ts.size else 0.0


def total_commission(fees: float) -> float:
    """Return all fees paid, rebates subtracted; a positive number is a cost.

    Formula: Σ fee over all fills, those of open positions too.
    Source: common usage.
    """
    return fees


def time_in_market(exposure: Floats) -> float | None:
    """Return the share of samples with a position, also called exposure.

    Formula: count(exposure ≠ 0) / n.
    Source: quantstats `exposure`, without its rounding up.
    """
    return ratio(float(np.count_nonzero(exposure)), float(exposure.size))


def average_exposure(exposure: Floats) -> float | None:
    """Return the mean gross notional over equity; above 1 the run was leveraged on average.

    Formula: mean(Σ |position notional| / equity).
    Source: common usage.
    """
    known = exposure[np.isfinite(exposure)]
    return finite(float(np.mean(known))) if known.size else None


def max_exposure(exposure: Floats) -> float | None:
    """Return the highest gross notional over equity that a sample saw, the run's highest leverage.

    Formula: max(Σ |position notional| / equity).
    Source: common usage.
    """
    known = exposure[np.isfinite(exposure)]
    return finite(float(np.max(known))) if known.size else None


def turnover(traded: float, equity: Floats) -> float | None:
    """Return how many times the account's mean value was traded in the run, counting buys and sells.

    Formula: Σ |px · qty| over fills / mean(equity).
    Source: common usage.
    """
    mean = float(np.mean(equity)) if equity.size else 0.0
    return ratio(traded, mean) if mean > 0.0 else None


def annual_turnover(traded: float, equity: Floats, years: float) -> float | None:
    """Return the turnover per year of 365 days.

    Formula: turnover / years.
    Source: common usage.
    """
    total = turnover(traded, equity)
    return None if total is None else ratio(total, years)


def cost_drag(fees: float, traded: float) -> float | None:
    """Return the average fee per unit of notional traded.

    Formula: total_commission / Σ |px · qty| over fills.
    Source: common usage.
    """
    return ratio(fees, traded)


def maker_share(share: float | None) -> float | None:
    """Return the share of traded notional that was filled as maker.

    Formula: Σ |px · qty| of maker fills / Σ |px · qty|.
    Source: common usage.
    """
    return share


def risk_adjusted(sharpe: float | None, factor: float | None, wins: float | None) -> float | None:
    """Return a mixed score of Sharpe, profit factor and win rate for ranking runs; None without a trade.

    A run that never lost takes the cap of 3 as its profit factor.
    Formula: 0.5 · max(0, sharpe) + 0.3 · min(3, profit_factor) / 3 + 0.2 · win_rate.
    Source: common usage.
    """
    if wins is None:
        return None
    capped = 3.0 if factor is None and wins > 0.0 else min(3.0, factor or 0.0)
    score = 0.5 * max(0.0, sharpe or 0.0) + 0.3 * capped / 3.0 + 0.2 * wins
    return score if math.isfinite(score) else None
