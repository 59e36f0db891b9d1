"""Feeding indicators of two series from bars: two fields of one bar, or the closes of two instruments."""

from __future__ import annotations

from lanner.core.errors import ConfigError
from lanner.indicators.base import NAN, BarIndicator, BarLike, PairIndicator, ratio

FIELDS = ("open", "high", "low", "close", "volume")


class FieldPair(BarIndicator):
    """Give an indicator two fields of each bar, or their relative changes."""

    __slots__ = ("_indicator", "_last", "changes", "names", "warmup")

    def __init__(self, indicator: PairIndicator, names: tuple[str, str], changes: bool) -> None:
        super().__init__()
        self._indicator = indicator
        self.names = names
        self.changes = changes
        self.warmup = indicator.warmup + changes
        self._last = (NAN, NAN)

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        x, y = (float(getattr(bar, name)) for name in self.names)
        if self.changes:
            (last_x, last_y), self._last = self._last, (x, y)
            x, y = ratio(x, last_x) - 1.0, ratio(y, last_y) - 1.0
        self._indicator.update(x, y)


class Meeting:
    """Where the bars of two series wait for each other; the indicator moves when both have one of the same time."""

    __slots__ = ("changes", "indicator", "last", "pending", "times")

    def __init__(self, indicator: PairIndicator, changes: bool) -> None:
        self.indicator = indicator
        self.changes = changes
        self.times = [-1, -1]
        self.pending = [NAN, NAN]
        self.last = (NAN, NAN)

    def arrive(self, side: int, ts_open: int, close: float) -> None:
        """Take a bar of one side; where its partner is missing, both are left out."""
        self.times[side] = ts_open
        self.pending[side] = close
        if self.times[0] == self.times[1]:
            x, y = self.pending
            if self.changes:
                (last_x, last_y), self.last = self.last, (x, y)
                x, y = ratio(x, last_x) - 1.0, ratio(y, last_y) - 1.0
            self.indicator.update(x, y)


class Side(BarIndicator):
    """One of the two series of a meeting."""

    __slots__ = ("_meeting", "side", "warmup")

    def __init__(self, meeting: Meeting, side: int) -> None:
        super().__init__()
        self._meeting = meeting
        self.side = side
        self.warmup = meeting.indicator.warmup + meeting.changes

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        self._meeting.arrive(self.side, bar.ts_open, bar.close)


def checked_field(field: str) -> str:
    """Return the name of a bar's field."""
    if field not in FIELDS:
        raise ConfigError("unknown bar field", expected=", ".join(FIELDS), found=repr(field))
    return field
