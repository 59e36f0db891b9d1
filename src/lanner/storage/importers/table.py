"""Turn tables (CSV, Parquet, Arrow) into rows of one kind, given which column plays which role."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from lanner.core.errors import ConfigError, DataError
from lanner.model.timeframes import DAY_NS, TIMEFRAMES_NS
from lanner.storage.importers.columns import Mapping
from lanner.storage.importers.dialect import Dialect, read_batches
from lanner.storage.importers.intake import Intake, LineText
from lanner.storage.importers.names import Namer
from lanner.storage.importers.source import SourceFile
from lanner.storage.importers.times import TimeReader, fit_time, number_to_ns, unit_of
from lanner.storage.schema import DatasetKey

_TEXT_ROLES = frozenset({"side", "buyer_maker", "id", "symbol"})
_TIME_ROLES = frozenset({"time", "recv", "close_time"})
_BUY = ("buy", "b", "bid", "long", "buyer", "1", "buyers")
_SELL = ("sell", "s", "a", "ask", "short", "seller", "-1", "sells")


@dataclass(slots=True)
class Options:
    """What the user told about the files. Empty means: find out."""

    instrument: str = ""
    timeframe: str = ""
    tick: str = ""
    lot: str = ""
    symbol: str = ""
    stamp: str = "open"
    timeframe_is_hint: bool = False


@dataclass(slots=True)
class Table:
    """One table being read: roles, how times are written, and the bar specification once it is known."""

    mapping: Mapping
    times: dict[str, TimeReader | None]
    namer: Namer
    options: Options
    specs: dict[str, str] = field(default_factory=dict)
    venue_perp: tuple[str, bool] | None = None
    unit: str = ""


def read_csv_table(
    source: SourceFile, dialect: Dialect, mapping: Mapping, intake: Intake, namer: Namer, options: Options
) -> None:
    """Read a CSV file in batches into the intake."""
    for text in dialect.notes:
        intake.note(text)
    times: dict[str, TimeReader | None] = {}
    dtypes: dict[str, pl.DataType] = {}
    for role, name in mapping.columns.items():
        if role in _TIME_ROLES:
            reader = fit_time(
                dialect.column(dialect.names.index(name))[:300], f"{source.name}, column {name!r}"
            )
            times[role] = reader
            dtypes[name] = reader.dtype
        elif role not in _TEXT_ROLES:
            dtypes[name] = pl.Float64()
    table = Table(mapping, times, namer, options)
    for batch in read_batches(source, dialect, dtypes):
        frame = batch.frame
        if frame["_wide"].any():
            intake.reject_rows(frame.filter("_wide"), f"more than {len(dialect.names)} fields", batch.text)
            frame = frame.filter(~pl.col("_wide"))
        take(table, frame, intake, batch.text)


def read_frames(frames: Iterable[pl.DataFrame], table: Table, intake: Intake) -> None:
    """Read typed frames (from Parquet, Arrow or JSON) into the intake."""
    row = 1
    for frame in frames:
        numbered = frame.with_columns(pl.int_range(row, row + frame.height, dtype=pl.Int64).alias("_line"))
        row += frame.height
        take(table, numbered, intake, None)


def typed_times(
    schema: pl.Schema, mapping: Mapping, first: pl.DataFrame, where: str
) -> dict[str, TimeReader | None]:
    """Return how the time columns of a typed table are to be read; None for real date types."""
    out: dict[str, TimeReader | None] = {}
    for role in _TIME_ROLES & mapping.columns.keys():
        name = mapping.columns[role]
        if isinstance(schema[name], (pl.Datetime, pl.Date)):
            out[role] = None
        else:
            sample = first[name].drop_nulls().head(300).cast(pl.String).to_list()
            out[role] = fit_time([text.removesuffix(".0") for text in sample], f"{where}, column {name!r}")
    return out


def take(table: Table, frame: pl.DataFrame, intake: Intake, text: LineText | None) -> None:
    """Normalise one frame and hand it over, instrument by instrument."""
    if frame.is_empty():
        return
    for symbol, part in _by_symbol(frame, table.mapping.get("symbol")):
        if table.options.symbol and symbol.upper() != table.options.symbol.upper():
            continue
        venue, perp = table.venue_perp or ("", None)
        instrument_id = table.namer.id_of(symbol, venue=venue, perp=perp)
        rows = normalise(part, table)
        _note_units(table, part, intake)
        if table.mapping.kind == "quotes" and table.mapping.get("bid_qty") is None:
            intake.warn(
                DatasetKey("quotes", instrument_id), "The source tells no sizes: bid and ask quantity are 0."
            )
        if table.mapping.kind != "bars":
            intake.add(DatasetKey(table.mapping.kind, instrument_id), rows, text)
            continue
        spec = table.specs.get(symbol) or _settle_spec(rows, table, intake, instrument_id)
        table.specs[symbol] = spec
        intake.add(DatasetKey("bars", instrument_id, spec), stamp_bars(rows, spec, table.options.stamp), text)


def _note_units(table: Table, frame: pl.DataFrame, intake: Intake) -> None:
    """Tell the user when the numbers of the time column change their unit."""
    reader = table.times["time"]
    if reader is None or reader.form != "number":
        return
    column = frame[table.mapping.columns["time"]].cast(pl.Int64, strict=False).drop_nulls()
    for value in (column.first(), column.last()) if len(column) else ():
        assert isinstance(value, int)
        unit = unit_of(abs(value))
        if table.unit and unit != table.unit:
            intake.note(
                f"the time column changes from {table.unit} to {unit}; each number was read by its size"
            )
        table.unit = unit


def normalise(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Return the rows with the column names and types of their kind (bars still without a close time)."""
    mapping = table.mapping
    event = _time(table, "time")
    columns: list[pl.Expr] = [event.alias("ts_open" if mapping.kind == "bars" else "ts_event")]
    if mapping.kind != "bars":
        received = _time(table, "recv") if mapping.get("recv") else event
        columns.append(received.fill_null(event).alias("ts_recv"))
    columns += _COLUMNS[mapping.kind](mapping)
    if "_line" in frame.columns:
        columns.append(pl.col("_line"))
    return frame.select(columns)


def stamp_bars(rows: pl.DataFrame, spec: str, stamp: str) -> pl.DataFrame:
    """Complete bars with open, close and receive time; months follow the calendar."""
    opened = pl.col("ts_open")
    if spec == "1M":
        month = pl.from_epoch(opened - (1 if stamp == "close" else 0), time_unit="ns").dt.truncate("1mo")
        rows = rows.with_columns(month.dt.epoch("ns").alias("ts_open"))
        closed = pl.from_epoch(opened, time_unit="ns").dt.offset_by("1mo").dt.epoch("ns")
    else:
        step = TIMEFRAMES_NS[spec]
        if stamp == "close":
            rows = rows.with_columns((opened - step).alias("ts_open"))
        closed = opened + step
    return rows.with_columns(closed.alias("ts_event"), closed.alias("ts_recv"))


def spec_of_opens(opens: np.ndarray, where: str) -> str:
    """Return the timeframe whose length is the most frequent distance between open times.

    Raises ``DataError`` when there are too few rows or no timeframe has that length.
    """
    steps = np.abs(np.diff(np.unique(opens)))
    if not len(steps):
        raise DataError(
            f"{where}: cannot tell the timeframe from a single bar", fix="Name it, e.g. --timeframe 1h."
        )
    lengths, counts = np.unique(steps, return_counts=True)
    usual = int(lengths[counts.argmax()])
    for spec, length in TIMEFRAMES_NS.items():
        if spec != "1M" and length == usual:
            return spec
    if 28 * DAY_NS <= usual <= 31 * DAY_NS:
        return "1M"
    raise DataError(
        f"{where}: the bars are {usual / 1e9:g} s apart, which is no timeframe of Lanner",
        expected=", ".join(TIMEFRAMES_NS),
        fix="Check the time column, or resample the file.",
    )


def _settle_spec(rows: pl.DataFrame, table: Table, intake: Intake, instrument_id: str) -> str:
    where = intake.source.name if intake.source is not None else ""
    opens = rows["ts_open"].drop_nulls().to_numpy()
    given = table.options.timeframe
    if given and len(np.unique(opens)) < 3:
        return given
    try:
        found = spec_of_opens(opens, where)
    except DataError:
        named = given or table.namer.timeframe
        if not named or not _on_grid(opens, named):
            raise
        found = named
    if given and given != found and not table.options.timeframe_is_hint:
        raise ConfigError(
            f"{where}: --timeframe does not fit the file",
            expected=f"{found} (the usual distance between its rows)",
            found=given,
            fix=f"Leave --timeframe out or say --timeframe {found}.",
        )
    if given != found:
        intake.infer(DatasetKey("bars", instrument_id, found), "timeframe", found)
    return found


def _on_grid(opens: np.ndarray, spec: str) -> bool:
    """Tell whether all open times lie whole bars apart, as in a file in wild order or with many gaps."""
    return bool((np.diff(np.unique(opens)) % TIMEFRAMES_NS[spec] == 0).all())


def _by_symbol(frame: pl.DataFrame, column: str | None) -> Iterator[tuple[str, pl.DataFrame]]:
    if column is None:
        yield "", frame
        return
    names = frame[column].cast(pl.String).fill_null("")
    if names.n_unique() == 1:
        yield str(names[0]).strip(), frame
        return
    for name, part in frame.partition_by(column, as_dict=True, maintain_order=True).items():
        yield str(name[0] if name[0] is not None else "").strip(), part


def _time(table: Table, role: str) -> pl.Expr:
    name = table.mapping.columns[role]
    reader = table.times[role]
    if reader is None:
        return pl.col(name).cast(pl.Datetime("ns")).dt.epoch("ns")
    return reader.expr(name) if reader.form != "number" else number_to_ns(pl.col(name).cast(pl.Int64))


def _number(mapping: Mapping, role: str) -> pl.Expr:
    name = mapping.get(role)
    return (
        pl.lit(None, dtype=pl.Float64) if name is None else pl.col(name).cast(pl.Float64, strict=False)
    ).alias(role)


def _bar_columns(mapping: Mapping) -> list[pl.Expr]:
    roles = ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume")
    trades = _number(mapping, "trades").cast(pl.Int64, strict=False).alias("trades")
    return [*(_number(mapping, role) for role in roles), trades]


def _trade_columns(mapping: Mapping) -> list[pl.Expr]:
    side, maker, name = mapping.get("side"), mapping.get("buyer_maker"), mapping.get("id")
    aggressor = pl.lit(0, dtype=pl.Int8)
    if maker is not None:
        told = pl.col(maker).cast(pl.String).str.strip_chars().str.to_lowercase()
        aggressor = (
            pl.when(told.is_in(["true", "1", "t"]))
            .then(-1)
            .when(told.is_in(["false", "0", "f"]))
            .then(1)
            .otherwise(0)
        )
    elif side is not None:
        told = pl.col(side).cast(pl.String).str.strip_chars().str.to_lowercase()
        aggressor = pl.when(told.is_in(_BUY)).then(1).when(told.is_in(_SELL)).then(-1).otherwise(0)
    text = pl.lit("") if name is None else pl.col(name).cast(pl.String).str.strip_chars().fill_null("")
    return [
        _number(mapping, "px"),
        _number(mapping, "qty"),
        aggressor.cast(pl.Int8).alias("aggressor"),
        text.alias("trade_id"),
    ]


def _quote_columns(mapping: Mapping) -> list[pl.Expr]:
    columns = []
    for side in ("bid", "ask"):
        known = mapping.get(f"{side}_qty") is not None
        px = _number(mapping, f"{side}_px")
        qty = _number(mapping, f"{side}_qty") if known else pl.lit(0.0)
        empty = px.is_null() & (qty.is_null() | (qty == 0)) if known else px.is_null()
        columns.append(pl.when(empty).then(float("nan")).otherwise(px).alias(f"{side}_px"))
        columns.append(pl.when(empty).then(0.0).otherwise(qty).alias(f"{side}_qty"))
    seq = _number(mapping, "seq").cast(pl.Int64).fill_null(0).alias("seq")
    return [*columns, seq]


def _funding_columns(mapping: Mapping) -> list[pl.Expr]:
    hours = _number(mapping, "interval")
    return [
        _number(mapping, "rate"),
        (hours * 3_600_000_000_000).cast(pl.Int64).alias("interval_ns"),
        pl.lit(False).alias("predicted"),
    ]


def _mark_columns(mapping: Mapping) -> list[pl.Expr]:
    return [_number(mapping, role) for role in ("mark_px", "index_px", "last_px", "open_interest")]


_COLUMNS = {
    "bars": _bar_columns,
    "trades": _trade_columns,
    "quotes": _quote_columns,
    "funding": _funding_columns,
    "mark": _mark_columns,
}
