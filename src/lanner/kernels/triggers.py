"""Where a stretch of quotes or bars leaves the prices, or the time, in which nothing can happen."""

from __future__ import annotations

from lanner.kernels.account import Array
from lanner.kernels.jit import kernel


@kernel
def first_outside_quotes(
    bid: Array, ask: Array, ts: Array, low: float, high: float, until: int, start: int, stop: int
) -> int:
    """Return the first row of [start, stop) that is not strictly inside; a missing side (NaN) is outside."""
    for row in range(start, stop):
        if not (low < ask[row] < high and low < bid[row] < high and ts[row] < until):
            return row
    return stop


@kernel
def first_outside_bars(
    lowest: Array, highest: Array, ts: Array, low: float, high: float, until: int, start: int, stop: int
) -> int:
    """Return the first row of [start, stop) whose range is not strictly inside."""
    for row in range(start, stop):
        if lowest[row] <= low or highest[row] >= high or ts[row] >= until:
            return row
    return stop


@kernel
def first_late(ts: Array, until: int, start: int, stop: int) -> int:
    """Return the first row of [start, stop) at or after a time."""
    for row in range(start, stop):
        if ts[row] >= until:
            return row
    return stop


@kernel
def mean(a: Array, b: Array, out: Array) -> None:
    """Write (a + b) / 2."""
    for row in range(a.size):
        out[row] = (a[row] + b[row]) * 0.5


@kernel
def rows_of_any(conditions: Array, count: int, out: Array) -> int:
    """Write the rows, out of ``count``, at which one of the conditions (uint8[k, n]) holds; return how many."""
    found = 0
    for row in range(count):
        held = 0
        for k in range(conditions.shape[0]):
            held |= conditions[k, row]
        out[found] = row
        found += 1 if held else 0
    return found
