"""Many spans of one column of weights in one call: what a sweep needs of a variant, without its curve."""

from __future__ import annotations

import numpy as np

from lanner.kernels.account import Array
from lanner.kernels.jit import inner, kernel
from lanner.kernels.plain import weights_from
from lanner.kernels.portfolio import simulate

__all__ = ["play_spans", "simulate_spans"]


@kernel
def simulate_spans(
    rules: Array,
    books: Array,
    curves: Array,
    queue: Array,
    orders: Array,
    fills: Array,
    blocks: Array,
    edges: Array,
    spans: Array,
    sums: int,
    ticks: Array,
    close: Array,
    volume: Array,
    weights: Array,
    words: Array,
    fund_bar: Array,
    fund_end: Array,
    fund_rate: Array,
    none: Array,
    scratch: Array,
    out: Array,
) -> None:
    """Play every span [start, stop) from a fresh account; ``out`` is float64[spans, STATISTICS].

    ``blocks`` is filled by the first span only. ``books`` and ``curves`` hold one record each to work with; the first
    element of each second row stays as it is and is what a fresh one looks like.
    """
    empty = np.zeros((0, 3))
    for index in range(spans.shape[0]):
        books[0] = books[1]
        curves[0] = curves[1]
        book, curve = books[0], curves[0]
        curve.sums = sums
        simulate(
            rules, book, queue, orders, fills, curve, blocks if index == 0 else empty, edges,
            spans[index, 0], spans[index, 1], ticks, close, volume, weights, words,
            fund_bar, fund_end, fund_rate, none, scratch,
        )  # fmt: skip
        write_row(book, curve, out[index])


@kernel
def play_spans(
    rules: Array, books: Array, curves: Array, queue: Array, blocks: Array, edges: Array, spans: Array, opens: Array,
    close: Array, words: Array, tail: int, sums: Array, changes: Array, out: Array,
) -> bool:  # fmt: skip
    """Do the same by ``plain.play_weights``; tell whether it went."""
    empty = np.zeros((0, 3))
    none = np.zeros(0)
    for index in range(spans.shape[0]):
        books[0] = books[1]
        curves[0] = curves[1]
        book, curve = books[0], curves[0]
        curve.sums = 2
        start, stop = spans[index, 0], spans[index, 1]
        if stop > start:
            done = weights_from(
                rules, book, queue, curve, blocks if index == 0 else empty, edges, start, stop, opens, close,
                words, tail, none, sums, changes,
            )  # fmt: skip
            if done < stop:
                return False
        write_row(book, curve, out[index])
    return True


@inner
def write_row(book: Array, curve: Array, row: Array) -> None:
    """Write the statistics of a span."""
    row[0], row[1], row[2], row[3] = curve.count, curve.total, curve.squares, curve.downside
    row[4], row[5], row[6], row[7] = curve.losses, curve.drawdown, curve.last, curve.held
    row[8], row[9], row[10], row[11] = book.trades, book.wins, book.won, book.lost
    row[12], row[13], row[14], row[15] = book.fees, book.fills, book.funding, book.traded
    row[16], row[17] = book.slipped, book.fault
