"""What every indicator is: one or more lines with a present and a previous value.

There is one definition of each indicator, the streaming one. Its array form is that same code run over the series, or
a compiled kernel that repeats it operation by operation, so the two agree bit for bit.

A NaN or infinite input is a gap: the indicator gives NaN and warms up again with what follows. So NaN at the head
of a series (the warm-up of another indicator, say) only shifts the start, and one bad value never poisons the rest.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self

from lanner.core.errors import ConfigError

NAN = math.nan


class BarLike(Protocol):
    """The parts of a bar that indicators read; ``ts_open`` is UNIX nanoseconds."""

    @property
    def ts_open(self) -> int: ...
    @property
    def open(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def close(self) -> float: ...
    @property
    def volume(self) -> float: ...


class Line:
    """A series seen at its cursor: ``value`` now, ``prev`` one step before; NaN until warmed up.

    Comparisons with NaN are false, so a rule cannot fire during warm-up. Arithmetic gives plain numbers.
    """

    __slots__ = ("prev", "value")

    def __init__(self) -> None:
        self.value = NAN
        self.prev = NAN

    def push(self, value: float) -> None:
        """Move the line one step forward."""
        self.prev = self.value
        self.value = value

    @property
    def ready(self) -> bool:
        """Tell whether the line has a value (a NaN is not equal to itself)."""
        return self.value == self.value

    def crossed_above(self, other: Line | float) -> bool:
        """Tell whether the line was at or below the other one step ago and is above it now."""
        if isinstance(other, Line):
            return self.value > other.value and self.prev <= other.prev
        return self.value > other >= self.prev

    def crossed_below(self, other: Line | float) -> bool:
        """Tell whether the line was at or above the other one step ago and is below it now."""
        if isinstance(other, Line):
            return self.value < other.value and self.prev >= other.prev
        return self.value < other <= self.prev

    @property
    def rising(self) -> bool:
        """Tell whether the value is above the previous one."""
        return self.value > self.prev

    @property
    def falling(self) -> bool:
        """Tell whether the value is below the previous one."""
        return self.value < self.prev

    def __float__(self) -> float:
        return self.value

    def __gt__(self, other: Line | float) -> bool:
        return self.value > (other.value if isinstance(other, Line) else other)

    def __ge__(self, other: Line | float) -> bool:
        return self.value >= (other.value if isinstance(other, Line) else other)

    def __lt__(self, other: Line | float) -> bool:
        return self.value < (other.value if isinstance(other, Line) else other)

    def __le__(self, other: Line | float) -> bool:
        return self.value <= (other.value if isinstance(other, Line) else other)

    def __add__(self, other: Line | float) -> float:
        return self.value + (other.value if isinstance(other, Line) else other)

    def __sub__(self, other: Line | float) -> float:
        return self.value - (other.value if isinstance(other, Line) else other)

    def __mul__(self, other: Line | float) -> float:
        return self.value * (other.value if isinstance(other, Line) else other)

    def __truediv__(self, other: Line | float) -> float:
        return ratio(self.value, other.value if isinstance(other, Line) else other)

    def __radd__(self, other: float) -> float:
        return other + self.value

    def __rsub__(self, other: float) -> float:
        return other - self.value

    def __rmul__(self, other: float) -> float:
        return other * self.value

    def __rtruediv__(self, other: float) -> float:
        return ratio(other, self.value)

    def __neg__(self) -> float:
        return -self.value

    def __abs__(self) -> float:
        return abs(self.value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.value:g} (was {self.prev:g})>"


class Lines(Line):
    """What is common to all indicators: a warm-up, and names for their lines.

    ``warmup`` is the number of inputs after which every line has its first value. The indicator itself is its first
    line: ``macd.value`` is ``macd.macd.value``.
    """

    __slots__ = ("params",)

    lines: ClassVar[tuple[str, ...]] = ("value",)
    warmup: int = 1
    params: tuple[object, ...]
    """What the indicator was made with, as it was given, without names."""

    def __new__(cls, *args: object, **named: object) -> Self:
        self = super().__new__(cls)
        self.params = _in_order(cls, args, named) if named else args
        return self

    def fresh(self) -> Self:
        """Return an indicator made the same way that has seen nothing yet."""
        return type(self)(*self.params)

    def line(self, name: str) -> Line:
        """Return one of the lines by name."""
        if name not in self.lines:
            raise ConfigError(
                f"{type(self).__name__} has no line {name!r}", expected=f"one of {', '.join(self.lines)}"
            )
        line: Line = self if name == self.lines[0] else getattr(self, name)
        return line


class Indicator(Lines):
    """A line computed from one number per step; feed it with ``update``."""

    __slots__ = ()

    def update(self, x: float) -> None:
        """Take the next input."""
        raise TypeError(f"{type(self).__name__} does not say how it is updated")

    def array(self, values: Iterable[float]) -> Any:
        """Run the indicator over a whole series; same length, NaN during warm-up.

        The series is run by a fresh twin: this object does not move. A numpy array gives a numpy array, computed by
        a kernel where numba is installed; anything else gives a list.
        """
        return self.arrays(values)[self.lines[0]]

    def arrays(self, values: Iterable[float]) -> dict[str, Any]:
        """Run the indicator over a whole series and return every line by name."""
        return _run(self, (values,))


class PairIndicator(Lines):
    """A line computed from two numbers per step; feed it with ``update``."""

    __slots__ = ()

    def update(self, x: float, y: float) -> None:
        """Take the next two inputs."""
        raise TypeError(f"{type(self).__name__} does not say how it is updated")

    def array(self, xs: Iterable[float], ys: Iterable[float]) -> Any:
        """Run the indicator over two series of one length; the same, NaN during warm-up."""
        return self.arrays(xs, ys)[self.lines[0]]

    def arrays(self, xs: Iterable[float], ys: Iterable[float]) -> dict[str, Any]:
        """Run the indicator over two series and return every line by name."""
        return _run(self, (xs, ys))


class BarIndicator(Lines):
    """A line computed from whole bars (high, low, volume …); feed it with ``update_bar``.

    ``fields`` names what it reads of them.
    """

    __slots__ = ()

    fields: tuple[str, ...] = ("ts_open", "open", "high", "low", "close", "volume")

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        raise TypeError(f"{type(self).__name__} does not say how it is updated")

    def array(self, columns: Mapping[str, Any]) -> Any:
        """Run the indicator over columns named ``open, high, low, close, volume`` (and ``ts_open`` where needed)."""
        return self.arrays(columns)[self.lines[0]]

    def arrays(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Run the indicator over columns and return every line by name; a column that is missing reads as NaN.

        The columns are run by a fresh twin: this object does not move. Numpy columns give numpy arrays, computed by
        a kernel where numba is installed; anything else gives lists.
        """
        if columns and all(hasattr(column, "dtype") for column in columns.values()):
            check_columns(columns)
            return _run(self, tuple(_column(columns, name) for name in self.fields))
        twin = self.fresh()
        parts = [(twin.line(name), name) for name in self.lines]
        out: dict[str, Any] = {name: [] for name in self.lines}
        for row in rows(columns):
            twin.update_bar(row)
            for line, name in parts:
                out[name].append(line.value)
        return out


def _run(indicator: Any, series: tuple[Any, ...]) -> dict[str, Any]:
    """Run numpy arrays through the array form, anything else through a fresh streaming twin."""
    if all(type(item).__module__ == "numpy" for item in series):
        from lanner.indicators.arrays import run_once

        return run_once(type(indicator), indicator.params, series)
    twin = indicator.fresh()
    update = twin.update
    parts = [(twin.line(name), name) for name in indicator.lines]
    out: dict[str, Any] = {name: [] for name in indicator.lines}
    for values in zip(*series, strict=True):
        update(*values)
        for line, name in parts:
            out[name].append(line.value)
    return out


class Row:
    """A bar made of columns, for array forms; one object moves along the columns."""

    __slots__ = ("close", "high", "low", "open", "ts_open", "volume")

    def __init__(self) -> None:
        self.ts_open = 0
        self.open = self.high = self.low = self.close = self.volume = NAN


def rows(columns: Mapping[str, Any]) -> Iterable[Row]:
    """Walk along columns of equal length; the same object is given each time."""
    names = check_columns(columns)
    row = Row()
    for values in zip(*(_plain(columns[name]) for name in names), strict=True):
        for name, value in zip(names, values, strict=True):
            setattr(row, name, value)
        yield row


def check_columns(columns: Mapping[str, Any]) -> list[str]:
    """Return the names of the columns that make bars; they must be of one length."""
    names = [name for name in Row.__slots__ if name in columns]
    lengths = {name: len(columns[name]) for name in names}
    if not names or len(set(lengths.values())) > 1:
        raise ConfigError(
            "the columns do not make bars",
            expected="columns of equal length out of open, high, low, close, volume, ts_open",
            found=", ".join(f"{name}: {length}" for name, length in lengths.items()) or "none of them",
        )
    return names


def _column(columns: Mapping[str, Any], name: str) -> Any:
    """Return a numpy column; one that is missing is NaN, as in ``Row``."""
    import numpy as np

    if name in columns:
        return columns[name]
    length = len(next(iter(columns.values())))
    return np.zeros(length, dtype=np.int64) if name == "ts_open" else np.full(length, NAN)


def _in_order(cls: type, args: tuple[object, ...], named: dict[str, object]) -> tuple[object, ...]:
    """Return arguments without their names, defaults filled in."""
    bound = inspect.signature(cls.__init__).bind(None, *args, **named)  # type: ignore[misc]
    bound.apply_defaults()
    return bound.args[1:]


def _plain(column: Sequence[float]) -> Sequence[float]:
    """Return a numpy array or polars series as Python numbers, which are faster one by one."""
    for method in ("tolist", "to_list"):
        if hasattr(column, method):
            return getattr(column, method)()  # type: ignore[no-any-return]
    return column


def ratio(a: float, b: float) -> float:
    """Divide as IEEE 754 does: x/0 is ±inf, 0/0 is NaN; nothing is raised."""
    if b:
        return a / b
    if a == 0 or a != a or b != b:
        return NAN
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def check_period(name: str, period: object, least: int = 1) -> int:
    """Return the period when it is a whole number of at least ``least``."""
    if isinstance(period, bool) or not isinstance(period, int) or period < least:
        raise ConfigError(f"{name}: bad period", expected=f"a whole number >= {least}", found=period)
    return period


def check_positive(name: str, what: str, value: object) -> float:
    """Return a finite number above zero as a float."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ConfigError(f"{name}: bad {what}", expected="a number > 0", found=value)
    return float(value)
