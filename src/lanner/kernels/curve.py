"""The equity curve of a portfolio kernel, and the sums over its returns that every statistic is made of."""

from __future__ import annotations

import numpy as np

from lanner.kernels.account import QUANTA, Array
from lanner.kernels.jit import inlined, inner, order_free

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


@inner
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
    # views that begin at 0 spare the loops the question whether an index counts from the end
    target, price = out[start:stop], close[start:stop]
    if book.lots == 0:
        value = capital + (base + 0.0 - fees + funding)
        for k in range(target.size):
            target[k] = value
    else:
        for k in range(target.size):
            target[k] = capital + (base + per_px * price[k] - fees + funding)


@inner
def _flat(rules: Array, book: Array, curve: Array, out: Array, start: int, stop: int) -> None:
    """Without a position the curve moves at most once, by what the last fill cost."""
    value = rules.capital + (book.cash * rules.unit + 0.0 - book.fees / QUANTA + book.funding)
    if curve.ruined == 0:
        if curve.last != 0.0:
            point(curve, value)
            rest = stop - start - 1
        else:
            curve.last = curve.peak = curve.trough = value
            rest = stop - start - 1
        if curve.ruined == 0:
            curve.count += rest
    if out.size:
        target = out[start:stop]
        for k in range(target.size):
            target[k] = value


@inner
def point(curve: Array, value: float) -> None:
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
        curve.peak = curve.trough = value
    else:
        curve.trough = min(curve.trough, value)
        if curve.peak - value > curve.drawdown * curve.peak:  # a division takes its time
            curve.drawdown = (curve.peak - value) / curve.peak
    if value <= 0.0:
        curve.ruined = 1


@inner
def _held(
    rules: Array, book: Array, curve: Array, close: Array, out: Array, scratch: Array, start: int, stop: int
) -> None:
    """With a position the curve follows the price."""
    per_px = book.lots * rules.lot * rules.multiplier
    base, fees, funding, capital = book.cash * rules.unit, book.fees / QUANTA, book.funding, rules.capital
    curve.held += stop - start
    index = start
    while index < stop:
        count = min(PIECE, stop - index)
        # a view that begins at 0 spares the loop the question whether an index counts from the end
        price = close[index : index + count]
        for k in range(count):
            scratch[0, k + 1] = capital + (base + per_px * price[k] - fees + funding)
        if out.size:
            target = out[index : index + count]
            for k in range(count):
                target[k] = scratch[0, k + 1]
        if curve.ruined == 0:
            if curve.last == 0.0:  # the very first point has no return
                curve.last = curve.peak = curve.trough = scratch[0, 1]
                curve.count -= 1
            scratch[0, 0] = curve.last
            _sum_up(curve, scratch, count)
        index += count


@order_free
def _extremes(scratch: Array, count: int) -> tuple[float, float]:
    """Return the least and the greatest of a piece's finite values, found in four lanes."""
    a = b = c = d = p = q = r = s = scratch[0, 1]
    whole = count // 4 * 4
    for k in range(0, whole, 4):
        x, y, z, w = scratch[0, k + 1], scratch[0, k + 2], scratch[0, k + 3], scratch[0, k + 4]
        a, b, c, d = min(a, x), min(b, y), min(c, z), min(d, w)
        p, q, r, s = max(p, x), max(q, y), max(r, z), max(s, w)
    for k in range(whole, count):
        a, p = min(a, scratch[0, k + 1]), max(p, scratch[0, k + 1])
    return min(min(a, b), min(c, d)), max(max(p, q), max(r, s))


@inner
def _sums(scratch: Array, count: int) -> tuple[float, float]:
    """Return the sum and the sum of squares of a piece's returns, added up in four lanes."""
    a = b = c = d = 0.0
    aa = bb = cc = dd = 0.0
    whole = count // 4 * 4
    for k in range(0, whole, 4):
        x, y, z, w = scratch[1, k], scratch[1, k + 1], scratch[1, k + 2], scratch[1, k + 3]
        a, b, c, d = a + x, b + y, c + z, d + w
        aa, bb, cc, dd = aa + x * x, bb + y * y, cc + z * z, dd + w * w
    for k in range(whole, count):
        x = scratch[1, k]
        a, aa = a + x, aa + x * x
    return (a + b) + (c + d), (aa + bb) + (cc + dd)


@inner
def _sum_up(curve: Array, scratch: Array, count: int) -> None:
    """Add a piece's returns, and look for the deepest fall."""
    low, high = _extremes(scratch, count)
    if low <= 0.0:
        _carefully(curve, scratch, count)
        return
    for k in range(count):
        scratch[1, k] = scratch[0, k + 1] / scratch[0, k] - 1.0
    total, squares = _sums(scratch, count)
    curve.total += total
    curve.squares += squares
    if curve.sums > 1:
        for k in range(count):
            scratch[1, k] = scratch[1, k] if scratch[1, k] < 0.0 else 0.0
        total, squares = _sums(scratch, count)
        curve.losses -= total
        curve.downside += squares
    if high <= curve.peak:
        curve.trough = min(curve.trough, low)
        curve.drawdown = max(curve.drawdown, (curve.peak - curve.trough) / curve.peak)
    else:
        _sum_falls(curve, scratch, count)
    curve.count += count
    curve.last = scratch[0, count]


@inner
def _sum_falls(curve: Array, scratch: Array, count: int) -> None:
    """Follow peaks and troughs point by point."""
    peak, trough, drawdown = curve.peak, curve.trough, curve.drawdown
    for k in range(count):
        point = scratch[0, k + 1]
        if point > peak:
            drawdown = max(drawdown, (peak - trough) / peak)
            peak = trough = point
        elif point < trough:
            trough = point
    curve.peak, curve.trough = peak, trough
    curve.drawdown = max(drawdown, (peak - trough) / peak)


@inner
def _carefully(curve: Array, scratch: Array, count: int) -> None:
    """Stop at the point where the account is ruined: growth after that means nothing."""
    for k in range(count):
        if curve.ruined:
            return
        point(curve, scratch[0, k + 1])
