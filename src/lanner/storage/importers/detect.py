"""Tell a file's format from its content."""

from __future__ import annotations

from lanner.core.errors import DataError
from lanner.storage.importers.columns import guess_kind
from lanner.storage.importers.dialect import sniff
from lanner.storage.importers.source import SourceFile

_BY_KIND = {"bars": "ohlcv-csv", "trades": "trades-csv", "quotes": "quotes-csv", "funding": "funding-csv", "mark": "mark-csv"}


def detect(source: SourceFile) -> str:
    """Return the name of a source's format; raise ``DataError`` when it cannot be told."""
    dialect = sniff(source)
    if dialect.header:
        kind = guess_kind(dialect.names)
        if kind is not None:
            return _BY_KIND[kind]
    if not dialect.header and len(dialect.names) == 6:
        return "ohlcv-csv"
    raise DataError(f"{source.name}: cannot tell the format", fix="Name it with --format.")
