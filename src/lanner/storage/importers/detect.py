"""Tell a file's format from its content; names only help where the content cannot tell."""

from __future__ import annotations

import re

from lanner.core.errors import DataError
from lanner.storage.importers import hyperliquid, lean, tardis
from lanner.storage.importers.columns import REQUIRED, fold, guess_kind, missing_roles, roles_of
from lanner.storage.importers.dialect import Dialect, sniff, text_head
from lanner.storage.importers.source import SourceFile

_BY_KIND = {
    "bars": "ohlcv-csv",
    "trades": "trades-csv",
    "quotes": "quotes-csv",
    "funding": "funding-csv",
    "mark": "mark-csv",
}
_BOOLEAN = re.compile(r"^(true|false)$", re.IGNORECASE)
_COLUMNS = re.compile(r'^\{\s*"(columns|date|timestamp|time|open|index|data)"\s*:\s*[{\[]')
_REFERENCE = re.compile(r'"(exchangeFilters|rateLimits|instFamily|tickSz|lotSizeFilter)"\s*:')
_FRAME = re.compile(
    r'^(\d{10,19}(\.\d+)?[: ]\s*[{\[]|\{"recv_ts"|(https?|wss?)://\S+ (->|<->) |\{"stream":|\{"(topic|arg|channel)":)'
)


def detect(source: SourceFile) -> str:
    """Return the name of a source's format; raise ``DataError`` when it cannot be told."""
    start = source.head()[:8]
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith((b"ARROW1", b"FEA1")):
        return "freqtrade" if source.stem.endswith(".feather") else "arrow"
    if lean.is_lean(source):
        return "lean"
    text = text_head(source).lstrip()
    if _FRAME.match(text):
        return "frames"
    if text[0] in "[{":
        return _detect_json(source, text)
    if lean.is_margin_interest(source):
        return "lean-funding"
    return _detect_table(source, sniff(source))


def _detect_json(source: SourceFile, text: str) -> str:
    if '"Item"' in text[:2000] and "time_exchange" in text[:4000]:
        return "barter"
    if (text[0] == "[" and text[1:].lstrip().startswith(("[", "{"))) or _COLUMNS.match(text):
        return "freqtrade-json"
    if "\n{" in text and not _REFERENCE.search(text):
        return "frames"
    if _REFERENCE.search(text):
        raise DataError(
            f"{source.name}: this is a venue's list of instruments, not market data",
            fix=f"Read it with `lanner data instruments {source.path.name}`.",
        )
    raise DataError(
        f"{source.name}: this JSON is no market data that Lanner knows",
        expected="captured frames (a line each), freqtrade candles or trades, or Barter events",
        found=repr(text[:80]),
        fix="`lanner data formats` lists what can be imported.",
    )


def _detect_table(source: SourceFile, dialect: Dialect) -> str:
    names = dialect.names
    if not dialect.header:
        return _headerless(source, dialect)
    by_tardis = tardis.layout_of(names)
    if by_tardis is not None:
        return by_tardis
    folded = {fold(name) for name in names}
    if {"firstupdateid", "lastupdateid", "updatetype", "pu"} <= folded:
        return "binance-depth"
    if len(names) == 12 and fold(names[0]) == "opentime" and "ignore" in folded:
        return "binance-klines"
    if fold(names[0]) == "aggtradeid" and "isbuyermaker" in folded:
        return "binance-aggtrades"
    if names[:4] == ["id", "price", "qty", "quote_qty"]:
        return "binance-trades"
    if set(names) >= hyperliquid.CANDLE:
        return "hyperliquid-candles"
    if set(names) >= hyperliquid.FILL:
        return "hyperliquid-fills"
    kind = guess_kind(names)
    if kind is not None:
        return _BY_KIND[kind]
    _raise_nearly(source, names)
    raise DataError(
        f"{source.name}: cannot tell what the columns are",
        expected="e.g. time, open, high, low, close, volume, or time, price, quantity",
        found=", ".join(repr(name) for name in names[:20]),
        fix="Rename the columns in the header, or name the type of the file with --format.",
    )


def _raise_nearly(source: SourceFile, names: list[str]) -> None:
    """Name the columns that lack when most of those of a kind are there."""
    for kind in ("bars", "quotes", "trades"):
        absent = missing_roles(roles_of([name for name in names if len(fold(name)) > 1], kind))
        if len(REQUIRED[kind]) - len(absent) >= (4 if kind == "bars" else 2):
            raise DataError(
                f"{source.name}: no column for {', '.join(absent)}",
                expected=f"columns for {', '.join(REQUIRED[kind])}",
                found=", ".join(repr(name) for name in names[:20]),
                fix="Rename the columns in the header, or name the type of the file with --format.",
            )


def _headerless(source: SourceFile, dialect: Dialect) -> str:
    width, row = len(dialect.names), dialect.sample[len(dialect.sample) // 2]
    booleans = [index for index, cell in enumerate(row) if _BOOLEAN.match(cell.strip())]
    if width == 12:
        return "binance-klines"
    if width in (6, 7) and booleans and booleans[0] == 5:
        return "binance-trades"
    if width in (7, 8) and booleans and booleans[0] == 6:
        return "binance-aggtrades"
    if 6 <= width <= 8 and not booleans:
        return "ohlcv-csv"
    if width == 3:
        return "trades-csv"
    raise DataError(
        f"{source.name}: the file has no header, and its {width} columns are not those of a known format",
        expected="column names in the first line, or 6 columns of bars, 3 of trades, or Binance's archive",
        found=repr(",".join(row)[:100]),
        fix="Put a header line at the top, or name the type of the file with --format.",
    )
