"""Open what a user names after ``--data``: a data set of the catalog, or a file that is imported on the fly."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from lanner.core.errors import NotFoundError
from lanner.model.instruments import Instrument
from lanner.storage.catalog import Catalog
from lanner.storage.environment import cache_limit
from lanner.storage.file_cache import FileCache
from lanner.storage.importers.run import import_files
from lanner.storage.importers.source import open_sources
from lanner.storage.importers.table import Options
from lanner.storage.passport import Passport
from lanner.storage.schema import KINDS, DatasetKey

CACHED_FILES = "files"
"""Folder inside the cache that holds imported files."""

_CACHE_VERSION = "2"
_FILE_ENDINGS = (
    ".csv", ".tsv", ".txt", ".gz", ".zip", ".bz2", ".xz", ".json", ".jsonl", ".feather", ".arrow", ".ipc", ".parquet",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dataset:
    """One data set ready to be read: ``catalog.scan(kind, instrument_id, spec)``."""

    catalog: Catalog
    kind: str
    instrument_id: str
    spec: str
    passport: Passport
    instrument: Instrument | None

    @property
    def ref(self) -> str:
        """Return the reference of the data set inside its catalog."""
        return DatasetKey(self.kind, self.instrument_id, self.spec).ref


@dataclass(frozen=True, slots=True)
class DataSource:
    """What a reference stands for: one data set, or those that one file holds."""

    ref: str
    datasets: list[Dataset]
    notes: list[str] = field(default_factory=list)


def open_source(
    ref: str,
    *,
    catalog: Catalog,
    instrument: str | None = None,
    timeframe: str | None = None,
    format: str = "auto",
    cache_dir: Path,
) -> DataSource:
    """Open ``BTC-USDT.BINANCE@1h``, ``BTC-USDT.BINANCE@trades``, a bare instrument id, or a file.

    A file is imported into a catalog of its own under ``cache_dir``, named by the hash of its content and
    the options, and opened from there the next time; ``LANNER_CACHE_SIZE`` bounds what is kept there.
    ``timeframe`` picks among the bars of a bare id, and helps with files that do not tell theirs.
    Raises ``NotFoundError`` naming what is close.
    """
    path = Path(ref).expanduser()
    if path.is_file():
        return _open_file(ref, path, catalog, instrument, timeframe, format, cache_dir)
    if _means_a_file(ref):
        raise NotFoundError(
            f"no such file: {ref}", fix="Check the path, or name a data set of `lanner data list`."
        )
    instrument_id, _, what = ref.partition("@")
    if what:
        kind, spec = (what, "") if what in KINDS else ("bars", what)
        return DataSource(ref, [_dataset(catalog, kind, instrument_id, spec)])
    return DataSource(ref, [_only_one(catalog, instrument_id, timeframe)])


def _means_a_file(ref: str) -> bool:
    return ref.startswith(("/", "./", "../", "~")) or ref.lower().endswith(_FILE_ENDINGS)


def _only_one(catalog: Catalog, instrument_id: str, timeframe: str | None) -> Dataset:
    mine = [info for info in catalog.datasets() if info.instrument_id == instrument_id]
    if timeframe:
        exact = [info for info in mine if info.kind == "bars" and info.spec == timeframe]
        mine = exact or mine
    if len(mine) == 1:
        return _dataset(catalog, mine[0].kind, mine[0].instrument_id, mine[0].spec)
    if not mine:
        raise catalog.missing(f"{instrument_id}@{timeframe}" if timeframe else instrument_id)
    raise NotFoundError(
        f"{instrument_id} has several data sets",
        expected=f"one of {', '.join(info.ref for info in mine)}",
        fix="Name one of them after --data.",
    )


def _dataset(catalog: Catalog, kind: str, instrument_id: str, spec: str) -> Dataset:
    passport = catalog.require(kind, instrument_id, spec)
    return Dataset(catalog, kind, instrument_id, spec, passport, catalog.instrument(instrument_id))


def _open_file(
    ref: str,
    path: Path,
    catalog: Catalog,
    instrument: str | None,
    timeframe: str | None,
    format: str,
    cache_dir: Path,
) -> DataSource:
    options = Options(instrument=instrument or "", timeframe=timeframe or "", timeframe_is_hint=True)
    shas = ",".join(source.sha256 for source in open_sources(path))
    told = "|".join(
        (_CACHE_VERSION, shas, path.name, str(path.parent), options.instrument, options.timeframe, format)
    )
    cache = FileCache(Path(cache_dir) / CACHED_FILES)
    cached = cache.open(hashlib.sha256(told.encode()).hexdigest()[:24])
    notes: list[str] = []
    if not cached.datasets():
        notes = import_files([path], cached, format=format, options=options).notes
        cache.prune(cache_limit())
    datasets = [
        _told_by_venue(_dataset(cached, info.kind, info.instrument_id, info.spec), catalog)
        for info in cached.datasets()
    ]
    return DataSource(ref, datasets, notes)


def _told_by_venue(dataset: Dataset, catalog: Catalog) -> Dataset:
    """Give a file's data the instrument as its venue told it, where the catalog knows that."""
    told = catalog.instrument(dataset.instrument_id)
    return replace(dataset, instrument=told) if told is not None and told.symbol else dataset
