"""The catalog: market data as Parquet files, one passport per data set, read lazily and replaced atomically.

A data set's passport lists its files by name, and file names carry the hash of their rows. So the rename of
the passport is the one moment at which an import becomes visible; files that no passport lists are leftovers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import quote, unquote

import msgspec
import polars as pl

from lanner.core.errors import DataError, NotFoundError
from lanner.model.instruments import Instrument
from lanner.storage.files import told_as_data_error, write_atomic
from lanner.storage.passport import PASSPORT_VERSION, PartitionStats, Passport
from lanner.storage.schema import DatasetKey, check_kind, completed, conform
from lanner.storage.staging import Staging


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """One line of the catalog's table of contents. Times are UNIX nanoseconds, both ends inclusive."""

    kind: str
    instrument_id: str
    spec: str
    rows: int
    start_ns: int
    end_ns: int
    synthetic: bool
    content_hash: str
    size: int = 0
    problems: int = 0

    @property
    def ref(self) -> str:
        """Return what a user writes after ``--data``."""
        return DatasetKey(self.kind, self.instrument_id, self.spec).ref


class Catalog:
    """Market data under one folder. Reading needs no lock; writers take turns."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    # -- what there is -----------------------------------------------------------------------------

    def datasets(self) -> list[DatasetInfo]:
        """Return all data sets, ordered by instrument, kind and specification."""
        paths = sorted((self.root / "passports").glob("*.json"))
        infos = [info_of(self._load_passport(path)) for path in paths if not path.name.startswith(".")]
        return sorted(infos, key=lambda info: (info.instrument_id, info.kind, info.spec))

    def passport(self, kind: str, instrument_id: str, spec: str = "") -> Passport | None:
        """Return the passport of a data set, or None when the data set does not exist."""
        path = self.passport_path(DatasetKey(check_kind(kind), instrument_id, spec))
        return self._load_passport(path) if path.exists() else None

    def instrument(self, instrument_id: str) -> Instrument | None:
        """Return the stored instrument, or None."""
        path = self.instrument_path(instrument_id)
        if not path.exists():
            return None
        try:
            return Instrument.from_json(path.read_bytes())
        except msgspec.DecodeError as error:
            raise DataError(
                f"the instrument file {path} is damaged",
                found=error,
                fix="Import the data again, or delete the file.",
            ) from error

    def instrument_ids(self) -> list[str]:
        """Return the ids of all stored instruments, in order."""
        return sorted(unquote(path.stem) for path in (self.root / "instruments").glob("[!.]*.json"))

    def save_instrument(self, instrument: Instrument) -> None:
        """Store an instrument, replacing what is stored under its id."""
        write_atomic(self.instrument_path(instrument.id), instrument.to_json())

    # -- reading -----------------------------------------------------------------------------------

    def scan(
        self,
        kind: str,
        instrument_id: str,
        spec: str = "",
        *,
        since_ns: int | None = None,
        until_ns: int | None = None,
        chunk_rows: int = 65_536,
    ) -> Iterator[pl.DataFrame]:
        """Yield the rows of a data set in order of ``ts_event``, those in [since, until), in frames.

        Frames hold at most ``chunk_rows`` rows; no more than one frame and the file it comes from are in memory.
        Raises ``NotFoundError`` for a data set that does not exist.
        """
        passport = self.require(kind, instrument_id, spec)
        return self._scan(passport, since_ns, until_ns, chunk_rows)

    def require(self, kind: str, instrument_id: str, spec: str = "") -> Passport:
        """Return the passport of a data set that must exist, else raise ``NotFoundError`` with near names."""
        found = self.passport(kind, instrument_id, spec)
        if found is None:
            raise self.missing(DatasetKey(kind, instrument_id, spec).ref)
        return found

    def missing(self, ref: str) -> NotFoundError:
        """Return the error for a data set that is not here, naming those that are close."""
        known = [info.ref for info in self.datasets()]
        if not known:
            return NotFoundError(
                f"no data set {ref!r}",
                found=f"an empty catalog at {self.root}",
                fix="Import a file with `lanner data import FILE`, or make some with `lanner data synth`.",
            )
        near = get_close_matches(ref, known, n=5, cutoff=0.4) or known[:5]
        return NotFoundError(
            f"no data set {ref!r} in {self.root}",
            expected=f"one of {', '.join(near)}{' …' if len(known) > len(near) else ''}",
            fix="`lanner data list` shows all of them.",
        )

    def _scan(
        self, passport: Passport, since_ns: int | None, until_ns: int | None, chunk_rows: int
    ) -> Iterator[pl.DataFrame]:
        held: list[pl.DataFrame] = []
        rows = 0
        for part in passport.partitions:
            if since_ns is not None and part.end_ns < since_ns:
                continue
            if until_ns is not None and part.start_ns >= until_ns:
                break
            for frame in self._read(passport.key, part, since_ns, until_ns, chunk_rows):
                held.append(frame)
                rows += frame.height
                while rows >= chunk_rows:
                    joined = pl.concat(held, rechunk=True)
                    yield joined[:chunk_rows]
                    held = [joined[chunk_rows:]]
                    rows -= chunk_rows
        if rows:
            yield pl.concat(held, rechunk=True)

    def _read(
        self,
        key: DatasetKey,
        part: PartitionStats,
        since_ns: int | None,
        until_ns: int | None,
        chunk_rows: int,
    ) -> Iterator[pl.DataFrame]:
        path = self.dataset_folder(key) / part.file
        begin, end = 0, part.rows
        try:
            if (since_ns is not None and part.start_ns < since_ns) or (
                until_ns is not None and part.end_ns >= until_ns
            ):
                times = pl.read_parquet(path, columns=["ts_event"], glob=False).to_series()
                begin = 0 if since_ns is None else int(times.search_sorted(since_ns, "left"))
                end = part.rows if until_ns is None else int(times.search_sorted(until_ns, "left"))
            if part.rows <= chunk_rows:
                yield completed(pl.read_parquet(path, glob=False)[begin:end], key.kind)
                return
            lazy = pl.scan_parquet(path, glob=False)
            for offset in range(begin, end, chunk_rows):
                yield completed(lazy.slice(offset, min(chunk_rows, end - offset)).collect(), key.kind)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(
                f"cannot read {path} of the data set {key.ref}",
                found=error,
                fix="If an import ran meanwhile, try again; else import the data again with --replace.",
            ) from error

    # -- writing -----------------------------------------------------------------------------------

    def write(
        self,
        kind: str,
        instrument_id: str,
        spec: str,
        frames: Iterable[pl.DataFrame],
        passport: Passport,
        *,
        replace: bool = False,
    ) -> DatasetInfo:
        """Store frames of one data set, in any order, and complete the passport from the rows.

        Merges with what exists (a bar or trade given again replaces, an identical row is dropped) unless
        ``replace`` is true. Nothing changes when anything fails.
        """
        from lanner.storage.commit import Addition, commit

        key = DatasetKey(check_kind(kind), instrument_id, spec)
        with told_as_data_error(self.root), Staging(self.root) as staging:
            order = 0
            for frame in frames:
                rows = conform(frame, kind)
                staging.add(
                    key,
                    rows.with_columns(
                        pl.lit(0, dtype=pl.Int32).alias("_src"),
                        pl.int_range(order, order + rows.height, dtype=pl.Int64).alias("_order"),
                    ),
                )
                order += rows.height
            if not order:
                raise DataError(f"no rows for the data set {key.ref}", fix="Nothing was written.")
            [done] = commit(self, staging, [Addition(key, passport)], replace=replace)
        return info_of(done.passport)

    # -- places ------------------------------------------------------------------------------------

    def dataset_folder(self, key: DatasetKey) -> Path:
        """Return the folder of a data set's Parquet files."""
        return self.root / key.kind / safe_name(key.instrument_id) / safe_name(key.folder)

    def passport_path(self, key: DatasetKey) -> Path:
        """Return the file of a data set's passport."""
        name = f"{key.kind}__{safe_name(key.instrument_id)}__{safe_name(key.folder)}.json"
        return self.root / "passports" / name

    def instrument_path(self, instrument_id: str) -> Path:
        """Return the file of an instrument."""
        return self.root / "instruments" / f"{safe_name(instrument_id)}.json"

    def _load_passport(self, path: Path) -> Passport:
        try:
            passport = Passport.from_json(path.read_bytes())
        except (msgspec.DecodeError, OSError) as error:
            raise DataError(
                f"the data passport {path} is damaged",
                found=error,
                fix="Import the data again with --replace, or delete the file to drop the data set.",
            ) from error
        if passport.version > PASSPORT_VERSION:
            raise DataError(
                f"the data passport {path} was written by a newer Lanner",
                expected=f"version {PASSPORT_VERSION} or lower",
                found=passport.version,
                fix="Update Lanner.",
            )
        return passport


def info_of(passport: Passport) -> DatasetInfo:
    """Return the short form of a passport."""
    return DatasetInfo(
        kind=passport.kind,
        instrument_id=passport.instrument_id,
        spec=passport.spec,
        rows=passport.rows,
        start_ns=passport.start_ns,
        end_ns=passport.end_ns,
        synthetic=passport.synthetic,
        content_hash=passport.content_hash,
        size=passport.size,
        problems=len(passport.problems()),
    )


def safe_name(text: str) -> str:
    """Return a name that can be a file: letters, digits and ``-_.`` stay, the rest becomes %XX."""
    return quote(text, safe="-_.")
