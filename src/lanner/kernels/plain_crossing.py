"""Averages and account in one pass: each piece of bars is decided and played while it lies in the fastest caches."""

from __future__ import annotations

from lanner.kernels.account import Array
from lanner.kernels.crossing import PIECE, above
from lanner.kernels.jit import kernel
from lanner.kernels.plain import weights_from

__all__ = ["play_crossing"]


@kernel
def play_crossing(
    rules: Array, book: Array, queue: Array, curve: Array, blocks: Array, edges: Array, x: Array, one: int, two: int,
    room: Array, opens: Array, close: Array, signals: Array, words: Array, out: Array, sums: Array, changes: Array,
) -> int:  # fmt: skip
    """Be long while one average of x is above another; return the bar before which play stopped, else their number.

    ``signals`` is int8, whole words, ``words`` the same memory as int64. The rest is as in ``crossing.above`` and
    ``plain.play_weights``.
    """
    rows, begin = close.size, 0
    while begin < rows:
        end = min(rows, begin + PIECE)
        if not above(x, one, two, begin, end, room, signals[begin:end]):
            return begin
        done = weights_from(
            rules, book, queue, curve, blocks, edges, begin, end, opens, close, words, 0, out, sums, changes
        )
        if done < end:
            return done
        begin = end
    return rows
