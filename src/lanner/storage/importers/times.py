"""Read times in the many ways files write them, into UNIX nanoseconds UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from lanner.core.errors import DataError

_DIGITS = re.compile(r"^-?\d+$")
_DECIMAL = re.compile(r"^\d+\.\d*$")
_OFFSET = re.compile(r"(Z|[+-]\d\d:?\d\d)$")

UNITS = ("s", "ms", "us", "ns")
_LOWEST = 100_000_000
_BOUNDS = (100_000_000_000, 100_000_000_000_000, 100_000_000_000_000_000)
_SCALES = (1_000_000_000, 1_000_000, 1_000, 1)

FORMATS = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
    "%Y-%m-%d %I:%M:%S %p",
    "%Y-%m-%d %I:%M %p",
    "%Y%m%d %H:%M:%S%.f",
    "%Y%m%d %H:%M",
    "%Y%m%d %H%M%S%.f",
    "%Y%m%d%H%M%S",
    "%Y%m%d",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y.%m.%d %H:%M:%S%.f",
    "%Y.%m.%d %H:%M",
    "%Y.%m.%d",
    "%d.%m.%Y %H:%M:%S%.f",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%d-%b-%Y %H:%M:%S%.f",
    "%d-%b-%Y",
    "%b %d, %Y",
)
_DAY_FIRST = ("%d/%m/%Y %H:%M:%S%.f", "%d/%m/%Y %H:%M", "%d/%m/%Y")
_MONTH_FIRST = ("%m/%d/%Y %H:%M:%S%.f", "%m/%d/%Y %H:%M", "%m/%d/%Y")


@dataclass(frozen=True, slots=True)
class TimeReader:
    """How one column writes its times: ``form`` is ``number``, ``decimal`` (seconds) or a text format."""

    form: str
    offset: bool = False

    @property
    def dtype(self) -> pl.DataType:
        """Return the type with which the CSV reader should read the column."""
        return pl.Int64() if self.form == "number" else pl.String()

    def expr(self, column: str) -> pl.Expr:
        """Return the expression that turns the column into nanoseconds; what it cannot read becomes null."""
        col = pl.col(column)
        if self.form == "number":
            return number_to_ns(col)
        text = col.str.strip_chars()
        if self.form == "decimal":
            whole = text.str.extract(r"^(\d+)(?:\.\d*)?$", 1).cast(pl.Int64, strict=False)
            part = (
                text.str.extract(r"\.(\d{0,9})", 1)
                .fill_null("")
                .str.pad_end(9, "0")
                .cast(pl.Int64, strict=False)
            )
            return whole * 1_000_000_000 + part
        text = text.str.replace(r"(\d)T(\d)", "$1 $2").str.replace(r" (\d\d?)-([AP]M)$", " $1:00 $2")
        if "%H" not in self.form and "%I" not in self.form:
            return text.str.to_date(self.form, strict=False).cast(pl.Datetime("ns")).dt.epoch("ns")
        if self.offset:
            zoned = text.str.replace(r"\s?(Z|UTC)$", "+00:00").str.replace(r"\s+([+-]\d\d:?\d\d)$", "$1")
            return zoned.str.to_datetime(self.form + "%#z", strict=False, time_unit="ns").dt.epoch("ns")
        return text.str.to_datetime(self.form, strict=False, time_unit="ns").dt.epoch("ns")


def number_to_ns(col: pl.Expr) -> pl.Expr:
    """Scale whole numbers to nanoseconds; the unit of each follows from its size, so 10 to 19 digits are legal."""
    scaled = col
    for bound, scale in reversed(list(zip(_BOUNDS, _SCALES, strict=False))):
        scaled = pl.when(col < bound).then(col * scale).otherwise(scaled)
    return pl.when(col < _LOWEST).then(None).otherwise(scaled)


def unit_of(value: int) -> str:
    """Return the unit a whole number must have to be a time between 1973 and 2286."""
    return UNITS[sum(value >= bound for bound in _BOUNDS)]


def fit_time(values: list[str], where: str) -> TimeReader:
    """Find out how a column writes its times from some of its values; raise ``DataError`` when nothing fits."""
    sample = [value.strip() for value in values if value.strip()]
    if not sample:
        raise DataError(f"{where}: the time column is empty", expected="a time in each row")
    majority = 0.5 * len(sample)
    if sum(bool(_DIGITS.match(value)) and int(value) >= _LOWEST for value in sample) > majority:
        whole = [int(value) for value in sample if _DIGITS.match(value)]
        if not sum(19_000_101_000_000 <= value <= 21_001_231_235_959 for value in whole) > majority:
            return TimeReader("number")
    if sum(bool(_DECIMAL.match(value)) for value in sample) > majority:
        return TimeReader("decimal")
    return _fit_text(sample, where)


def _fit_text(sample: list[str], where: str) -> TimeReader:
    zoned = sum(bool(_OFFSET.search(value)) or value.endswith("UTC") for value in sample) > 0.5 * len(sample)
    zoned = zoned and ":" in sample[0]
    frame = pl.DataFrame({"time": sample})
    best = max(
        (TimeReader(form, zoned) for form in (*FORMATS, *_DAY_FIRST, *_MONTH_FIRST)),
        key=lambda reader: _readable(frame, reader),
    )
    if _readable(frame, best) <= 0.5:
        raise DataError(
            f"{where}: cannot read the time column",
            expected="UNIX time in s, ms, µs or ns, or a date such as 2024-01-31 23:00:00",
            found=repr(sample[0]),
            fix="Convert the column to ISO 8601 or UNIX milliseconds.",
        )
    if best.form in _DAY_FIRST:
        other = TimeReader(_MONTH_FIRST[_DAY_FIRST.index(best.form)], zoned)
        if _readable(frame, other) >= _readable(frame, best):
            raise DataError(
                f"{where}: the dates can be read in two ways",
                expected="an unambiguous date such as 2024-01-31",
                found=repr(sample[0]),
                fix="Convert the column to ISO 8601 (year-month-day).",
            )
    return best


def _readable(frame: pl.DataFrame, reader: TimeReader) -> float:
    parsed = frame.select(reader.expr("time").alias("time")).to_series()
    return 1 - parsed.null_count() / len(parsed)
