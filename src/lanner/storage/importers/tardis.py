"""Import Tardis CSV files: trades, quotes, incremental L2 books, book snapshots, derivative tickers.

Column layouts: docs.tardis.dev/downloadable-csv-files. Times are microseconds there; nanoseconds are also read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from lanner.core.errors import DataError
from lanner.storage.importers.columns import Mapping
from lanner.storage.importers.dialect import Batch, Dialect, read_batches, sniff
from lanner.storage.importers.funding import FundingTracker
from lanner.storage.importers.intake import Intake
from lanner.storage.importers.names import Namer, tardis_market
from lanner.storage.importers.source import SourceFile
from lanner.storage.importers.table import Options, Table, take
from lanner.storage.importers.times import TimeReader, number_to_ns
from lanner.storage.schema import DatasetKey

HEAD = ("exchange", "symbol", "timestamp", "local_timestamp")
COLUMNS: dict[str, tuple[str, ...]] = {
    "tardis-trades": ("id", "side", "price", "amount"),
    "tardis-quotes": ("ask_amount", "ask_price", "bid_price", "bid_amount"),
    "tardis-book": ("is_snapshot", "side", "price", "amount"),
    "tardis-book-snapshot": ("asks[0].price", "asks[0].amount", "bids[0].price", "bids[0].amount"),
    "tardis-derivative-ticker": ("funding_timestamp", "funding_rate", "mark_price"),
}
_TRADES = {"px": "price", "qty": "amount", "side": "side", "id": "id"}
_QUOTES = {"bid_px": "bid_price", "bid_qty": "bid_amount", "ask_px": "ask_price", "ask_qty": "ask_amount"}
_TIMES = {"time": "timestamp", "recv": "local_timestamp", "symbol": "symbol"}
_TEXT = frozenset({"exchange", "symbol", "id", "side", "is_snapshot"})


def layout_of(names: list[str]) -> str | None:
    """Return the Tardis format whose columns these are, or None."""
    if tuple(names[:4]) != HEAD:
        return None
    return next((form for form, columns in COLUMNS.items() if set(columns) <= set(names)), None)


def read_trades(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import Tardis trades."""
    _read_table(source, intake, namer, options, "trades", _TRADES)


def read_quotes(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import Tardis quotes."""
    _read_table(source, intake, namer, options, "quotes", _QUOTES)


def read_book(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import Tardis incremental L2 updates; rows with one local time stamp are one event."""
    for key, part, batch in _parts(source, intake, namer, options, "tardis-book", "book"):
        rows = part.select(
            *_stamps(),
            pl.lit(0, dtype=pl.Int64).alias("seq"),
            pl.lit(0, dtype=pl.Int64).alias("first_seq"),
            (pl.col("is_snapshot").str.to_lowercase() == "true").alias("snapshot"),
            pl.when(pl.col("side") == "bid")
            .then(1)
            .when(pl.col("side") == "ask")
            .then(-1)
            .otherwise(0)
            .alias("side"),
            pl.col("price").alias("px"),
            pl.col("amount").alias("qty"),
            _ends_event("timestamp", "local_timestamp", "is_snapshot"),
            pl.col("_line"),
        )
        intake.add(key, rows, batch.text)


def read_snapshots(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import Tardis book snapshots of any depth; each row becomes one snapshot event."""
    for key, part, batch in _parts(source, intake, namer, options, "tardis-book-snapshot", "book"):
        levels = sorted(
            {int(found[1]) for name in part.columns if (found := re.match(r"asks\[(\d+)\]", name))}
        )
        sides: list[pl.DataFrame] = []
        for side, name in ((1, "bids"), (-1, "asks")):
            for level in levels:
                sides.append(
                    part.select(
                        *_stamps(),
                        pl.lit(side, dtype=pl.Int8).alias("side"),
                        pl.col(f"{name}[{level}].price").alias("px"),
                        pl.col(f"{name}[{level}].amount").alias("qty"),
                        pl.col("_line"),
                        pl.lit(len(sides), dtype=pl.Int32).alias("_level"),
                    )
                )
        rows = pl.concat(sides).filter(pl.col("px").is_not_null()).sort("_line", "_level")
        rows = rows.with_columns(
            pl.lit(0, dtype=pl.Int64).alias("seq"),
            pl.lit(0, dtype=pl.Int64).alias("first_seq"),
            pl.lit(True).alias("snapshot"),
            (pl.col("_line") != pl.col("_line").shift(-1, fill_value=-1)).alias("last"),
        )
        intake.add(key, rows.drop("_level"), batch.text)


def read_derivative_ticker(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import Tardis derivative tickers: mark, index, last price and open interest, and the funding rate told.

    The rate is kept as predicted at each change, and as settled when ``funding_timestamp`` moves on.
    """
    trackers: dict[DatasetKey, FundingTracker] = {}
    for key, part, batch in _parts(source, intake, namer, options, "tardis-derivative-ticker", "mark"):
        mark = part.select(
            *_stamps(),
            pl.col("mark_price").alias("mark_px"),
            _or_null(part, "index_price").alias("index_px"),
            _or_null(part, "last_price").alias("last_px"),
            _or_null(part, "open_interest").alias("open_interest"),
            pl.col("_line"),
        )
        prices = pl.any_horizontal(
            pl.col(name).is_not_null() for name in ("mark_px", "index_px", "last_px", "open_interest")
        )
        intake.add(key, mark.filter(prices), batch.text)
        funding_key = DatasetKey("funding", key.instrument_id)
        tracker = trackers.setdefault(funding_key, FundingTracker())
        told = ("rate", "due")
        rates = part.filter(pl.col("funding_rate").is_not_null()).select(
            *_stamps(),
            pl.col("funding_rate").alias("rate"),
            number_to_ns(pl.col("funding_timestamp")).fill_null(0).alias("due"),
        )
        news = pl.any_horizontal(pl.col(name) != pl.col(name).shift(1) for name in told).fill_null(True)
        for ts_event, ts_recv, rate, due in rates.filter(news).iter_rows():
            tracker.announce(ts_event, ts_recv, rate, due)
        intake.add(funding_key, tracker.take())


def _read_table(
    source: SourceFile, intake: Intake, namer: Namer, options: Options, kind: str, roles: dict[str, str]
) -> None:
    dialect = _checked(source, f"tardis-{kind}")
    reader: dict[str, TimeReader | None] = {"time": TimeReader("number"), "recv": TimeReader("number")}
    table = Table(Mapping(kind, _TIMES | roles), reader, namer, options)
    for frame, batch in _frames(source, dialect, intake):
        for exchange, part in _by(frame, "exchange"):
            table.venue_perp = tardis_market(exchange)
            take(table, part, intake, batch.text)


def _parts(
    source: SourceFile, intake: Intake, namer: Namer, options: Options, form: str, kind: str
) -> Iterator[tuple[DatasetKey, pl.DataFrame, Batch]]:
    dialect = _checked(source, form)
    for frame, batch in _frames(source, dialect, intake):
        for exchange, part in _by(frame, "exchange"):
            venue, perp = tardis_market(exchange)
            for symbol, mine in _by(part, "symbol"):
                if not options.symbol or symbol.upper() == options.symbol.upper():
                    yield DatasetKey(kind, namer.id_of(symbol, venue=venue, perp=perp)), mine, batch


def _frames(source: SourceFile, dialect: Dialect, intake: Intake) -> Iterator[tuple[pl.DataFrame, Batch]]:
    for note in dialect.notes:
        intake.note(note)
    whole = ("timestamp", "local_timestamp", "funding_timestamp")
    dtypes: dict[str, pl.DataType] = {
        name: pl.Int64() if name in whole else pl.Float64() for name in dialect.names if name not in _TEXT
    }
    for batch in read_batches(source, dialect, dtypes):
        frame = batch.frame
        short = pl.col("symbol").is_null() | pl.col("exchange").is_null()
        for rule, reason in (
            (pl.col("_wide"), "more fields than the header"),
            (short, "exchange or symbol is missing"),
        ):
            bad = frame.filter(rule)
            if bad.height:
                intake.reject_rows(bad, reason, batch.text)
                frame = frame.filter(~rule)
        yield frame, batch


def _checked(source: SourceFile, form: str) -> Dialect:
    dialect = sniff(source)
    lacking = [name for name in (*HEAD, *COLUMNS[form]) if name not in dialect.names]
    if lacking:
        raise DataError(
            f"{source.name}: not a {form} file",
            expected=f"the columns {', '.join((*HEAD, *COLUMNS[form]))}",
            found=f"no {', '.join(lacking)}",
            fix="Use --format auto.",
        )
    return dialect


def _stamps() -> tuple[pl.Expr, pl.Expr]:
    event, received = number_to_ns(pl.col("timestamp")), number_to_ns(pl.col("local_timestamp"))
    return event.alias("ts_event"), received.fill_null(event).alias("ts_recv")


def _ends_event(*names: str) -> pl.Expr:
    changes: list[pl.Expr] = [pl.col(name) != pl.col(name).shift(-1) for name in names]
    return pl.any_horizontal(changes).fill_null(True).alias("last")


def _or_null(frame: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name) if name in frame.columns else pl.lit(None, dtype=pl.Float64)


def _by(frame: pl.DataFrame, column: str) -> Iterator[tuple[str, pl.DataFrame]]:
    for value, part in frame.partition_by(column, as_dict=True, maintain_order=True).items():
        yield str(value[0]), part
