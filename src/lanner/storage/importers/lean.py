"""Import LEAN (QuantConnect) crypto files: trade and quote bars, margin interest (funding).

Minute and second files count milliseconds since midnight UTC of the day in their name; hour and daily files write
``yyyyMMdd HH:mm``. Columns: time, open, high, low, close, volume; quote bars have bid OHLC and size, ask OHLC and size.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import polars as pl

from lanner.core.errors import DataError
from lanner.model.timeframes import DAY_NS, HOUR_NS, TIMEFRAMES_NS
from lanner.storage.importers.dialect import Dialect, read_batches, sniff
from lanner.storage.importers.intake import Intake
from lanner.storage.importers.names import LOCAL, VENUES, Namer
from lanner.storage.importers.source import SourceFile
from lanner.storage.importers.table import Options, stamp_bars
from lanner.storage.schema import DatasetKey

_RESOLUTIONS = {"second": "1s", "minute": "1m", "hour": "1h", "daily": "1d"}
_TRADE = ("time", "open", "high", "low", "close", "volume")
_QUOTE = (
    "time",
    *(f"{side}_{name}" for side in ("bid", "ask") for name in ("open", "high", "low", "close", "qty")),
)
_NAME = re.compile(
    r"^(?:(?P<day>\d{8})_)?(?P<symbol>[a-z0-9]+)?_?(?:(?P<res>minute|second|hour|daily)_)?", re.IGNORECASE
)


def is_lean(source: SourceFile) -> bool:
    """Tell whether a zip's names follow LEAN's pattern."""
    if source.packing != "zip":
        return False
    archive, member = source.path.name.lower(), source.stem.lower()
    if not re.search(r"(^|_)(trade|quote)\.zip$", archive):
        return False
    stem = re.sub(r"_(trade|quote)\.zip$", "", archive)
    by_day = re.match(r"^\d{8}_\w+_(minute|second)_(trade|quote)", member)
    return bool(by_day) or member.startswith(stem)


def is_margin_interest(source: SourceFile) -> bool:
    """Tell whether a file lies in LEAN's folder of funding rates."""
    return "margin_interest" in source.path.parts and source.stem.endswith(".csv")


def read(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import a LEAN zip of trade bars (as bars) or quote bars (as the quotes at their closes)."""
    dialect = sniff(source)
    quotes = len(dialect.names) == len(_QUOTE)
    if dialect.header or len(dialect.names) not in (len(_TRADE), len(_QUOTE)):
        raise DataError(
            f"{source.name}: not a LEAN file of bars",
            expected="6 columns (trade bars) or 11 columns (quote bars) without a header",
            found=f"{len(dialect.names)} columns",
        )
    dialect.names = list(_QUOTE if quotes else _TRADE)
    spec = _resolution(source, dialect, options)
    time, time_type = _time(source, dialect)
    instrument_id = _instrument(source, namer)
    key = DatasetKey("quotes", instrument_id) if quotes else DatasetKey("bars", instrument_id, spec)
    dtypes: dict[str, pl.DataType] = {name: pl.Float64() for name in dialect.names[1:]} | {"time": time_type}
    for batch in read_batches(source, dialect, dtypes):
        wide = batch.frame.filter("_wide")
        if wide.height:
            intake.reject_rows(wide, f"more than {len(dialect.names)} fields", batch.text)
        frame = batch.frame.filter(~pl.col("_wide")).with_columns(time.alias("ts_open"))
        rows = _quotes(frame, spec) if quotes else stamp_bars(frame.drop("time"), spec, "open")
        intake.add(key, rows, batch.text)
    if quotes:
        intake.warn(
            key, f"Made from quote bars of {spec}: one quote at each close; the movement inside is not known."
        )


def read_margin_interest(source: SourceFile, intake: Intake, namer: Namer, _options: Options) -> None:
    """Import LEAN's funding rates: ``yyyyMMdd HH:mm:ss,rate``."""
    dialect = sniff(source)
    dialect.names = ["time", "rate", *dialect.names[2:]]
    namer.perp = True
    key = DatasetKey("funding", _instrument(source, namer))
    dtypes: dict[str, pl.DataType] = {"time": pl.String(), "rate": pl.Float64()}
    event = pl.col("time").str.to_datetime("%Y%m%d %H:%M:%S", strict=False, time_unit="ns").dt.epoch("ns")
    for batch in read_batches(source, dialect, dtypes):
        rows = batch.frame.select(
            event.alias("ts_event"),
            event.alias("ts_recv"),
            "rate",
            event.diff().alias("interval_ns"),
            pl.lit(False).alias("predicted"),
            "_line",
        )
        intake.add(key, rows, batch.text)


def _quotes(frame: pl.DataFrame, spec: str) -> pl.DataFrame:
    close = pl.col("ts_open") + TIMEFRAMES_NS[spec]
    sides = []
    for side in ("bid", "ask"):
        px, qty = pl.col(f"{side}_close"), pl.col(f"{side}_qty")
        empty = px.is_null() | (px == 0)
        sides.append(pl.when(empty).then(float("nan")).otherwise(px).alias(f"{side}_px"))
        sides.append(pl.when(empty).then(0.0).otherwise(qty).alias(f"{side}_qty"))
    return frame.select(
        close.alias("ts_event"),
        close.alias("ts_recv"),
        *sides,
        pl.lit(0, dtype=pl.Int64).alias("seq"),
        "_line",
    )


def _resolution(source: SourceFile, dialect: Dialect, options: Options) -> str:
    words = {*source.stem.lower().replace(".", "_").split("_"), *(part.lower() for part in source.path.parts)}
    for word, spec in _RESOLUTIONS.items():
        if word in words:
            return spec
    if options.timeframe:
        return options.timeframe
    first, second = [*dialect.column(0), "", ""][:2]
    if first.isdigit() and second.isdigit():
        return "1s" if int(second) - int(first) < 60_000 else "1m"
    try:
        stamps = [datetime.strptime(text, "%Y%m%d %H:%M").replace(tzinfo=UTC) for text in (first, second)]
    except ValueError:
        raise DataError(
            f"{source.name}: cannot tell the resolution", fix="Name it, e.g. --timeframe 1m."
        ) from None
    return "1h" if (stamps[1] - stamps[0]).total_seconds() * 1e9 < DAY_NS - HOUR_NS else "1d"


def _time(source: SourceFile, dialect: Dialect) -> tuple[pl.Expr, pl.DataType]:
    if not dialect.sample[0][0].isdigit():
        text = pl.col("time").str.to_datetime("%Y%m%d %H:%M", strict=False, time_unit="ns")
        return text.dt.epoch("ns"), pl.String()
    found = re.search(r"(?<!\d)(\d{8})(?!\d)", source.stem) or re.search(
        r"(?<!\d)(\d{8})(?!\d)", source.path.name
    )
    if found is None:
        raise DataError(
            f"{source.name}: the times count from midnight, but the name has no date",
            expected="a name such as 20221213_btcusdt_minute_trade.csv",
            found=source.name,
        )
    try:
        day = datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        raise DataError(f"{source.name}: {found[1]} is not a date", expected="yyyyMMdd") from None
    midnight = int(day.timestamp()) * 1_000_000_000
    return pl.col("time") * 1_000_000 + midnight, pl.Int64()


def _instrument(source: SourceFile, namer: Namer) -> str:
    """Take the symbol from the names, the venue from LEAN's folders ``crypto[future]/<venue>/<resolution>/…``."""
    parts = [part.lower() for part in source.path.parts]
    for kind in ("crypto", "cryptofuture"):
        if kind in parts and parts.index(kind) + 1 < len(parts):
            venue = parts[parts.index(kind) + 1]
            namer.venue = VENUES.get(venue, venue.upper())
            namer.perp = namer.perp or kind == "cryptofuture"
    namer.perp = namer.perp or "_perp" in source.stem.lower()
    namer.venue = namer.venue or LOCAL
    match = _NAME.match(source.stem)
    symbol = (match["symbol"] or "") if match is not None else ""
    namer.symbol = symbol.upper() or namer.symbol
    return namer.id_of(namer.symbol)
