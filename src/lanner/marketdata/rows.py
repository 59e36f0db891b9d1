"""Turn frames of the catalog's column schemas into model objects, at the speed of C loops.

A chunk knows its times as arrays and makes objects for any range of its rows on demand: columns become
lists, and ``map`` calls the message's constructor on them, so no Python bytecode runs per row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from lanner.core.errors import DataError
from lanner.model.market import Bar, BarOpen, BookUpdate, FundingRate, MarketData, MarkPrice, Quote, Trade
from lanner.model.timeframes import series_id

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

KINDS = ("funding", "mark", "book", "quotes", "trades", "bars", "opens")
"""Kinds of market data in the order in which messages of the same instant are delivered. ``opens`` are not
stored: a backtest derives them from bars, and a bar opens after the one before it closed."""

Column = Callable[[int, int], Iterable[Any]]

_FIELDS: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "bars": (
        Bar,
        (
            "ts_event", "ts_recv", "ts_open", "open", "high", "low", "close", "volume",
            "quote_volume", "trades", "taker_buy_volume",
        ),
    ),
    "opens": (BarOpen, ("ts_event", "ts_recv", "px", "volume", "ts_close")),
    "trades": (Trade, ("ts_event", "ts_recv", "px", "qty", "aggressor", "trade_id")),
    "quotes": (Quote, ("ts_event", "ts_recv", "bid_px", "bid_qty", "ask_px", "ask_qty", "seq")),
    "mark": (MarkPrice, ("ts_event", "ts_recv", "mark_px", "index_px")),
    "funding": (FundingRate, ("ts_event", "ts_recv", "rate", "interval_ns", "predicted")),
}  # fmt: skip

_OPTIONAL_TAIL = {"bars": 3}
"""How many columns at the end may be left to the message's own defaults where they hold only nulls."""

_NULL_AS: dict[str, float | int] = {
    "mark_px": float("nan"),
    "index_px": float("nan"),
    "interval_ns": 0,
    "seq": 0,
}


class Rows:
    """One chunk of a stream: times as arrays, messages on demand."""

    __slots__ = ("_make", "count", "ts_event", "ts_recv")

    def __init__(self, ts_event: Ints, ts_recv: Ints, make: Callable[[int, int], list[MarketData]]) -> None:
        self.count = len(ts_event)
        self.ts_event = ts_event
        self.ts_recv = ts_recv
        self._make = make

    def objects(self, start: int, stop: int) -> list[MarketData]:
        """Return the messages of rows [start, stop)."""
        return self._make(start, stop)


def chunks_of(kind: str, instrument_id: str, spec: str, frames: Iterable[pl.DataFrame]) -> Iterator[Rows]:
    """Yield one ``Rows`` for each frame of a stream (for a book, of whole events)."""
    if kind == "book":
        yield from _book_chunks(instrument_id, frames)
        return
    first = series_id(instrument_id, spec) if kind in ("bars", "opens") else instrument_id
    for frame in frames:
        yield _plain_rows(kind, first, frame)


def messages(kind: str, instrument_id: str, frame: pl.DataFrame, spec: str = "") -> list[MarketData]:
    """Return all messages of one frame, e.g. for tests and small data."""
    return [
        message
        for rows in chunks_of(kind, instrument_id, spec, [frame])
        for message in rows.objects(0, rows.count)
    ]


def _plain_rows(kind: str, first: str, frame: pl.DataFrame) -> Rows:
    message, names = _FIELDS[kind]
    tail = _OPTIONAL_TAIL.get(kind, 0)
    if tail and all(frame[name].null_count() == frame.height for name in names[-tail:]):
        names = names[:-tail]
    ts_event, ts_recv = frame["ts_event"].to_numpy(), frame["ts_recv"].to_numpy()
    one_clock = bool((ts_event == ts_recv).all())
    rest = [_column(frame[name]) for name in names[2:]]
    # a bar that opens when the one before closes shares that number instead of making it anew
    opens = frame["ts_open"].to_numpy() if kind == "bars" else None
    seamless = opens is not None and bool((opens[1:] == ts_event[:-1]).all())

    def make(start: int, stop: int) -> list[MarketData]:
        event = ts_event[start:stop].tolist()
        recv = event if one_clock else ts_recv[start:stop].tolist()
        if opens is not None and seamless and event:
            opened = [int(opens[start]), *event[:-1]]
            columns = [opened, *[column(start, stop) for column in rest[1:]]]
        else:
            columns = [column(start, stop) for column in rest]
        return list(map(message, repeat(first), event, recv, *columns))

    return Rows(ts_event, ts_recv, make)


def _column(series: pl.Series) -> Column:
    """Return a function that gives a range of the column as Python values."""
    if series.null_count() and series.name in _NULL_AS:
        series = series.fill_null(_NULL_AS[series.name])
    if series.null_count() == len(series):
        return _nothing
    if series.null_count() == 0 and series.dtype.is_numeric():
        return partial(_numbers, series.to_numpy())
    return lambda start, stop: series[start:stop].to_list()


def _numbers(values: NDArray[Any], start: int, stop: int) -> Iterable[Any]:
    numbers: list[Any] = values[start:stop].tolist()
    return numbers


def _nothing(start: int, stop: int) -> Iterable[Any]:
    return repeat(None, stop - start)


# -- books: one message is several rows ------------------------------------------------------------------


def _book_chunks(instrument_id: str, frames: Iterable[pl.DataFrame]) -> Iterator[Rows]:
    """Yield chunks of whole book events; an event cut off by a frame's end waits for the next frame."""
    import polars as pl

    rest: pl.DataFrame | None = None
    for frame in frames:
        if rest is not None and rest.height:
            frame = pl.concat([rest, frame])
        ends = np.flatnonzero(frame["last"].to_numpy())
        whole = int(ends[-1]) + 1 if len(ends) else 0
        rest = frame[whole:]
        if whole:
            yield _book_rows(instrument_id, frame[:whole], ends)
    if rest is not None and rest.height:
        raise DataError(
            f"{instrument_id}: the book data end in the middle of an event",
            expected="a row with last = true at the end of every event",
            found=f"{rest.height} rows behind the last whole event",
            fix="Import the data again.",
        )


def _book_rows(instrument_id: str, frame: pl.DataFrame, ends: Ints) -> Rows:
    starts = np.concatenate(([0], ends[:-1] + 1))
    side = frame["side"].to_numpy()
    event = np.repeat(np.arange(len(ends)), ends + 1 - starts)
    order = np.lexsort((-side, event))
    levels = list(
        zip(frame["px"].to_numpy()[order].tolist(), frame["qty"].to_numpy()[order].tolist(), strict=True)
    )
    bids = np.add.reduceat((side > 0).astype(np.int64), starts)
    lows, cuts, highs = starts.tolist(), (starts + bids).tolist(), (ends + 1).tolist()
    ts_event, ts_recv = frame["ts_event"].to_numpy()[ends], frame["ts_recv"].to_numpy()[ends]
    names = ["snapshot", "first_seq", "seq"]
    if "prev_seq" in frame.columns and frame["prev_seq"].null_count() < frame.height:
        names.append("prev_seq")
    heads = [frame[name].fill_null(0).to_numpy()[ends] for name in names]

    def make(start: int, stop: int) -> list[MarketData]:
        parts = slice(start, stop)
        return list(
            map(
                BookUpdate,
                repeat(instrument_id),
                ts_event[parts].tolist(),
                ts_recv[parts].tolist(),
                [tuple(levels[a:b]) for a, b in zip(lows[parts], cuts[parts], strict=True)],
                [tuple(levels[b:c]) for b, c in zip(cuts[parts], highs[parts], strict=True)],
                *[head[parts].tolist() for head in heads],
            )
        )

    return Rows(ts_event, ts_recv, make)


def message_type(kind: str) -> type[Any]:
    """Return the type of the messages that a kind of market data is made of."""
    return BookUpdate if kind == "book" else _FIELDS[kind][0]
