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
    Format("ohlcv-csv", "CSV of bars; columns found by name, or time,open,high,low,close,volume", "generic:read_ohlcv"),
    Format("trades-csv", "CSV of trades; columns found by name, or time,price,quantity", "generic:read_trades"),
    Format("quotes-csv", "CSV of best bid and ask; columns found by name", "generic:read_quotes"),
    Format("funding-csv", "CSV of funding rates; columns found by name", "generic:read_funding"),
    Format("mark-csv", "CSV of mark and index prices; columns found by name", "generic:read_mark"),
)
FORMATS: dict[str, Format] = {item.name: item for item in _TABLE}


def format_named(name: str) -> Format:
    """Return a format, or raise ``ConfigError`` that lists the names."""
    if name not in FORMATS:
        raise ConfigError(
            "unknown format", expected=f"auto, {', '.join(FORMATS)}", found=repr(name), fix="Use --format auto to detect it."
        )
    return FORMATS[name]
