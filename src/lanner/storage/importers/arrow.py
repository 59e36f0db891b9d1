"""Import Parquet and Arrow (IPC, feather) files: Lanner's own, freqtrade's, and tables with telling column names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import polars as pl

from lanner.core.errors import DataError
from lanner.model.timeframes import TIMEFRAMES_NS
from lanner.storage.importers.columns import guess_kind, roles_of
from lanner.storage.importers.intake import Intake
from lanner.storage.importers.names import Namer
from lanner.storage.importers.source import SourceFile
from lanner.storage.importers.table import Options, Table, read_frames, spec_of_opens, typed_times
from lanner.storage.schema import SCHEMAS, DatasetKey, completed

_CHUNK = 262_144
_NEW = frozenset({"prev_seq"})
"""Columns that files of older versions do not have."""
_FREQTRADE = re.compile(
    r"^(?P<pair>.+?)-(?:(?P<tf>\d+[smhdwM])(?:-(?P<kind>mark|futures|spot|index|premiumIndex|funding_rate))?|trades)"
    r"\.(feather|json|json\.gz|parquet)$"
)


def read(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import a Parquet or Arrow file, in slices."""
    if source.packing:
        raise DataError(
            f"{source.name}: Parquet and Arrow files cannot be read packed",
            expected="a plain file",
            fix="Unpack it first.",
        )
    lazy = _scan(source)
    try:
        schema = lazy.collect_schema()
        first = lazy.head(1000).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(source, error) from error
    if first.is_empty():
        raise DataError(
            f"{source.name} holds no rows",
            expected="rows of market data",
            found=f"columns {', '.join(schema)}",
        )
    name_freqtrade(source, namer)
    if candle_kind(source) in ("mark", "index") and not _own_kind(schema):
        read_mark_candles(_slices(source, lazy), source, intake, namer, options)
    else:
        read_table(source, _slices(source, lazy), schema, first, intake, namer, options)


def read_table(
    source: SourceFile,
    frames: Iterable[pl.DataFrame],
    schema: pl.Schema,
    first: pl.DataFrame,
    intake: Intake,
    namer: Namer,
    options: Options,
) -> None:
    """Import frames of one table: the catalog's own columns, or columns whose names tell their meaning."""
    if _own_kind(schema):
        _read_own(source, frames, schema, intake, namer, options)
        return
    kind = guess_kind(list(schema))
    if kind is None:
        raise unknown_columns(source, list(schema))
    mapping = roles_of(list(schema), kind)
    times = typed_times(schema, mapping, first, source.name)
    read_frames(frames, Table(mapping, times, namer, options), intake)


def unknown_columns(source: SourceFile, names: list[str]) -> DataError:
    """Return the error for a table whose columns mean nothing to Lanner."""
    return DataError(
        f"{source.name}: the columns are not those of bars, trades, quotes, funding or mark prices",
        expected="e.g. time, open, high, low, close, volume, or time, price, quantity",
        found=", ".join(names[:20]),
        fix="Rename the columns, or convert the file to one of the formats of `lanner data formats`.",
    )


def name_freqtrade(source: SourceFile, namer: Namer) -> None:
    """Understand freqtrade's file names: ``BASE_QUOTE-5m.feather``, ``BASE_QUOTE_SETTLE-1h-mark.feather``."""
    match = _FREQTRADE.match(source.stem)
    if match is None:
        return
    parts = match["pair"].split("_")
    if len(parts) >= 2:
        namer.symbol = f"{parts[0]}-{parts[1]}"
    namer.perp = namer.perp or len(parts) == 3 or (match["kind"] in ("mark", "futures", "funding_rate"))


def candle_kind(source: SourceFile) -> str:
    """Return what a freqtrade file's candles are made of: trades (empty), ``mark``, ``funding_rate`` …"""
    match = _FREQTRADE.match(source.stem)
    return (match["kind"] or "") if match is not None else ""


def read_mark_candles(
    frames: Iterator[pl.DataFrame], source: SourceFile, intake: Intake, namer: Namer, options: Options
) -> None:
    """Import candles of the mark price as mark prices at their closes."""
    key, spec = DatasetKey("mark", namer.id_of()), options.timeframe
    column = "index_px" if candle_kind(source) == "index" else "mark_px"
    for frame in frames:
        opened = frame["date"]
        nanos = (
            opened.cast(pl.Datetime("ns")).dt.epoch("ns") if opened.dtype != pl.Int64 else opened * 1_000_000
        )
        spec = spec or spec_of_opens(nanos.to_numpy(), source.name)
        none = pl.lit(None, dtype=pl.Float64)
        rows = frame.select(
            (nanos + TIMEFRAMES_NS[spec]).alias("ts_event"),
            (nanos + TIMEFRAMES_NS[spec]).alias("ts_recv"),
            *(
                pl.col("close").alias(name) if name == column else none.alias(name)
                for name in ("mark_px", "index_px")
            ),
            none.alias("last_px"),
            none.alias("open_interest"),
        )
        intake.add(key, rows)
    intake.warn(
        key, f"Made from {spec} candles: one mark price at each close; the movement inside is not known."
    )


def _scan(source: SourceFile) -> pl.LazyFrame:
    magic = source.head()[:8]
    if magic.startswith(b"PAR1"):
        return pl.scan_parquet(source.path, glob=False)
    if magic.startswith(b"ARROW1"):
        return pl.scan_ipc(source.path, glob=False)
    if magic.startswith(b"FEA1"):
        raise DataError(
            f"{source.name} is a feather file of version 1",
            expected="version 2",
            fix="Save it again as feather 2 or Parquet.",
        )
    if magic[:4] == b"\xff\xff\xff\xff":
        return pl.read_ipc_stream(source.path).lazy()
    raise DataError(
        f"{source.name} is neither Parquet nor Arrow",
        found=f"a file that starts with {magic!r}",
        fix="Use --format auto.",
    )


def _slices(source: SourceFile, lazy: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    offset = 0
    try:
        rows = int(lazy.select(pl.len()).collect().item())
        while offset < rows:
            frame = lazy.slice(offset, _CHUNK).collect()
            if source.progress is not None:
                source.progress(source.size * frame.height // rows)
            yield frame
            offset += frame.height
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(source, error) from error


def _unreadable(source: SourceFile, error: Exception) -> DataError:
    return DataError(
        f"{source.name} cannot be read",
        expected="a complete Parquet or Arrow file",
        found=str(error).splitlines()[0][:200],
        fix="Download or write the file again; nothing was imported from it.",
    )


def _own_kind(schema: pl.Schema) -> str:
    """Return the kind when a table has all columns of one of the catalog's own schemas."""
    return next((kind for kind, columns in SCHEMAS.items() if set(columns) - _NEW <= set(schema)), "")


def _read_own(
    source: SourceFile,
    frames: Iterable[pl.DataFrame],
    schema: pl.Schema,
    intake: Intake,
    namer: Namer,
    options: Options,
) -> None:
    kind = _own_kind(schema)
    symbol = "instrument_id" if "instrument_id" in schema else None
    spec = "" if options.timeframe_is_hint else options.timeframe
    for frame in frames:
        parts = frame.partition_by(symbol, as_dict=True, maintain_order=True) if symbol else {("",): frame}
        for name, part in parts.items():
            instrument_id = str(name[0]) if symbol and not options.instrument else namer.id_of()
            if kind == "bars":
                spec = spec or _spec_of(part, source, options)
            intake.add(DatasetKey(kind, instrument_id, spec if kind == "bars" else ""), completed(part, kind))


def _spec_of(bars: pl.DataFrame, source: SourceFile, options: Options) -> str:
    """Return the timeframe that the bars have; what the user hinted at counts where they do not tell it."""
    try:
        return spec_of_opens(bars["ts_open"].to_numpy(), source.name)
    except DataError:
        if not options.timeframe:
            raise
        return options.timeframe
