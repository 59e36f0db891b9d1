"""Hold the rows of an import, in any order, outside memory until each partition can be settled."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import polars as pl

from lanner.storage.external import PIECE_ROWS, Piece
from lanner.storage.schema import DatasetKey, partition_id

SPILL_ROWS = 2_000_000
"""Rows kept in memory over all partitions before they go to disk."""


class Spilled(NamedTuple):
    """Rows on disk: the file, the least time and how many."""

    path: Path
    low: int
    rows: int

    def take(self) -> pl.DataFrame:
        """Return the rows in order of time; the file goes."""
        frame = pl.read_ipc(self.path)
        self.path.unlink()
        return frame if frame["ts_event"].is_sorted() else frame.sort("ts_event", maintain_order=True)


class Staging:
    """Collect frames by data set and partition; use it as a context manager.

    Frames carry two more columns than their kind: ``_src`` (number of the source) and ``_order`` (order of
    arrival inside the source).
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        _sweep(root)
        self._folder = Path(tempfile.mkdtemp(prefix=f".staging-{os.getpid()}-", dir=root))
        self._memory: dict[tuple[DatasetKey, int], list[pl.DataFrame]] = defaultdict(list)
        self._files: dict[tuple[DatasetKey, int], list[Spilled]] = defaultdict(list)
        self._nameless: set[tuple[DatasetKey, int]] = set()
        self._rows_in_memory = 0
        self._counter = 0
        self.rows: dict[DatasetKey, int] = {}

    def __enter__(self) -> Staging:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, key: DatasetKey, frame: pl.DataFrame) -> None:
        """Take rows in; beyond ``SPILL_ROWS`` everything held moves to disk."""
        if frame.is_empty():
            return
        self.rows[key] = self.rows.get(key, 0) + frame.height
        for number, part in _split(frame, key):
            self._memory[key, number].append(part)
            if key.kind == "trades" and not (part["trade_id"] != "").all():
                self._nameless.add((key, number))
        self._rows_in_memory += frame.height
        if self._rows_in_memory > SPILL_ROWS:
            self._spill()

    def partitions(self, key: DatasetKey) -> list[int]:
        """Return the numbers of the partitions that hold rows of a data set, in order of time."""
        held = {number for name, number in (*self._memory, *self._files) if name == key}
        return sorted(held)

    def take(self, key: DatasetKey, partition: int) -> pl.DataFrame:
        """Return all rows of one partition in the order of arrival and forget those in memory."""
        spilled = self._files.pop((key, partition), [])
        parts = [pl.read_ipc(item.path) for item in spilled]
        parts += self._memory.pop((key, partition), [])
        frame = pl.concat(parts)
        for item in spilled:
            item.path.unlink()
        return frame

    @property
    def folder(self) -> Path:
        """Return the folder for what is larger than memory; it goes with the staging area."""
        return self._folder

    def size(self, key: DatasetKey, partition: int) -> int:
        """Return how many rows of one partition are held."""
        in_memory = sum(frame.height for frame in self._memory.get((key, partition), []))
        return in_memory + sum(item.rows for item in self._files.get((key, partition), []))

    def named(self, key: DatasetKey, partition: int) -> bool:
        """Tell whether every trade of one partition has an id."""
        return (key, partition) not in self._nameless

    def pieces(self, key: DatasetKey, partition: int) -> list[Piece]:
        """Return the rows of one partition as sorted pieces on disk."""
        self._spill()
        spilled = self._files.pop((key, partition), [])
        return [Piece(item.low, item.rows, item.take) for item in spilled]

    def _spill(self) -> None:
        for name, frames in self._memory.items():
            rows = pl.concat(frames)
            if rows.height > PIECE_ROWS and not rows["ts_event"].is_sorted():
                rows = rows.sort("ts_event", maintain_order=True)
            for piece in rows.iter_slices(PIECE_ROWS):
                path = self._folder / f"{self._counter}.arrow"
                self._counter += 1
                piece.write_ipc(path, compression="lz4")
                low = piece["ts_event"].min()
                assert isinstance(low, int)
                self._files[name].append(Spilled(path, low, piece.height))
        self._memory.clear()
        self._rows_in_memory = 0


def _split(frame: pl.DataFrame, key: DatasetKey) -> list[tuple[int, pl.DataFrame]]:
    expression = partition_id(key.kind, key.spec)
    column = "ts_open" if key.kind == "bars" else "ts_event"
    ends = frame.select(pl.col(column).min().alias("low"), pl.col(column).max().alias("high"))
    bounds = ends.unpivot().select(pl.col("value").alias(column)).select(expression).to_series().to_list()
    if bounds[0] == bounds[1]:
        return [(int(bounds[0]), frame)]
    parts = frame.with_columns(expression.alias("_part")).partition_by(
        "_part", as_dict=True, include_key=False, maintain_order=True
    )
    return [(int(number[0]), part) for number, part in parts.items()]


def _sweep(root: Path) -> None:
    """Remove what imports that died (power cut, kill) left behind."""
    for folder in root.glob(".staging-*"):
        owner = folder.name.split("-")[1]
        if owner.isdigit() and not _alive(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
