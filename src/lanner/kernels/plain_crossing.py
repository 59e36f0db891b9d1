"""Averages and account in one pass: each piece of bars is decided and played while it lies in the fastest caches."""

from __future__ import annotations

import numpy as np

from lanner.kernels.account import Array
from lanner.kernels.crossing import add_up
from lanner.kernels.flips import bound_of, flips
from lanner.kernels.jit import kernel
from lanner.kernels.lanes import WORD
from lanner.kernels.plain import CHUNK, begin_run, play_changes, settle_sums, stretch

__all__ = ["play_crossing"]


@kernel
def play_crossing(
    rules: Array, book: Array, queue: Array, curve: Array, blocks: Array, edges: Array, x: Array, one: int, two: int,
    room: Array, opens: Array, close: Array, out: Array, sums: Array, rows: Array, changes: Array,
) -> int:  # fmt: skip
    """Be long while one average of x is above another; return the bar before which play stopped, else their number.

    ``room`` is that of ``crossing.above`` and ``rows`` int64[CHUNK + 64] to work with. The rest is as in
    ``plain.play_weights``.
    """
    if not begin_run(rules, book, queue, curve, sums):
        return 0
    n, m = max(one, 1), max(two, 1)
    longest, totals, other = max(n, m), room[WORD : room.size - 1], room[room.size - 1 :]
    index, begin, state, size = 0, 0, np.int64(0), 0.0
    while begin < close.size:
        end = min(close.size, begin + CHUNK)
        low = max(0, begin - longest)
        centre = x[low]
        total, least, most = add_up(x, low, end, centre, totals)
        size = max(size, abs(least), abs(most))
        bound = bound_of(n, m, size, max(abs(least - centre), abs(most - centre)), end - low)
        if total - total != 0.0 or not bound < np.inf:
            break
        count, after = np.int64(0), state
        first = max(begin, longest - 1)
        if first < end:
            count, after = flips(x, one, two, first, end, low, room, other, bound, 0, rows, count, state)
        if count < 0:
            break
        for k in range(count):
            state = 1 - state
            changes[k] = 4 * rows[k] + 1 + state
        state = after
        index, done = play_changes(
            rules, book, queue, curve, blocks, edges, changes, count, rules.share, False, index, close.size, opens,
            close, out, sums,
        )  # fmt: skip
        if done and index < end:
            index = stretch(rules, book, curve, blocks, edges, close, out, sums, index, end)
        if index < end or not done:
            break
        begin = end
    settle_sums(curve, blocks, sums)
    return index
