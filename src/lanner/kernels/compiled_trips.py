"""Round trips out of a log of fills, first in, first out: the pairs of an entry order and an exit order.

The twin is ``backtest.trips``. Needed where one order is filled in parts; otherwise ``account`` counts as it goes.
"""

from __future__ import annotations

import numpy as np

from lanner.kernels.account import QUANTA, Array
from lanner.kernels.jit import kernel


@kernel
def closings(rules: Array, fills: Array, entries: Array, pairs: Array, profits: Array) -> int:
    """Match fills; write each closing's entry and exit order with its profit, and return how many there are.

    ``entries`` has a row of int64 for each fill: order, side, lots left, fill; ``pairs`` and ``profits`` two.
    """
    head = tail = count = 0
    for number in range(fills.size):
        row = fills[number]
        lots = row.lots
        fee = row.fee / QUANTA / row.lots
        while lots > 0 and head < tail and entries[head, 1] != row.side:
            entry = entries[head]
            opened = fills[entry[3]]
            closed = min(lots, entry[2])
            gross = entry[1] * (closed * row.px - closed * opened.px) * rules.unit
            pairs[count, 0], pairs[count, 1] = entry[0], row.order
            profits[count] = gross - closed * (opened.fee / QUANTA / opened.lots + fee)
            count += 1
            lots -= closed
            entry[2] -= closed
            if entry[2] == 0:
                head += 1
        if lots > 0:
            entries[tail, 0], entries[tail, 1] = row.order, row.side
            entries[tail, 2], entries[tail, 3] = lots, number
            tail += 1
    return count


def count_trips(rules: Array, book: Array, fills: Array) -> None:
    """Write the number of trips, of won ones, and what they won and lost, into a book."""
    size = len(fills)
    pairs, profits = np.empty((2 * size, 2), np.int64), np.empty(2 * size)
    count = closings(rules, fills, np.empty((size, 4), np.int64), pairs, profits)
    _, which = np.unique(pairs[:count], axis=0, return_inverse=True)
    trips = np.bincount(which.ravel(), weights=profits[:count]) if count else np.zeros(0)
    book["trades"], book["wins"] = len(trips), int((trips > 0.0).sum())
    book["won"], book["lost"] = float(trips[trips > 0.0].sum()), float(-trips[trips < 0.0].sum())
