"""Market data held in memory, as a stream of a backtest: for notebooks, demos and tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lanner.backtest.spec import ChunkSource, Stream
from lanner.core.errors import DataError, NotFoundError
from lanner.storage.open_data import Dataset

if TYPE_CHECKING:
    import polars as pl

    from lanner.storage.catalog import Catalog

CHUNK_ROWS = 65_536
IN_MEMORY = "memory:"
"""What stands before the names of data that a run was handed as tables."""


@dataclass(frozen=True, slots=True)
class MemoryDataset(Dataset):
    """A data set of a table in memory; its catalog is where data that belongs to it may lie."""

    frame: pl.DataFrame | None = None

    def stream(self) -> Stream:
        """Return the rows as a stream of a run."""
        assert self.frame is not None
        stream = memory_stream(
            self.kind, self.instrument_id, self.frame, self.spec, synthetic=self.passport.synthetic
        )
        return replace(
            stream,
            content_hash=self.passport.content_hash,
            passport=self.passport,
            label=f"{self.ref} (in memory)",
        )


@dataclass(slots=True)
class Tables:
    """The tables that a run was handed, by the names that stand for them in its settings."""

    by_name: dict[str, Any]

    def open(
        self, name: str, catalog: Catalog, *, instrument: str, timeframe: str, notes: list[str]
    ) -> list[MemoryDataset]:
        """Return the data sets of one table; ``notes`` gets what had to be concluded."""
        from lanner.storage.frames import read_frame

        if name not in self.by_name:
            raise NotFoundError(
                f"the run played {name.removeprefix(IN_MEMORY)} from memory, and tables in memory are not kept",
                fix="Run it again where the table is, or import the data and name the data set.",
            )
        own = name.removeprefix(IN_MEMORY).partition("#")[0]
        found = read_frame(
            self.by_name[name],
            catalog,
            instrument=own if "." in own else instrument,
            timeframe=timeframe,
            name=f"the table of {own}" if "." in own else "the table",
        )
        for data in found:
            if data.concluded and data.instrument is not None:
                tick, lot = data.instrument.tick, data.instrument.lot
                notes.append(
                    f"{data.instrument_id}: tick {tick:f} and lot {lot:f} concluded from the prices and quantities"
                )
        return [
            MemoryDataset(
                catalog, data.kind, data.instrument_id, data.spec, data.passport, data.instrument, data.frame
            )
            for data in found
        ]


def tables_of(data: object, instrument: str) -> tuple[list[Any], Tables]:
    """Split what a caller hands as data into references and tables; return references for all of it.

    A table, a reference, a list of either, or a mapping of instrument ids to tables.
    """
    from lanner.storage.frames import is_table

    tables = Tables({})
    refs: list[Any] = []
    entries: list[tuple[str, object]]
    if isinstance(data, Mapping) and not is_table(data):
        entries = [(str(name), table) for name, table in data.items()]
    elif is_table(data) or isinstance(data, str) or not isinstance(data, Sequence):
        entries = [("", data)]
    else:
        entries = [("", entry) for entry in data]
    for own, entry in entries:
        if not is_table(entry):
            refs.append(entry)
            continue
        stem = name = f"{IN_MEMORY}{own or instrument or 'table'}"
        while name in tables.by_name:
            name = f"{stem}#{len(tables.by_name) + 1}"
        tables.by_name[name] = entry
        refs.append(name)
    return refs, tables


class MemoryChunks(ChunkSource):
    """Serve slices of one frame."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    def __call__(self, since_ns: int | None, until_ns: int | None) -> Iterator[pl.DataFrame]:
        """Return the frames of [since, until), in time order."""
        import polars as pl

        frame = self.frame
        if since_ns is not None:
            frame = frame.filter(pl.col("ts_event") >= since_ns)
        if until_ns is not None:
            frame = frame.filter(pl.col("ts_event") < until_ns)
        yield from frame.iter_slices(CHUNK_ROWS)


def memory_stream(
    kind: str, instrument_id: str, frame: pl.DataFrame, spec: str = "", *, synthetic: bool = False
) -> Stream:
    """Return a stream over a frame in the catalog's columns, sorted by time."""
    if not frame.height:
        raise DataError(f"{instrument_id}: the data set is empty", expected="at least one row", found="none")
    ts = frame["ts_event"]
    if not ts.is_sorted():
        frame = frame.sort("ts_event", maintain_order=True)
        ts = frame["ts_event"]
    digest = hashlib.blake2b(digest_size=16)
    for name in frame.columns:
        digest.update(frame[name].to_frame().hash_rows(seed=1).to_numpy().tobytes())
    return Stream(
        kind,
        instrument_id,
        spec,
        frame.height,
        int(ts[0]),
        int(ts[-1]),
        digest.hexdigest(),
        synthetic,
        None,
        MemoryChunks(frame),
    )
