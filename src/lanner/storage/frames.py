"""Read a table that lies in memory the way a file is read: columns recognised, rows checked, passport and grid."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lanner.core.errors import ConfigError, DataError
from lanner.model.instruments import Instrument
from lanner.storage.catalog import Catalog
from lanner.storage.commit import Addition, assemble
from lanner.storage.importers.arrow import read_table
from lanner.storage.importers.columns import REQUIRED, fold, guess_kind, missing_roles, roles_of
from lanner.storage.importers.intake import Intake
from lanner.storage.importers.names import Namer, names_of
from lanner.storage.importers.run import build_instrument
from lanner.storage.importers.source import SourceFile
from lanner.storage.importers.table import Options
from lanner.storage.passport import PartitionStats, Passport, Rejection, SourceRecord
from lanner.storage.quality import measure
from lanner.storage.schema import SCHEMAS, DatasetKey, partition_label
from lanner.storage.settle import settle
from lanner.storage.staging import Staging


@dataclass(frozen=True, slots=True)
class FrameData:
    """One data set of a table: rows in the catalog's columns and order, its passport, and its instrument.

    ``concluded`` tells that the instrument's tick and lot come from the prices and quantities.
    """

    kind: str
    instrument_id: str
    spec: str
    frame: pl.DataFrame
    passport: Passport
    instrument: Instrument | None
    concluded: bool


def is_table(value: object) -> bool:
    """Tell whether a value is a table: a polars frame, anything that speaks Arrow, or a mapping of columns."""
    if isinstance(value, pl.DataFrame | pl.LazyFrame) or hasattr(value, "__arrow_c_stream__"):
        return True
    return isinstance(value, Mapping) and not any(
        is_table(part) for part in value.values() if not _is_column(part)
    )


def _is_column(value: object) -> bool:
    return isinstance(value, pl.Series | list | tuple) or (
        hasattr(value, "__array__") and not hasattr(value, "columns")
    )


def as_frame(value: Any, name: str) -> pl.DataFrame:
    """Return a table as a polars frame; raise ``ConfigError`` when its columns do not make one."""
    try:
        frame = value.collect() if isinstance(value, pl.LazyFrame) else pl.DataFrame(value)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{name} is not a table",
            expected="a polars DataFrame, or a mapping of names to columns of one length",
            found=str(error).splitlines()[0][:200],
        ) from error
    assert isinstance(frame, pl.DataFrame)
    return frame


def read_frame(
    value: Any, catalog: Catalog, *, instrument: str = "", timeframe: str = "", name: str = "the frame"
) -> list[FrameData]:
    """Read bars, trades, quotes, funding rates or mark prices from a table in memory.

    Columns are recognised by name as in files (``time, open, high, low, close, volume``; ``time, price, qty`` …), or
    are the catalog's own. A table with a symbol column gives several data sets. Tick and lot are those of the
    catalog's instrument, else concluded. Raises ``ConfigError`` for columns that say nothing and ``DataError``
    for the first row that cannot be market data.
    """
    frame = as_frame(value, name)
    if frame.is_empty():
        raise DataError(
            f"{name} holds no rows", expected="rows of market data", found=", ".join(frame.columns)
        )
    _check_columns(frame, name)
    source = SourceFile(Path(name))
    namer = Namer(Path(name), instrument, stored=names_of(catalog.instrument_ids()))
    if not instrument and "symbol" not in _roles(frame) and "instrument_id" not in frame.columns:
        raise ConfigError(
            f"{name} does not say which instrument it is",
            expected='instrument="BTC-USDT.BINANCE" beside it, or a column of symbols',
        )
    options = Options(instrument=instrument, timeframe=timeframe, timeframe_is_hint=True)
    with tempfile.TemporaryDirectory(prefix="lanner-frame-") as folder, Staging(Path(folder)) as staging:
        intake = Intake(staging, on_reject=lambda item: _refuse(item, name))
        intake.begin(source, "frame")
        read_table(source, [frame], frame.schema, frame.head(1000), intake, namer, options)
        intake.finish()
        keys = [key for key in intake.records if staging.rows.get(key)]
        return [_take(key, intake, catalog) for key in keys]


def _roles(frame: pl.DataFrame) -> dict[str, str]:
    kind = guess_kind(frame.columns)
    return {} if kind is None else roles_of(frame.columns, kind).columns


def _check_columns(frame: pl.DataFrame, name: str) -> None:
    """Refuse a table that is of no kind, naming what lacks to the one it is nearest to."""
    own = any(set(columns) <= set(frame.columns) for columns in SCHEMAS.values())
    if own or guess_kind(frame.columns) is not None:
        return
    telling = [name for name in frame.columns if len(fold(name)) > 1]
    lacking = {kind: missing_roles(roles_of(telling, kind)) for kind in REQUIRED}
    nearest = min(lacking, key=lambda kind: (len(lacking[kind]) / len(REQUIRED[kind]), kind))
    near = len(lacking[nearest]) < len(REQUIRED[nearest])
    raise ConfigError(
        f"{name} has no column for {', '.join(lacking[nearest])}" if near else f"{name} is no market data",
        expected=f"columns for {', '.join(REQUIRED[nearest])}"
        if near
        else "e.g. time, open, high, low, close, volume, or time, price, quantity",
        found=", ".join(map(repr, frame.columns[:20])),
        fix='Rename columns, e.g. frame.rename({"vwap": "price"}).',
    )


def _refuse(item: Rejection, name: str) -> None:
    row = f", row {item.line - 1} (counted from 0)" if item.line else ""
    raise DataError(f"{name}{row}: {item.reason}", fix="Mend the row, or leave it out of the table.")


def _take(key: DatasetKey, intake: Intake, catalog: Catalog) -> FrameData:
    parts: list[PartitionStats] = []
    frames: list[pl.DataFrame] = []
    records: dict[int, SourceRecord] = intake.records[key]
    for number in intake.staging.partitions(key):
        settled = settle(intake.staging.take(key, number), key.kind, key.spec)
        for source, count in settled.exact.items():
            records[source].duplicates_exact += count
        for source, count in settled.conflicting.items():
            records[source].duplicates_conflicting += count
        parts.append(PartitionStats(label=partition_label(number), file="", **measure(settled.frame, key)))
        frames.append(settled.frame)
    instrument, concluded = _instrument(key, intake, catalog)
    passport = intake.passport(key)
    return FrameData(
        key.kind,
        key.instrument_id,
        key.spec,
        pl.concat(frames),
        assemble(Addition(key, passport, records), None, parts),
        instrument,
        concluded,
    )


def _instrument(key: DatasetKey, intake: Intake, catalog: Catalog) -> tuple[Instrument | None, bool]:
    known = catalog.instrument(key.instrument_id)
    grid = intake.grid(key.instrument_id)
    if known is not None or not grid.known:
        return known, False
    return build_instrument(key.instrument_id, grid.tick, grid.lot), True
