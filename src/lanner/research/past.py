"""The bars before a search's span: they warm indicators up, as they do in a backtest, and are not traded.

A backtest hands each set of indicators as many bars from before its start as they need. So does a search: a variant
sees the very bars that its own backtest would have seen, whatever the other variants need.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lanner.backtest.run import warm_up_reach
from lanner.backtest.spec import BacktestSpec, Stream
from lanner.model.timeframes import timeframe_ns
from lanner.research.evaluate import SignalProgram
from lanner.research.market import Floats, Market
from lanner.research.sweep_result import Axis, Params
from lanner.strategy.base import Strategy

Columns = dict[str, NDArray[Any]]
_NAMES = ("ts_open", "open", "high", "low", "close", "volume")
_CORNERS = 256
_ROOM = 2
"""Between the corners of a search a variant may need more than at any of them; twice as much is read."""


@dataclass(slots=True)
class Warm:
    """Sets of parameters that need equally many bars, the columns that they are computed over, and how many of those
    lie before the span."""

    program: SignalProgram
    members: list[int]
    columns: Mapping[str, NDArray[Any]]
    lead: int


def read_past(
    spec: BacktestSpec, stream: Stream, strategy: type[Strategy], sets: Sequence[Params]
) -> Columns:
    """Return the columns of bars before the span, ``ts_event`` among them; empty where none are there or needed."""
    length = timeframe_ns(stream.spec)
    if spec.since_ns is None or not length or stream.start_ns >= spec.since_ns:
        return {}
    program = SignalProgram(strategy, sets, lenient=True)
    needed = _ROOM * max(program.warmup(index) for index in range(len(program)))
    import polars as pl

    reach = warm_up_reach(spec.since_ns, length, needed)
    frames = [frame.select("ts_event", *_NAMES) for frame in stream.chunks(reach, spec.since_ns)]
    if not frames:
        return {}
    table = pl.concat(frames).tail(needed)
    return {name: np.ascontiguousarray(table[name].to_numpy()) for name in table.columns}


def corners(axes: Sequence[Axis], fixed: Params) -> list[Params]:
    """Return the outermost sets of a search: of numbers the least and the greatest, of other kinds every value."""
    ends = [
        axis.values
        if axis.kind in ("choice", "bool")
        else list(dict.fromkeys((axis.values[-1], axis.values[0])))
        for axis in axes
    ]
    names = [axis.name for axis in axes]
    return [{**fixed, **dict(zip(names, values, strict=True))} for values in islice(product(*ends), _CORNERS)]


def warm_groups(
    program: SignalProgram, market: Market, past: Mapping[str, NDArray[Any]], since_ns: int
) -> Iterator[Warm]:
    """Yield the sets of a program with the columns that each is to be computed over."""
    if not past:
        yield Warm(program, list(range(len(program))), market.columns, 0)
        return
    groups: dict[int, list[int]] = {}
    for index in range(len(program)):
        if index not in program.refused:
            groups.setdefault(program.warmup(index), []).append(index)
    length = timeframe_ns(market.timeframe)
    for needed, members in sorted(groups.items()):
        first = int(np.searchsorted(past["ts_event"], warm_up_reach(since_ns, length, needed)))
        lead = min(needed, len(past["ts_event"]) - first)
        start = len(past["ts_event"]) - lead
        columns = {
            name: np.concatenate((past[name][start:], column)) for name, column in market.columns.items()
        }
        own = SignalProgram(program.strategy, [program.sets[index] for index in members])
        yield Warm(own, members, columns, lead)


def weights_of(
    strategy: type[Strategy], params: Params, market: Market, past: Mapping[str, NDArray[Any]], since_ns: int
) -> Floats | NDArray[np.int8]:
    """Return the weights of one variant at the bars of its span: int8 where the signal is a condition."""
    (warm,) = warm_groups(SignalProgram(strategy, [params]), market, past, since_ns)
    table = warm.program.columns(warm.columns)
    found = table.signals_int8(0) if warm.program.logical(0) else table.weights(0)
    return np.ascontiguousarray(found[warm.lead :])
