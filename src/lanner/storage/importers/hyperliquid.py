"""Import CSV files made from Hyperliquid's info endpoint: candle snapshots and fills."""

from __future__ import annotations

import polars as pl

from lanner.core.errors import DataError
from lanner.storage.importers.columns import Mapping
from lanner.storage.importers.dialect import Dialect, read_batches, sniff
from lanner.storage.importers.intake import Intake
from lanner.storage.importers.names import Namer
from lanner.storage.importers.source import SourceFile
from lanner.storage.importers.table import Options, read_csv_table
from lanner.storage.importers.times import number_to_ns
from lanner.storage.schema import DatasetKey

CANDLE = {"t", "T", "o", "h", "l", "c", "v", "s", "i"}
FILL = {"coin", "px", "sz", "side", "time", "crossed", "oid"}
_CANDLE_ROLES = {
    "time": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v", "trades": "n", "symbol": "s",
}  # fmt: skip


def read_candles(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import candles with the one-letter columns of ``candleSnapshot``."""
    dialect = _dialect(source, CANDLE)
    namer.venue, namer.perp = "HYPERLIQUID", True
    roles = {role: name for role, name in _CANDLE_ROLES.items() if name in dialect.names}
    read_csv_table(source, dialect, Mapping("bars", roles), intake, namer, options)


def read_fills(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import a user's fills as trades; the aggressor follows from side and ``crossed``."""
    dialect = _dialect(source, FILL)
    namer.venue, namer.perp = "HYPERLIQUID", True
    dtypes: dict[str, pl.DataType] = {"px": pl.Float64(), "sz": pl.Float64(), "time": pl.Int64()}
    for batch in read_batches(source, dialect, dtypes):
        frame = batch.frame
        side = pl.when(pl.col("side") == "B").then(1).when(pl.col("side") == "A").then(-1).otherwise(0)
        took = pl.when(pl.col("crossed").str.to_lowercase() == "true").then(1).otherwise(-1)
        rows = frame.select(
            number_to_ns(pl.col("time")).alias("ts_event"),
            number_to_ns(pl.col("time")).alias("ts_recv"),
            "px",
            pl.col("sz").alias("qty"),
            (side * took).cast(pl.Int8).alias("aggressor"),
            (pl.col("tid") if "tid" in dialect.names else pl.lit("")).alias("trade_id"),
            pl.col("coin"),
            "_line",
        )
        for coin, part in rows.partition_by("coin", as_dict=True, maintain_order=True).items():
            if options.symbol and str(coin[0]) != options.symbol:
                continue
            key = DatasetKey("trades", namer.id_of(str(coin[0])))
            intake.add(key, part.drop("coin"), batch.text)
            intake.warn(key, "These are the fills of one account, not all trades of the market.")


def _dialect(source: SourceFile, columns: set[str]) -> Dialect:
    dialect = sniff(source)
    absent = sorted(columns - set(dialect.names))
    if absent:
        raise DataError(
            f"{source.name}: not a file of this kind from Hyperliquid",
            expected=f"the columns {', '.join(sorted(columns))}",
            found=f"no {', '.join(absent)}",
            fix="Use --format auto.",
        )
    return dialect
