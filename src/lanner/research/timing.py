"""Is it more than holding the market? What a strategy earned beyond a constant share of it: the worth of its timing.

A strategy that is long most of the time earns in a rising market whatever it does. Taking out what holding the same
share of the market all the time would have earned leaves what came from being in and out at the right moments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lanner.analysis.periods import Floats
from lanner.core.errors import DataError
from lanner.research.significance import checked, deflated_sharpe, sharpe_moments

_FEWEST = 8
MERE_HOLDING = 0.999
"""The share of a strategy's variance that the market explains from which on there is nothing but holding: what is
left are fees and odd lots."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Hold the share of the market that a strategy was worth, and what was left of it without that share.

    `sharpe` is per sample, `deflated` the probability that it is better than the luckiest of all trials.
    """

    share: float
    sharpe: float
    deflated: float


def beyond_holding(returns: Floats, market: Floats) -> tuple[Floats, float]:
    """Return what a strategy earned beyond a constant share of the market, per sample, and that share.

    Where exposure does not foretell the market, the share is the mean exposure and the rest has mean 0, whatever the
    drift.
    Formula: r − β·m, β = cov(r, m) / var(m).
    Source: Jensen (1968), "The Performance of Mutual Funds in the Period 1945–1964".
    """
    series, held = checked(returns, _FEWEST), checked(market, _FEWEST)
    if series.size != held.size:
        raise DataError(
            "strategy and market returns belong to the same samples",
            expected=f"{series.size} market returns",
            found=held.size,
        )
    moves = held - held.mean()
    variance = float(moves @ moves)
    share = float(moves @ series) / variance if variance > 0.0 else 0.0
    return series - share * held, share


def timing(returns: Floats, market: Floats, trials: int, variance: float) -> Timing:
    """Measure the best of `trials` strategies beyond the market; `variance` is that of all trials' Sharpe ratios.

    Trials that share the market differ by their timing alone, and what is left varies less than the whole: so the
    Sharpe ratios without the market differ by more, as the two standard deviations tell.
    Formula: the deflated Sharpe ratio of r − β·m, with V·var(r) / var(r − β·m) for V.
    """
    rest, share = beyond_holding(returns, market)
    whole, left = float(np.var(returns)), float(np.var(rest))
    if left <= (1.0 - MERE_HOLDING) * whole:
        return Timing(share, 0.0, 0.0)
    measured = sharpe_moments(rest)
    return Timing(share, measured.sharpe, deflated_sharpe(measured, trials, variance * whole / left))
