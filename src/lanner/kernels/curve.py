"""The equity curve of a portfolio kernel, and the sums over its returns that every statistic is made of."""

from __future__ import annotations

import numpy as np

from lanner.kernels.account import QUANTA, Array
from lanner.kernels.jit import inlined, kernel, order_free

CURVE = np.dtype(
    [
        ("sums", "i8"), ("last", "f8"), ("count", "i8"), ("ruined", "i8"),
        ("total", "f8"), ("squares", "f8"), ("downside", "f8"), ("losses", "f8"),
        ("peak", "f8"), ("trough", "f8"), ("drawdown", "f8"), ("held", "i8"), ("block", "i8"),
    ]
)  # fmt: skip
"""``sums``: 0 for the equity only, 1 for total, squares and drawdown, 2 for losses too. ``total``, ``squares``,
``downside`` (Σ min(r, 0)²) and ``losses`` (Σ max(−r, 0)) are of returns per bar; ``held`` counts bars in the market."""

PIECE = 512
"""Bars whose equity is computed at once; the scratch arrays of this length stay in the processor's cache."""


@kernel
def stretch(
    rules: Array, book: Array, curve: Array, blocks: Array, edges: Array, close: Array, out: Array, scratch: Array,
    start: int, stop: int,
) -> None:  # fmt: skip
    """Go on with the curve over bars [start, stop), whose position is the one of now."""
    if curve.sums == 0:
        _values(rules, book, close, out, start, stop)
        return
    index = start
    while index < stop:
        end = stop
        if blocks.shape[0]:
            while curve.block < edges.size and edges[curve.block] <= index:
                curve.block += 1
            if curve.block < edges.size:
                end = min(stop, edges[curve.block])
        before_total, before_squares, before_count = curve.total, curve.squares, curve.count
        if book.lots == 0:
            _flat(rules, book, curve, out, index, end)
        else:
            _held(rules, book, curve, close, out, scratch, index, end)
        if blocks.shape[0] and curve.block < blocks.shape[0]:
            row = blocks[curve.block]
            row[0] += curve.count - before_count
            row[1] += curve.total - before_total
            row[2] += curve.squares - before_squares
        index = end


@inlined
def _values(rules: Array, book: Array, close: Array, out: Array, start: int, stop: int) -> None:
    """Write the equity only."""
    if out.size == 0:
        return
    per_px = book.lots * rules.lot * rules.multiplier
    base, fees, funding, capital = book.cash * rules.unit, book.fees / QUANTA, book.funding, rules.capital
    if book.lots == 0:
        value = capital + (base + 0.0 - fees + funding)
        for index in range(start, stop):
            out[index] = value
    else:
        for index in range(start, stop):
            out[index] = capital + (base + per_px * close[index] - fees + funding)


@kernel
def _flat(rules: Array, book: Array, curve: Array, out: Array, start: int, stop: int) -> None:
    """Without a position the curve moves at most once, by what the last fill cost."""
    value = rules.capital + (book.cash * rules.unit + 0.0 - book.fees / QUANTA + book.funding)
    if curve.ruined == 0:
        if curve.last != 0.0:
            _one(curve, value)
            rest = stop - start - 1
        else:
            curve.last = curve.peak = curve.trough = value
            rest = stop - start - 1
        if curve.ruined == 0:
            curve.count += rest
    if out.size:
        for index in range(start, stop):
            out[index] = value


@kernel
def _one(curve: Array, value: float) -> None:
    """Take one more point of the curve."""
    change = value / curve.last - 1.0
    curve.last = value
    curve.count += 1
    curve.total += change
    curve.squares += change * change
    if change < 0.0:
        curve.downside += change * change
        curve.losses -= change
    if value > curve.peak:
        curve.peak = value
    else:
        curve.drawdown = max(curve.drawdown, (curve.peak - value) / curve.peak)
    if value <= 0.0:
        curve.ruined = 1


@kernel
def _held(
    rules: Array, book: Array, curve: Array, close: Array, out: Array, scratch: Array, start: int, stop: int
) -> None:
    """With a position the curve follows the price."""
    per_px = book.lots * rules.lot * rules.multiplier
    base, fees, funding, capital = book.cash * rules.unit, book.fees / QUANTA, book.funding, rules.capital
    curve.held += stop - start
    value, change = scratch[0], scratch[1]
    index = start
    while index < stop:
        count = min(PIECE, stop - index)
        piece = close[index : index + count]
        value[0] = curve.last
        for k in range(count):
            value[k + 1] = capital + (base + per_px * piece[k] - fees + funding)
        if out.size:
            for k in range(count):
                out[index + k] = value[k + 1]
        if curve.ruined == 0:
            first = 0
            if curve.last == 0.0:  # the very first point has no return
                curve.last = curve.peak = curve.trough = value[1]
                first = 1
            _sum_up(curve, value, change, first, count)
        index += count


@order_free
def _extremes(values: Array) -> tuple[float, float]:
    """Return the least and the greatest of finite values."""
    low = high = values[0]
    for k in range(values.size):
        low = values[k] if values[k] < low else low
        high = values[k] if values[k] > high else high
    return low, high


@kernel
def _sum_up(curve: Array, value: Array, change: Array, first: int, count: int) -> None:
    """Add a piece's returns in four lanes, and look for the deepest fall."""
    if first == count:
        return
    low, high = _extremes(value[first + 1 : count + 1])
    if low <= 0.0:
        _carefully(curve, value, first, count)
        return
    for k in range(first, count):
        change[k] = value[k + 1] / value[k] - 1.0
    a = b = c = d = 0.0
    aa = bb = cc = dd = 0.0
    k = first
    while k + 4 <= count:
        x, y, z, w = change[k], change[k + 1], change[k + 2], change[k + 3]
        a, b, c, d = a + x, b + y, c + z, d + w
        aa, bb, cc, dd = aa + x * x, bb + y * y, cc + z * z, dd + w * w
        k += 4
    while k < count:
        x = change[k]
        a, aa = a + x, aa + x * x
        k += 1
    curve.total += (a + b) + (c + d)
    curve.squares += (aa + bb) + (cc + dd)
    if curve.sums > 1:
        _sum_sides(curve, change, first, count)
    if high <= curve.peak:
        curve.trough = min(curve.trough, low)
        curve.drawdown = max(curve.drawdown, (curve.peak - curve.trough) / curve.peak)
    else:
        _sum_falls(curve, value, first, count)
    curve.count += count - first
    curve.last = value[count]


@kernel
def _sum_sides(curve: Array, change: Array, first: int, count: int) -> None:
    """Add losses and gains apart."""
    for k in range(first, count):
        change[k] = change[k] if change[k] < 0.0 else 0.0
    a = b = c = d = 0.0
    aa = bb = cc = dd = 0.0
    k = first
    while k + 4 <= count:
        x, y, z, w = change[k], change[k + 1], change[k + 2], change[k + 3]
        a, b, c, d = a + x, b + y, c + z, d + w
        aa, bb, cc, dd = aa + x * x, bb + y * y, cc + z * z, dd + w * w
        k += 4
    while k < count:
        x = change[k]
        a, aa = a + x, aa + x * x
        k += 1
    curve.losses -= (a + b) + (c + d)
    curve.downside += (aa + bb) + (cc + dd)


@kernel
def _sum_falls(curve: Array, value: Array, first: int, count: int) -> None:
    """Follow peaks and troughs point by point."""
    peak, trough, drawdown = curve.peak, curve.trough, curve.drawdown
    for k in range(first, count):
        point = value[k + 1]
        if point > peak:
            drawdown = max(drawdown, (peak - trough) / peak)
            peak = trough = point
        elif point < trough:
            trough = point
    curve.peak, curve.trough = peak, trough
    curve.drawdown = max(drawdown, (peak - trough) / peak)


@kernel
def _carefully(curve: Array, value: Array, first: int, count: int) -> None:
    """Stop at the point where the account is ruined: growth after that means nothing."""
    for k in range(first, count):
        if curve.ruined:
            return
        _one(curve, value[k + 1])
        curve.trough = min(curve.trough, value[k + 1])
