"""The formats that can be imported, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from lanner.core.errors import ConfigError
from lanner.storage.importers.intake import Intake
from lanner.storage.importers.names import Namer
from lanner.storage.importers.source import SourceFile
from lanner.storage.importers.table import Options

Reader = Callable[[SourceFile, Intake, Namer, Options], None]
_PACKAGE = "lanner.storage.importers"


@dataclass(frozen=True, slots=True)
class Format:
    """One format: its name, what it is, and where its reader lives (``module:function``)."""

    name: str
    about: str
    place: str

    def reader(self) -> Reader:
        """Return the function that reads a source of this format."""
        module, _, function = self.place.partition(":")
        reader: Reader = getattr(import_module(f"{_PACKAGE}.{module}"), function)
        return reader


_TABLE = (
    Format(
        "ohlcv-csv",
        "CSV of bars; columns found by name, or time,open,high,low,close,volume",
        "generic:read_ohlcv",
    ),
    Format(
        "trades-csv", "CSV of trades; columns found by name, or time,price,quantity", "generic:read_trades"
    ),
    Format("quotes-csv", "CSV of best bid and ask; columns found by name", "generic:read_quotes"),
    Format("funding-csv", "CSV of funding rates; columns found by name", "generic:read_funding"),
    Format("mark-csv", "CSV of mark and index prices; columns found by name", "generic:read_mark"),
    Format("binance-klines", "Binance public archive: klines, CSV or zip", "binance:read_klines"),
    Format("binance-trades", "Binance public archive: trades, CSV or zip", "binance:read_trades"),
    Format(
        "binance-aggtrades", "Binance public archive: aggregated trades, CSV or zip", "binance:read_aggtrades"
    ),
    Format(
        "binance-depth", "Binance public archive: futures order book, CSV (T_DEPTH)", "binance:read_depth"
    ),
    Format("tardis-trades", "Tardis CSV: trades", "tardis:read_trades"),
    Format("tardis-quotes", "Tardis CSV: quotes (best bid and ask)", "tardis:read_quotes"),
    Format("tardis-book", "Tardis CSV: incremental_book_L2", "tardis:read_book"),
    Format("tardis-book-snapshot", "Tardis CSV: book_snapshot_5, book_snapshot_25", "tardis:read_snapshots"),
    Format(
        "tardis-derivative-ticker",
        "Tardis CSV: mark and index price, open interest, funding",
        "tardis:read_derivative_ticker",
    ),
    Format(
        "frames",
        "Captured WebSocket frames of Binance, Bybit, OKX or Hyperliquid, a line each",
        "frames:read",
    ),
    Format("freqtrade", "freqtrade feather files of candles, mark prices or trades", "arrow:read"),
    Format("freqtrade-json", "freqtrade or pandas JSON of candles or trades", "jsonfiles:read_freqtrade"),
    Format("parquet", "Parquet with telling column names, or an export of Lanner", "arrow:read"),
    Format("arrow", "Arrow IPC with telling column names, or an export of Lanner", "arrow:read"),
    Format("lean", "LEAN (QuantConnect) zip of trade or quote bars", "lean:read"),
    Format("lean-funding", "LEAN margin_interest CSV (funding rates)", "lean:read_margin_interest"),
    Format("hyperliquid-candles", "CSV of Hyperliquid's candleSnapshot", "hyperliquid:read_candles"),
    Format("hyperliquid-fills", "CSV of Hyperliquid's userFills, as trades", "hyperliquid:read_fills"),
    Format("barter", "Barter JSON list of market events: its trades", "jsonfiles:read_barter"),
)
FORMATS: dict[str, Format] = {item.name: item for item in _TABLE}


def format_named(name: str) -> Format:
    """Return a format, or raise ``ConfigError`` that lists the names."""
    if name not in FORMATS:
        raise ConfigError(
            "unknown format",
            expected=f"auto, {', '.join(FORMATS)}",
            found=repr(name),
            fix="Use --format auto to detect it.",
        )
    return FORMATS[name]
