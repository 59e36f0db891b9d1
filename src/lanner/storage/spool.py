"""Rows on their way into the catalog: kept in memory for seconds, in spool files for minutes, then committed.

Committing rewrites a day's file, so it is done rarely; a spool file costs next to nothing and survives a crash: what a
dead recording left behind is committed by the next one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.model.market import Bar, BookUpdate, FundingRate, MarketData, MarkPrice, Quote, Trade
from lanner.storage.passport import Passport, SourceRecord
from lanner.storage.schema import SCHEMAS, DatasetKey

if TYPE_CHECKING:
    import polars as pl

    from lanner.storage.catalog import Catalog

_KINDS: dict[type, str] = {
    Bar: "bars", Quote: "quotes", Trade: "trades", BookUpdate: "book", MarkPrice: "mark", FundingRate: "funding",
}  # fmt: skip

_PLAIN = {
    Bar: ("bars", attrgetter(*SCHEMAS["bars"])),
    Quote: ("quotes", attrgetter(*SCHEMAS["quotes"])),
    Trade: ("trades", attrgetter(*SCHEMAS["trades"])),
    FundingRate: ("funding", attrgetter(*SCHEMAS["funding"])),
}


def key_of(message: MarketData) -> DatasetKey:
    """Return the data set that a message belongs to."""
    kind = _KINDS[type(message)]
    return DatasetKey(kind, message.instrument_id, message.timeframe if type(message) is Bar else "")


def rows_of(message: MarketData) -> list[tuple[Any, ...]]:
    """Return a message as rows of its kind's columns."""
    plain = _PLAIN.get(type(message))
    if plain is not None:
        return [plain[1](message)]
    if type(message) is MarkPrice:
        return [(message.ts_event, message.ts_recv, message.mark_px, message.index_px, None, None)]
    assert type(message) is BookUpdate
    head = (
        message.ts_event,
        message.ts_recv,
        message.seq,
        message.first_seq,
        message.prev_seq,
        message.snapshot,
    )
    levels = [(1, px, qty) for px, qty in message.bids] + [(-1, px, qty) for px, qty in message.asks]
    final = len(levels) - 1
    return [(*head, side, px, qty, index == final) for index, (side, px, qty) in enumerate(levels)]


def frame_of(kind: str, rows: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
    """Turn rows into a frame of the kind's columns."""
    import polars as pl

    return pl.DataFrame(list(rows), schema=SCHEMAS[kind], orient="row", strict=False)


class Spool:
    """Gather rows by data set in ``folder``; ``flush`` writes them to spool files, ``commit`` into the catalog."""

    def __init__(self, folder: Path, *, source: str) -> None:
        self.folder = folder
        self.rows = 0
        self._source = source
        self._waiting: dict[DatasetKey, list[tuple[Any, ...]]] = {}
        self._parts = 0
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, message: MarketData) -> None:
        """Take a message."""
        rows = rows_of(message)
        self._waiting.setdefault(key_of(message), []).extend(rows)
        self.rows += len(rows)

    @property
    def waiting(self) -> int:
        """Return how many rows are in memory."""
        return sum(map(len, self._waiting.values()))

    def take(self) -> dict[DatasetKey, list[tuple[Any, ...]]]:
        """Hand over what is in memory, so that another thread can write it."""
        taken, self._waiting = self._waiting, {}
        return taken

    def put_back(self, taken: dict[DatasetKey, list[tuple[Any, ...]]]) -> None:
        """Take rows back that could not be written."""
        for key, rows in taken.items():
            self._waiting[key] = rows + self._waiting.get(key, [])

    def write(self, taken: dict[DatasetKey, list[tuple[Any, ...]]]) -> None:
        """Write rows to spool files, one for each data set."""
        for key, rows in taken.items():
            place = self.folder / key.kind / key.instrument_id.replace("/", "_") / key.folder
            place.mkdir(parents=True, exist_ok=True)
            self._parts += 1
            path = place / f"{self._parts:08d}.parquet"
            draft = path.with_suffix(".part")
            frame_of(key.kind, rows).write_parquet(
                draft, compression="zstd", metadata={"instrument": key.instrument_id}
            )
            draft.rename(path)

    def commit(self, catalog: Catalog) -> list[DatasetKey]:
        """Merge all spool files into the catalog and delete them; returns the data sets that grew."""
        return commit_folder(self.folder, catalog, self._source)


def commit_folder(folder: Path, catalog: Catalog, source: str) -> list[DatasetKey]:
    """Merge the spool files of a folder into the catalog, data set by data set, and delete them."""
    import polars as pl

    grown = []
    for place in sorted({path.parent for path in folder.rglob("*.parquet")}):
        files = sorted(place.glob("*.parquet"))
        instrument_id = pl.read_parquet_metadata(files[0])["instrument"]
        spec = "" if place.name == "all" else place.name
        key = DatasetKey(place.parent.parent.name, instrument_id, spec)
        frames = [pl.read_parquet(file) for file in files]
        rows = sum(frame.height for frame in frames)
        record = grown_source(catalog.passport(*key), file=source, format="recording", rows=rows)
        passport = Passport(kind=key.kind, instrument_id=instrument_id, spec=spec, sources=[record])
        catalog.write(*key, frames, passport)
        for file in files:
            file.unlink()
        grown.append(key)
    return grown


def grown_source(
    before: Passport | None, *, file: str, format: str, rows: int, notes: Sequence[str] = ()
) -> SourceRecord:
    """Return the record of a source that grows: one for all its additions, however many there are."""
    name = hashlib.sha256(f"{format} {file}".encode()).hexdigest()
    old = next((source for source in before.sources if source.sha256 == name), None) if before else None
    told = dict.fromkeys([*(old.notes if old else ()), *notes])
    return SourceRecord(
        file=file, sha256=name, format=format, rows=rows + (old.rows if old else 0), notes=list(told)
    )
