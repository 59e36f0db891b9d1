"""Settle a partition that is larger than memory: sorted pieces on disk, merged by time, one slice in memory.

Rows that could repeat each other have the same time, so a slice that holds all rows of its times can be settled
on its own, and the slices one after the other are the settled partition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from lanner.storage.schema import DatasetKey
from lanner.storage.settle import settle

SETTLE_ROWS = 2_000_000
"""Partitions of more rows than this are settled in slices."""
SLICE_ROWS = 500_000
"""Rows of a slice, about."""
PIECE_ROWS = 65_536
"""Most rows of one sorted piece."""
STREAMED = frozenset({"trades", "quotes", "book", "mark"})
"""Kinds whose partitions can be that large; a month of bars is not."""


class Piece(NamedTuple):
    """Rows in order of time that lie on disk: the first time, how many, and how to get them."""

    low: int
    rows: int
    load: Callable[[], pl.DataFrame]


@dataclass(slots=True)
class Settlement:
    """The settled rows as files in order of time, and what was dropped by source number."""

    files: list[Path] = field(default_factory=list)
    rows: int = 0
    exact: dict[int, int] = field(default_factory=dict)
    conflicting: dict[int, int] = field(default_factory=dict)

    def chunks(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Read columns of the settled rows, one file at a time."""
        for path in self.files:
            yield pl.read_ipc(path, columns=list(columns))


class SeenIds:
    """Remember trade ids, 8 bytes each, to find those that come again in a later slice."""

    __slots__ = ("_hashes", "_highest")

    def __init__(self) -> None:
        self._highest = -1
        self._hashes: list[npt.NDArray[np.uint64]] = []

    def again(self, ids: pl.Series) -> pl.Series:
        """Return for each id whether it came before, in this slice or an earlier one."""
        repeated = ~ids.is_first_distinct()
        numbers = ids.cast(pl.Int64, strict=False)
        lowest = None if numbers.null_count() else numbers.min()
        rising = isinstance(lowest, int) and lowest > self._highest and self._highest >= -1
        hashes = np.unique(ids.hash(seed=1).to_numpy())
        if not rising:
            own = ids.hash(seed=1)
            for earlier in self._hashes:
                repeated |= own.is_in(pl.Series(earlier))
        highest = numbers.max()
        self._highest = (
            max(self._highest, highest) if isinstance(highest, int) and lowest is not None else 1 << 62
        )
        self._hashes.append(hashes)
        return repeated


def settle_pieces(pieces: Sequence[Piece], key: DatasetKey, folder: Path, *, named: bool) -> Settlement:
    """Settle the rows of all pieces and leave them in files under ``folder``.

    ``named`` tells whether every trade of the partition has an id.
    """
    done = Settlement()
    seen = SeenIds() if key.kind == "trades" and named else None
    for frame in in_time_order(pieces, SLICE_ROWS):
        settled = settle(frame, key.kind, key.spec, named=named, seen=seen)
        path = folder / f"settled-{len(done.files)}.arrow"
        settled.frame.write_ipc(path, compression="lz4")
        done.files.append(path)
        done.rows += settled.frame.height
        for total, counts in ((done.exact, settled.exact), (done.conflicting, settled.conflicting)):
            for source, count in counts.items():
                total[source] = total.get(source, 0) + count
    return done


def in_time_order(pieces: Sequence[Piece], rows: int) -> Iterator[pl.DataFrame]:
    """Yield frames of at least ``rows`` rows (the last fewer), in order of time; rows of one time stay together."""
    ordered = sorted(pieces, key=lambda piece: piece.low)
    held: list[pl.DataFrame] = []
    ready: list[pl.DataFrame] = []
    count = 0
    for index, piece in enumerate(ordered):
        held.append(piece.load())
        if index + 1 < len(ordered):
            barrier = ordered[index + 1].low
            cuts = [int(frame["ts_event"].search_sorted(barrier, "left")) for frame in held]
        else:
            cuts = [frame.height for frame in held]
        ready += [frame[:cut] for frame, cut in zip(held, cuts, strict=True) if cut]
        held = [frame[cut:] for frame, cut in zip(held, cuts, strict=True) if cut < frame.height]
        count = sum(frame.height for frame in ready)
        if count >= rows:
            yield pl.concat(ready, rechunk=True)
            ready = []
    if ready:
        yield pl.concat(ready, rechunk=True)


def pieces_of_file(path: Path, rows: int, load: Callable[[int, int], pl.DataFrame]) -> list[Piece]:
    """Return the pieces of a stored file, whose rows are in order; ``load(offset, rows)`` reads a part of it."""
    starts = pl.scan_parquet(path, glob=False).select(pl.col("ts_event").gather_every(PIECE_ROWS)).collect()
    return [
        Piece(low, min(PIECE_ROWS, rows - offset), lambda offset=offset: load(offset, PIECE_ROWS))  # type: ignore[misc]
        for low, offset in zip(starts["ts_event"].to_list(), range(0, rows, PIECE_ROWS), strict=True)
    ]
