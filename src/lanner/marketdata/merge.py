"""Merge stored streams into one time-ordered flow of messages.

Streams come as frames of the catalog's column schemas; messages leave as lists of model objects. The
order is a total one, so two runs see the same sequence:

1. time: ``ts_recv`` (when we knew) or ``ts_event`` (when it happened);
2. at the same time, kind: funding, mark, book, quotes, trades, then bars, finer before coarser, so that
   a strategy that hears of a bar finds every quote and trade of that instant already in the cache;
3. at the same time and kind, the order in which the streams were given.

Inside one stream the stored order holds: a message whose time lies before its predecessor's is
delivered right behind it.

Only one frame a stream is held in memory, and objects are made in small batches: beyond a few thousand
live objects, construction becomes twice as slow because the processor's caches overflow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from lanner.core.errors import ConfigError
from lanner.marketdata.rows import KINDS, Rows, chunks_of
from lanner.model.market import MarketData
from lanner.model.timeframes import timeframe_ns

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

TimeKey = Literal["ts_recv", "ts_event"]
BATCH_ROWS = 2048


@dataclass(frozen=True, slots=True)
class Stream:
    """One stored series: its kind in the catalog, its instrument, its bar specification, its frames."""

    kind: str
    instrument_id: str
    frames: Iterable[pl.DataFrame]
    spec: str = ""


def merge(
    streams: Sequence[Stream], *, by: TimeKey = "ts_recv", batch_rows: int = BATCH_ROWS
) -> Iterator[list[MarketData]]:
    """Yield the messages of all streams in time order, in lists of at most ``batch_rows``."""
    if by not in ("ts_recv", "ts_event"):
        raise ConfigError("unknown time key", expected="ts_recv or ts_event", found=repr(by))
    cursors = [_Cursor(stream, by) for stream in sorted(streams, key=_rank)]
    live = [cursor for cursor in cursors if cursor.refill()]
    while len(live) > 1:
        counts = _safe_counts(live)
        yield from _interleave(live, counts, batch_rows)
        live = [cursor for cursor in live if cursor.left or cursor.refill()]
    for cursor in live:
        yield from _drain(cursor, batch_rows)


def _rank(stream: Stream) -> tuple[int, int]:
    if stream.kind not in KINDS:
        raise ConfigError("unknown kind of data", expected=", ".join(KINDS), found=repr(stream.kind))
    return KINDS.index(stream.kind), timeframe_ns(stream.spec) if stream.kind == "bars" else 0


class _Cursor:
    """The unread part of one stream's current chunk, with the times it is merged by."""

    __slots__ = ("_by", "_chunks", "_floor", "_rows", "key", "left", "position")

    def __init__(self, stream: Stream, by: TimeKey) -> None:
        self._chunks = chunks_of(stream.kind, stream.instrument_id, stream.spec, stream.frames)
        self._by = by
        self._floor = np.iinfo(np.int64).min
        self._rows: Rows | None = None
        self.key: Ints = np.zeros(0, np.int64)
        self.position = self.left = 0

    def refill(self) -> bool:
        """Read the next chunk that holds rows; return False at the end of the stream."""
        for rows in self._chunks:
            if not rows.count:
                continue
            key = rows.ts_recv if self._by == "ts_recv" else rows.ts_event
            if key[0] < self._floor or (key[1:] < key[:-1]).any():
                key = np.maximum(np.maximum.accumulate(key), self._floor)
            self._floor = int(key[-1])
            self._rows, self.key, self.position, self.left = rows, key, 0, rows.count
            return True
        return False

    def take(self, count: int) -> list[MarketData]:
        """Return the next messages as objects."""
        assert self._rows is not None
        start = self.position
        self.position += count
        self.left -= count
        return self._rows.objects(start, self.position)


def _safe_counts(live: Sequence[_Cursor]) -> list[int]:
    """Return how many unread rows of each cursor no unread chunk can precede.

    The cursor whose last known row comes first in the total order sets the limit: rows behind it may be
    preceded by rows of its next chunk.
    """
    limit, holder = min((int(cursor.key[-1]), rank) for rank, cursor in enumerate(live))
    return [
        int(np.searchsorted(cursor.key, limit, side="right" if rank <= holder else "left")) - cursor.position
        for rank, cursor in enumerate(live)
    ]


def _interleave(
    live: Sequence[_Cursor], counts: Sequence[int], batch_rows: int
) -> Iterator[list[MarketData]]:
    """Yield the given numbers of rows of each cursor in one order."""
    active = [(cursor, count) for cursor, count in zip(live, counts, strict=True) if count]
    if len(active) == 1:
        yield from _drain_some(*active[0], batch_rows)
        return
    keys = [cursor.key[cursor.position : cursor.position + count] for cursor, count in active]
    order = np.argsort(np.concatenate(keys), kind="stable")
    owners = np.repeat(np.arange(len(active)), [count for _, count in active])[order]
    for start in range(0, len(owners), batch_rows):
        block = owners[start : start + batch_rows]
        shares = np.bincount(block, minlength=len(active)).tolist()
        parts = [
            cursor.take(share) if share else [] for (cursor, _), share in zip(active, shares, strict=True)
        ]
        if max(shares) == len(block):
            yield parts[shares.index(len(block))]
        else:
            turns = [iter(part) for part in parts]
            yield list(map(next, map(turns.__getitem__, block.tolist())))


def _drain(cursor: _Cursor, batch_rows: int) -> Iterator[list[MarketData]]:
    while cursor.left or cursor.refill():
        yield from _drain_some(cursor, cursor.left, batch_rows)


def _drain_some(cursor: _Cursor, count: int, batch_rows: int) -> Iterator[list[MarketData]]:
    while count > 0:
        share = min(count, batch_rows)
        count -= share
        yield cursor.take(share)
