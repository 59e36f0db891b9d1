"""Import the files of Binance's public archive: klines, trades, aggTrades, depth, funding, premium.

Files come with and without a header line; spot files of 2025 and later count microseconds, older and
futures files milliseconds. The unit of each number follows from its size.
"""

from __future__ import annotations

import polars as pl

from lanner.core.errors import DataError
from lanner.storage.importers.columns import Mapping, fold
from lanner.storage.importers.dialect import Dialect, read_batches, sniff
from lanner.storage.importers.intake import Intake
from lanner.storage.importers.names import Namer
from lanner.storage.importers.source import SourceFile
from lanner.storage.importers.table import Options, read_csv_table
from lanner.storage.importers.times import number_to_ns
from lanner.storage.schema import DatasetKey

_KLINES = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count",
    "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip
_SPOT_TRADES = ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker", "is_best_match")
_FUTURES_TRADES = _SPOT_TRADES[:6]
_SPOT_AGG = (
    "agg_trade_id",
    "price",
    "quantity",
    "first_trade_id",
    "last_trade_id",
    "transact_time",
    "is_buyer_maker",
    "is_best",
)
_FUTURES_AGG = _SPOT_AGG[:7]

_KLINE_ROLES = {
    "time": "open_time", "open": "open", "high": "high", "low": "low", "close": "close", "volume": "volume",
    "quote_volume": "quote_volume", "trades": "count", "taker_buy_volume": "taker_buy_volume",
}  # fmt: skip
_TRADE_ROLES = {"time": "time", "px": "price", "qty": "qty", "buyer_maker": "is_buyer_maker", "id": "id"}
_AGG_ROLES = {
    "time": "transact_time", "px": "price", "qty": "quantity", "buyer_maker": "is_buyer_maker", "id": "agg_trade_id",
}  # fmt: skip
_DEPTH_COLUMNS = (
    "symbol",
    "timestamp",
    "first_update_id",
    "last_update_id",
    "side",
    "update_type",
    "price",
    "qty",
    "pu",
)


def read_klines(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import an archive file of klines (12 columns)."""
    dialect = _dialect(source, (_KLINES,))
    namer.venue = namer.venue or "BINANCE"
    if not (namer.given or namer.perp):
        intake.note(
            "klines look the same for spot and futures; taken as spot (else name it with --instrument)"
        )
    read_csv_table(source, dialect, Mapping("bars", dict(_KLINE_ROLES)), intake, namer, options)


def read_trades(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import an archive file of trades (6 columns for futures, 7 for spot)."""
    dialect = _dialect(source, (_SPOT_TRADES, _FUTURES_TRADES))
    _futures_by_width(dialect, namer, 6)
    read_csv_table(source, dialect, Mapping("trades", dict(_TRADE_ROLES)), intake, namer, options)


def read_aggtrades(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import an archive file of aggregated trades (7 columns for futures, 8 for spot)."""
    dialect = _dialect(source, (_SPOT_AGG, _FUTURES_AGG))
    _futures_by_width(dialect, namer, 7)
    read_csv_table(source, dialect, Mapping("trades", dict(_AGG_ROLES)), intake, namer, options)
    for key in list(intake.records):
        if intake.number in intake.records[key]:
            intake.warn(key, "Aggregated trades: fills of one taker order at one price are one row.")


def read_depth(source: SourceFile, intake: Intake, namer: Namer, _options: Options) -> None:
    """Import an archive file of futures order book snapshots and updates (T_DEPTH)."""
    dialect = _dialect(source, (_DEPTH_COLUMNS,))
    namer.venue, namer.perp = namer.venue or "BINANCE", True
    whole = ("timestamp", "first_update_id", "last_update_id", "pu")
    dtypes: dict[str, pl.DataType] = {name: pl.Int64() for name in whole} | {
        "price": pl.Float64(),
        "qty": pl.Float64(),
    }
    previous: dict[DatasetKey, int] = {}
    for batch in read_batches(source, dialect, dtypes):
        for symbol, part in batch.frame.partition_by("symbol", as_dict=True, maintain_order=True).items():
            key = DatasetKey("book", namer.id_of(str(symbol[0])))
            rows = part.select(
                number_to_ns(pl.col("timestamp")).alias("ts_event"),
                number_to_ns(pl.col("timestamp")).alias("ts_recv"),
                pl.col("last_update_id").alias("seq"),
                pl.col("first_update_id").alias("first_seq"),
                (pl.col("update_type") == "snap").alias("snapshot"),
                pl.when(pl.col("side") == "b")
                .then(1)
                .when(pl.col("side") == "a")
                .then(-1)
                .otherwise(0)
                .alias("side"),
                pl.col("price").alias("px"),
                pl.col("qty"),
                (pl.col("last_update_id") != pl.col("last_update_id").shift(-1, fill_value=-1)).alias("last"),
                pl.col("_line"),
                pl.when(pl.col("pu") > 0).then("pu").alias("prev_seq"),
            )
            intake.add(key, rows, batch.text)
            _check_sequence(rows, key, intake, previous)


def _check_sequence(
    rows: pl.DataFrame, key: DatasetKey, intake: Intake, previous: dict[DatasetKey, int]
) -> None:
    """USD-M rule: each update's ``pu`` is the ``u`` of the one before."""
    updates = rows.filter(~pl.col("snapshot")).unique("seq", keep="first", maintain_order=True)
    record = intake.record(key)
    for ts_event, seq, before in updates.select("ts_event", "seq", "prev_seq").iter_rows():
        last = previous.get(key)
        if last is not None:
            record.sequence_checked += 1
            if before != last:
                intake.sequence(key, ts_event, last, before or 0, "pu is the u of the update before")
        previous[key] = seq


def _dialect(source: SourceFile, layouts: tuple[tuple[str, ...], ...]) -> Dialect:
    """Return the dialect with the archive's own column names; raise ``DataError`` when the columns do not fit."""
    dialect = sniff(source)
    layout = next((names for names in layouts if len(names) == len(dialect.names)), None)
    if layout is None:
        raise DataError(
            f"{source.name}: not a file of this kind from Binance's archive",
            expected=" or ".join(f"{len(names)} columns ({', '.join(names)})" for names in layouts),
            found=f"{len(dialect.names)} columns",
            fix="Use --format auto.",
        )
    if dialect.header and fold(dialect.names[0]) not in (
        fold(layout[0]),
        "id",
        "opentime",
        "aggtradeid",
        "symbol",
    ):
        raise DataError(
            f"{source.name}: not the columns of Binance's archive",
            expected=", ".join(layout),
            found=", ".join(dialect.names),
            fix="Use --format auto.",
        )
    dialect.names = list(layout)
    return dialect


def _futures_by_width(dialect: Dialect, namer: Namer, width: int) -> None:
    namer.venue = namer.venue or "BINANCE"
    namer.perp = len(dialect.names) == width
