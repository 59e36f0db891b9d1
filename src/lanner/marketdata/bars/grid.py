"""Time grids: where bars of each timeframe begin and end."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from lanner.core.errors import ConfigError
from lanner.model.timeframes import DAY_NS, SECOND_NS, TIMEFRAMES_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

MONDAY_OFFSET_NS = 4 * DAY_NS
"""1970-01-01 was a Thursday, so the first Monday lies four days after the epoch."""


class TimeGrid:
    """Say in which bar of a timeframe an instant lies; every bar is the half-open span [open, close).

    Timeframes up to ``3d`` count from the UNIX epoch, weeks start on Monday and ``1M`` follows the
    calendar, all in UTC.
    """

    __slots__ = ("_calendar", "_origin", "spec", "step_ns")

    def __init__(self, spec: str) -> None:
        if spec not in TIMEFRAMES_NS:
            raise ConfigError(
                f"{spec!r} is not a time bar", expected=f"one of {', '.join(TIMEFRAMES_NS)}", found=spec
            )
        self.spec = spec
        self.step_ns = TIMEFRAMES_NS[spec]
        self._calendar = spec == "1M"
        self._origin = MONDAY_OFFSET_NS if spec == "1w" else 0

    def floor(self, ts: int) -> int:
        """Return the open time of the bar that contains ``ts``."""
        if self._calendar:
            return _month_open(ts)
        return ts - (ts - self._origin) % self.step_ns

    def close(self, ts_open: int) -> int:
        """Return the close time of the bar that opens at ``ts_open``."""
        if self._calendar:
            return _month_open(ts_open + 32 * DAY_NS)
        return ts_open + self.step_ns

    def floor_array(self, ts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the open time of each instant's bar."""
        if self._calendar:
            months: NDArray[Any] = ts.astype("datetime64[ns]").astype("datetime64[M]")
            return months.astype("datetime64[ns]").astype(np.int64)
        opens: NDArray[np.int64] = ts - (ts - self._origin) % self.step_ns
        return opens

    def close_array(self, ts_open: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the close time of each bar, given open times."""
        if self._calendar:
            months: NDArray[Any] = ts_open.astype("datetime64[ns]").astype("datetime64[M]") + np.timedelta64(
                1, "M"
            )
            return months.astype("datetime64[ns]").astype(np.int64)
        closes: NDArray[np.int64] = ts_open + self.step_ns
        return closes

    def between(self, first: int, stop: int) -> list[int]:
        """Return the open times on the grid from ``first`` (on the grid) up to, not including, ``stop``."""
        if not self._calendar:
            return list(range(first, stop, self.step_ns))
        opens = []
        while first < stop:
            opens.append(first)
            first = self.close(first)
        return opens


@lru_cache(maxsize=64)
def time_grid(spec: str) -> TimeGrid:
    """Return the grid of a time bar specification, or raise ``ConfigError``."""
    return TimeGrid(spec)


def check_divides(fine: str, coarse: str) -> None:
    """Raise ``ConfigError`` unless bars of ``fine`` fill bars of ``coarse`` without straddling an edge."""
    step, span = time_grid(fine).step_ns, time_grid(coarse).step_ns
    by_calendar = coarse in ("1w", "1M")
    if span <= step or span % step or (by_calendar and DAY_NS % step):
        raise ConfigError(
            f"{coarse} bars cannot be built from {fine} bars",
            expected="a finer timeframe whose bars never straddle an edge of the coarser one",
            found=f"{fine} into {coarse}",
            fix=f"Use the {coarse} series itself, or a finer source such as 1m or 1h.",
        )


def _month_open(ts: int) -> int:
    day = datetime.fromtimestamp(ts // SECOND_NS, UTC)
    return int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp()) * SECOND_NS
