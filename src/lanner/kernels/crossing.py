"""Whether one simple average, or the price, lies above another: as ``moving.sma`` says, without computing either.

The difference of two averages is known well enough from running totals to tell its sign, nearly always: the totals'
errors and those of ``sma`` have bounds. In a piece in which some difference is smaller than that, the averages are
computed as defined. So every answer is the one that the averages' own bits give.
"""

from __future__ import annotations

import math

import numpy as np

from lanner.kernels.history import Array
from lanner.kernels.jit import borrowing, inlined, kernel
from lanner.kernels.lanes import LANES, running_totals

PIECE = 8192
"""Rows at a time: the totals of a piece stay in the processor's fastest caches."""

_MARGIN = 32

GRAIN = 2.3e-16
"""A little more than the largest relative error of two roundings."""


def working_memory(one: int, two: int) -> Array:
    """Return room for ``above``."""
    return np.zeros(2 * (PIECE + max(one, two) + _MARGIN) + 1)


@kernel
def above(x: Array, one: int, two: int, start: int, stop: int, room: Array, out: Array) -> bool:
    """Write for each of the rows [start, stop) whether the average of ``one`` values is above that of ``two``.

    It is 0 in warm-up. A length of 0 means the value itself. Rows before ``start`` have to be finite, as a call for
    them has found. Returns False, and leaves a part unwritten, where a value is not.
    """
    half = (room.size - 1) // 2
    begin = start
    while begin < stop:
        end = min(stop, begin + PIECE)
        if not _piece(
            x, one, two, begin, end, room[:half], room[half:], room[-1:], out[begin - start : end - start]
        ):
            return False
        begin = end
    return True


@inlined
def _piece(
    x: Array,
    one: int,
    two: int,
    start: int,
    stop: int,
    totals: Array,
    other: Array,
    largest: Array,
    out: Array,
) -> bool:
    """Answer for the rows of a piece; ``largest`` is the largest distance from 0 of all values so far."""
    longest = max(one, two, 1)
    low = max(0, start - longest)
    centre = x[low]
    total, least, most = add_up(x, low, stop, centre, totals)
    if total - total != 0.0:
        return False
    first = max(start, longest - 1)
    for row in range(start, min(first, stop)):
        out[row - start] = 0
    if first >= stop:
        return True
    n, m = max(one, 1), max(two, 1)
    reach = max(abs(least - centre), abs(most - centre))
    if start == 0:
        largest[0] = 0.0
    largest[0] = size = max(largest[0], max(abs(least), abs(most)))
    length = stop - low
    bound = GRAIN * n * m * (size * (2 * n + 2 * m + 6) + 4.0 * reach * length * (length + 4) / min(n, m))
    if not bound < math.inf:
        return False
    unclear = _compare(totals, n, m, first - low, stop - low, bound, start - low, out)
    if unclear == 0:
        return True
    if unclear * (n + m) < stop - first:
        for row in range(first, stop):
            last = row + 1 - low
            apart = (totals[last] - totals[last - n]) * m - (totals[last] - totals[last - m]) * n
            if abs(apart) <= bound:
                defined(x, one, row, row + 1, other)
                value = other[0]
                defined(x, two, row, row + 1, other)
                out[row - start] = 1 if value > other[0] else 0
        return True
    defined(x, one, first, stop, totals)
    defined(x, two, first, stop, other)
    for k in range(stop - first):
        out[first - start + k] = 1 if totals[k] > other[k] else 0
    return True


@inlined
def add_up(x: Array, start: int, stop: int, centre: float, totals: Array) -> tuple[float, float, float]:
    """Write the running totals of the distances to a centre; return the last one and the extremes of the values."""
    total, least, most = 0.0, x[start], x[start]
    whole = (stop - start) // LANES * LANES
    totals[0] = 0.0
    if whole:
        total, least, most = running_totals(x, start, whole, centre, totals)
    for row in range(start + whole, stop):
        value = x[row]
        least, most = min(least, value), max(most, value)
        total += value - centre
        totals[row - start + 1] = total
    return total, least, most


@inlined
def _compare(
    totals: Array, n: int, m: int, start: int, stop: int, bound: float, skipped: int, out: Array
) -> int:
    """Write the signs of the differences; return how many are too small to tell."""
    unclear = 0
    wide, far, near = float(m), np.uint64(n - 1), np.uint64(m - 1)
    narrow, shift = float(n), np.uint64(skipped)
    for row in range(np.uint64(start), np.uint64(stop)):
        last = totals[row + np.uint64(1)]
        apart = (last - totals[row - far]) * wide - (last - totals[row - near]) * narrow
        out[row - shift] = apart > 0.0
        unclear += abs(apart) <= bound
    return unclear


@borrowing
def defined(x: Array, n: int, start: int, stop: int, out: Array) -> None:
    """Write rows of the average as ``moving.sma`` defines it, where all values before are finite."""
    if n == 0:
        for row in range(start, stop):
            out[row - start] = x[row]
        return
    row = n - 1 + (start - n + 1) // (n + 1) * (n + 1)
    total = 0.0
    while row < stop:
        total = 0.0
        for k in range(row - n + 1, row + 1):
            total += x[k]
        if row >= start:
            out[row - start] = total / n
        row += 1
        for _ in range(n):
            if row >= stop:
                break
            total += x[row] - x[row - n]
            if row >= start:
                out[row - start] = total / n
            row += 1
