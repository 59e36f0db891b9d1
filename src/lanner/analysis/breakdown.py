"""The same trips cut by instrument, strategy, side or reason of exit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lanner.analysis import trades
from lanner.analysis.records import RoundTrip


@dataclass(frozen=True, slots=True)
class Slice:
    """Hold the statistics of one group of closed trips; money in the result's currency."""

    key: str
    trades: int
    net_profit: float
    win_rate: float | None
    profit_factor: float | None
    average_return: float | None
    fees: float
    funding: float
    slippage: float


def break_down(round_trips: Sequence[RoundTrip], key: Callable[[RoundTrip], str]) -> list[Slice]:
    """Return one slice per value of `key`, the most profitable first; open positions are left out."""
    groups: dict[str, list[RoundTrip]] = {}
    for trip in round_trips:
        if not trip.open:
            groups.setdefault(key(trip), []).append(trip)
    slices = [_slice(name, trips) for name, trips in groups.items()]
    return sorted(slices, key=lambda item: (-item.net_profit, item.key))


def _slice(name: str, trips: list[RoundTrip]) -> Slice:
    pnl = np.array([trip.pnl for trip in trips], dtype=np.float64)
    return Slice(
        key=name,
        trades=len(trips),
        net_profit=trades.net_profit(pnl),
        win_rate=trades.win_rate(pnl),
        profit_factor=trades.profit_factor(pnl),
        average_return=trades.mean_of(np.array([trip.return_frac for trip in trips], dtype=np.float64)),
        fees=sum(trip.fees for trip in trips),
        funding=sum(trip.funding for trip in trips),
        slippage=sum(trip.slippage for trip in trips),
    )
