"""What every indicator is: one or more lines with a present and a previous value."""

from __future__ import annotations

import math
from collections.abc import Iterable

from lanner.core.errors import ConfigError
from lanner.model.market import Bar

NAN = math.nan

Comparable = "Line | float | int"


class Line:
    """A series seen at its cursor: ``value`` now, ``prev`` one step before; NaN until warmed up.

    Comparisons with NaN are false, so a rule cannot fire during warm-up.
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

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.value:g} (was {self.prev:g})>"


class Indicator(Line):
    """A line computed from one number per step; feed it with ``update``.

    ``warmup`` is the number of inputs after which every line has its first value.
    """

    __slots__ = ()

    warmup: int = 1

    def update(self, x: float) -> None:
        """Take the next input."""
        raise TypeError(f"{type(self).__name__} does not say how it is updated")

    def array(self, values: Iterable[float]) -> list[float]:
        """Run the indicator over a whole series; same length, NaN during warm-up."""
        update = self.update
        out: list[float] = []
        append = out.append
        for x in values:
            update(x)
            append(self.value)
        return out


class BarIndicator(Line):
    """A line computed from whole bars (high, low, volume …); feed it with ``update_bar``."""

    __slots__ = ()

    warmup: int = 1

    def update_bar(self, bar: Bar) -> None:
        """Take the next bar."""
        raise TypeError(f"{type(self).__name__} does not say how it is updated")


def check_period(name: str, period: int, least: int = 1) -> int:
    """Return the period when it is a whole number of at least ``least``."""
    if isinstance(period, bool) or not isinstance(period, int) or period < least:
        raise ConfigError(f"{name}: bad period", expected=f"a whole number >= {least}", found=period)
    return period
