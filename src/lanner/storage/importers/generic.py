"""Import tables of bars, trades, quotes, funding or mark prices whose columns are told by their names."""

from __future__ import annotations

from lanner.core.errors import DataError
from lanner.storage.importers.columns import REQUIRED, Mapping, guess_kind, missing_roles, roles_of
from lanner.storage.importers.dialect import Dialect, sniff
from lanner.storage.importers.intake import Intake
from lanner.storage.importers.names import Namer
from lanner.storage.importers.source import SourceFile
from lanner.storage.importers.table import Options, read_csv_table

_HEADERLESS = {
    "bars": ("time", "open", "high", "low", "close", "volume"),
    "trades": ("time", "px", "qty"),
}


def read_ohlcv(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import a CSV file of bars."""
    _read(source, intake, namer, options, "bars")


def read_trades(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import a CSV file of trades."""
    _read(source, intake, namer, options, "trades")


def read_quotes(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import a CSV file of best bids and asks."""
    _read(source, intake, namer, options, "quotes")


def read_funding(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import a CSV file of funding rates."""
    _read(source, intake, namer, options, "funding")


def read_mark(source: SourceFile, intake: Intake, namer: Namer, options: Options) -> None:
    """Import a CSV file of mark prices."""
    _read(source, intake, namer, options, "mark")


def _read(source: SourceFile, intake: Intake, namer: Namer, options: Options, kind: str) -> None:
    dialect = sniff(source)
    mapping = map_columns(dialect, kind, source.name)
    read_csv_table(source, dialect, mapping, intake, namer, options)


def map_columns(dialect: Dialect, kind: str, where: str) -> Mapping:
    """Return the roles of a file's columns; raise ``DataError`` that lists what is missing."""
    if not dialect.header:
        return _by_position(dialect, kind, where)
    mapping = roles_of(dialect.names, kind)
    absent = missing_roles(mapping)
    if absent:
        other = guess_kind(dialect.names)
        fix = (
            f"The columns look like {other}."
            if other and other != kind
            else "Rename the columns in the header."
        )
        raise DataError(
            f"{where}: no column for {', '.join(absent)}",
            expected=f"columns for {', '.join(REQUIRED[kind])}",
            found=", ".join(repr(name) for name in dialect.names),
            fix=fix,
        )
    if fold_index(mapping, dialect):
        mapping = roles_of([name for name in dialect.names if name != mapping.columns["time"]], kind)
    return mapping


def fold_index(mapping: Mapping, dialect: Dialect) -> bool:
    """Tell whether the time column is only a row counter (0, 1, 2 …) while a better one may exist."""
    name = mapping.columns["time"]
    values = dialect.column(dialect.names.index(name))[:5]
    return all(value.strip().isdigit() and int(value) < 100_000 for value in values)


def _by_position(dialect: Dialect, kind: str, where: str) -> Mapping:
    roles = _HEADERLESS.get(kind)
    if roles is None or len(dialect.names) < len(roles):
        raise DataError(
            f"{where}: the file has no header",
            expected=f"column names, or at least {len(roles or REQUIRED[kind])} columns "
            f"({', '.join(roles or REQUIRED[kind])})",
            found=f"{len(dialect.names)} columns, first row {dialect.sample[0]}",
            fix="Put a header line with the column names at the top.",
        )
    mapping = Mapping(kind, dict(zip(roles, dialect.names, strict=False)))
    dialect.notes.append(f"no header: columns taken as {', '.join(roles)}")
    return mapping
