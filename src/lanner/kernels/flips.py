"""When one average rises above another and when it no longer is, 64 rows at a time, without a column of answers."""

from __future__ import annotations

import numpy as np

from lanner.kernels.account import Array
from lanner.kernels.crossing import GRAIN, defined
from lanner.kernels.jit import borrowing, inlined
from lanner.kernels.lanes import WORD, apart, lowest_bit

DOUBTS = 64
"""How many comparisons of a piece may be too close to tell from running totals."""


@inlined
def bound_of(n: int, m: int, size: float, reach: float, length: int) -> float:
    """Return how small a difference may be an error, as ``crossing`` has it: of values up to ``size`` from 0 and up
    to ``reach`` from their centre, in totals of so many."""
    return GRAIN * n * m * (size * (2 * n + 2 * m + 6) + 4.0 * reach * length * (length + 4) / min(n, m))


@borrowing
def flips(
    x: Array, one: int, two: int, begin: int, stop: int, low: int, room: Array, other: Array, bound: float,
    lead: int, changes: Array, count: int, state: int,
) -> tuple[int, int]:  # fmt: skip
    """Append the rows of [begin, stop), less ``lead``, at which one average rises above the other or no longer is.

    ``room[WORD + k]`` is the running total of k values from ``low`` on, and ``state`` 1 where it was above before.
    Returns the number of changes and the state at the end; the number is −1 where there are too many, or too many
    doubts.
    """
    n, m, doubts = max(one, 1), max(two, 1), 0
    for row in range(begin // WORD * WORD, stop, WORD):
        above, unclear = apart(room, row - low + 1 + WORD, n, m, bound)
        if row < begin:
            valid = np.int64(-1) << (begin - row)
            above, unclear = above & valid, unclear & valid
        if row + WORD > stop:
            valid = (np.int64(1) << (stop - row)) - 1
            above, unclear = above & valid, unclear & valid
        while unclear:
            place = lowest_bit(unclear)
            defined(x, one, row + place, row + place + 1, other)
            value = other[0]
            defined(x, two, row + place, row + place + 1, other)
            above = above & ~(np.int64(1) << place)
            if value > other[0]:
                above = above | (np.int64(1) << place)
            unclear = unclear & (unclear - 1)
            doubts += 1
        turns = above ^ ((above << 1) | state)
        if row + WORD > stop:
            turns = turns & ((np.int64(1) << (stop - row)) - 1)
            state = (above >> (stop - row - 1)) & 1
        else:
            state = (above >> 63) & 1
        if doubts > DOUBTS or count + WORD > changes.size:
            return -1, state
        while turns:
            changes[count] = row - lead + lowest_bit(turns)
            count += 1
            turns = turns & (turns - 1)
    return count, state
