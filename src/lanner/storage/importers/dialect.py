"""Find out how a CSV file is written: separator, preamble, header, quotes; and read it in batches."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from lanner.core.errors import DataError
from lanner.storage.importers.source import SourceFile

_NUMBER = re.compile(r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$")
_EXTRA = "__extra"
_BAD_TEXT = 160


@dataclass(slots=True)
class Dialect:
    """How a CSV file is written. ``names`` are the columns, ``skip`` the lines before the first row of data."""

    separator: str
    names: list[str]
    header: bool
    skip: int
    quoted: bool = False
    padded: bool = False
    decimal_comma: bool = False
    notes: list[str] = field(default_factory=list)
    sample: list[list[str]] = field(default_factory=list)

    def column(self, index: int) -> list[str]:
        """Return one column's values in the sample."""
        return [row[index] for row in self.sample if len(row) > index]


class Batch(NamedTuple):
    """Rows of a file as they stand there, and the text they come from."""

    frame: pl.DataFrame
    first: int
    data: bytes

    def text(self, line: int) -> str:
        """Return the text of a line for a message."""
        lines = self.data.split(b"\n", line - self.first + 1)
        if not 0 <= line - self.first < len(lines):
            return ""
        return lines[line - self.first].rstrip(b"\r").decode("utf-8", errors="replace")[:_BAD_TEXT]


def text_head(source: SourceFile) -> str:
    """Return the start of a text file, whole lines only; raise ``DataError`` when it is no text."""
    head = source.head()
    if not head.strip():
        raise DataError(f"{source.name} is empty", expected="rows of data", found="only white space")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{source.name} is UTF-16 text", expected="UTF-8", fix="Save the file as UTF-8 CSV.")
    if b"\r" in head and b"\n" not in head:
        raise DataError(
            f"{source.name} ends its lines like an old Macintosh (CR)",
            expected="LF or CR LF",
            fix="Save it with LF.",
        )
    odd = sum(byte < 9 or 13 < byte < 32 for byte in head[:4096])
    if b"\x00" in head[:4096] or odd > 8:
        raise DataError(
            f"{source.name} is not a text file",
            expected="CSV, JSON, Parquet, Arrow or captured frames, plain or packed as gz, zip, bz2 or xz",
            found=f"bytes such as {head[:8]!r}",
            fix="Check that the file is what you think, or name its type with --format.",
        )
    text = head.decode("utf-8-sig", errors="replace")
    if len(head) >= 128 << 10 and "\n" in text:
        text = text[: text.rindex("\n") + 1]
    return text.replace("\r\n", "\n").replace("\r", "\n")


def sniff(source: SourceFile) -> Dialect:
    """Return the dialect of a CSV file; raise ``DataError`` when it has no table of at least two columns."""
    lines = text_head(source).split("\n")
    filled = [number for number, line in enumerate(lines) if line.strip()]
    separator = _separator([lines[number] for number in filled[:200]])
    if not separator:
        raise DataError(
            f"{source.name} is not a table",
            expected="columns separated by a comma, semicolon, tab or bar",
            found=repr(lines[filled[0]][:80]),
            fix="Name the type of the file with --format.",
        )
    quoted = '"' in "".join(lines[:50])
    rows = {number: _cells(lines[number], separator) for number in filled[:1000]}
    width = _usual_width([rows[number] for number in filled[:1000]][-500:])
    first = next(number for number in filled if len(rows[number]) == width or number == filled[-1])
    header = not _looks_like_data(rows[first])
    dialect = Dialect(separator, [], header, first + (1 if header else 0), quoted)
    if first:
        skipped = "; ".join(lines[number].strip()[:60] for number in filled if number < first)
        dialect.notes.append(f"skipped {first} line(s) before the table: {skipped!r}")
    if header:
        dialect.names = _unique([name.strip().strip('"') for name in rows[first]])
    else:
        dialect.names = [f"column_{index}" for index in range(1, width + 1)]
    dialect.sample = [rows[number] for number in filled[:1000] if number >= dialect.skip]
    flat = [cell for row in dialect.sample[:200] for cell in row]
    dialect.padded = any(cell != cell.strip() for cell in flat)
    dialect.decimal_comma = separator != "," and any(re.match(r"^\d+,\d+$", cell.strip()) for cell in flat)
    if not dialect.sample:
        raise DataError(
            f"{source.name} has a header but no rows", expected="rows of data", found=", ".join(dialect.names)
        )
    return dialect


def read_batches(source: SourceFile, dialect: Dialect, dtypes: dict[str, pl.DataType]) -> Iterator[Batch]:
    """Yield frames of the named columns with ``_line`` (1-based), and the text they come from.

    A cell that does not fit its type is null. Rows with too many fields have ``_wide`` set.
    """
    schema = {name: _read_type(dtypes, name, dialect) for name in dialect.names} | {_EXTRA: pl.String()}
    for first, block in source.blocks():
        line, data = first, block
        if line == 1:
            data = data.removeprefix(b"\xef\xbb\xbf")
        if line <= dialect.skip:
            drop = min(dialect.skip + 1 - line, data.count(b"\n") + 1)
            data = data.split(b"\n", drop)[drop] if data.count(b"\n") >= drop else b""
            line += drop
        if not data.strip():
            continue
        frame = _parse(data, schema, dialect)
        frame = frame.with_columns(
            pl.int_range(line, line + frame.height, dtype=pl.Int64).alias("_line"),
            pl.col(_EXTRA).is_not_null().alias("_wide"),
        ).drop(_EXTRA)
        yield Batch(_clean(_drop_blank(frame, dialect, line, data), dtypes, dialect), line, data)


def _drop_blank(frame: pl.DataFrame, dialect: Dialect, first: int, data: bytes) -> pl.DataFrame:
    """Drop empty lines, which the reader returns as rows of nulls; keep rows whose cells are all unreadable."""
    empty = frame.select(pl.all_horizontal(pl.col(name).is_null() for name in dialect.names)).to_series()
    if not empty.any():
        return frame
    lines = data.split(b"\n")
    blank = [number for number in frame["_line"].filter(empty) if not lines[number - first].strip(b"\r ")]
    return frame.filter(~pl.col("_line").is_in(blank))


def _parse(data: bytes, schema: dict[str, pl.DataType], dialect: Dialect) -> pl.DataFrame:
    return pl.read_csv(
        data,
        has_header=False,
        schema=schema,
        separator=dialect.separator,
        quote_char='"' if dialect.quoted else None,
        ignore_errors=True,
        decimal_comma=dialect.decimal_comma,
        encoding="utf8-lossy",
        missing_columns="insert",
        extra_columns="ignore",
    )


def _read_type(dtypes: dict[str, pl.DataType], name: str, dialect: Dialect) -> pl.DataType:
    return pl.String() if dialect.padded else dtypes.get(name, pl.String())


def _clean(frame: pl.DataFrame, dtypes: dict[str, pl.DataType], dialect: Dialect) -> pl.DataFrame:
    if not dialect.padded:
        return frame
    return frame.with_columns(
        pl.col(name).str.strip_chars().cast(dtypes.get(name, pl.String()), strict=False)
        for name in dialect.names
    )


def _cells(line: str, separator: str) -> list[str]:
    if '"' in line:
        return next(csv.reader([line], delimiter=separator))
    return line.split(separator)


def _separator(lines: list[str]) -> str:
    """Return the separator that cuts most lines into the same number of parts (at least two).

    The comma comes last: between semicolons it is a decimal comma.
    """
    best, score = "", 0
    body = lines[len(lines) // 4 :]
    for separator in (";", "\t", "|", ","):
        widths = [len(_cells(line, separator)) for line in body]
        usual = max(set(widths), key=widths.count)
        if usual > 1 and widths.count(usual) > max(score, 0.5 * len(body)):
            best, score = separator, widths.count(usual)
    return best


def _usual_width(rows: list[list[str]]) -> int:
    widths = [len(row) for row in rows]
    return max(set(widths), key=widths.count)


def _looks_like_data(row: list[str]) -> bool:
    numbers = sum(bool(_NUMBER.match(cell)) for cell in row)
    return numbers >= max(1, len([cell for cell in row if cell.strip()]) // 3)


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return out
