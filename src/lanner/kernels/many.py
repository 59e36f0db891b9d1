"""Many comparisons of averages over one market in one call: what a sweep needs of each, without a column of signals.

A few variants at a time: first the bars at which each changes, then all their orders and fills, then their curves.
The variants' fills take turns, because one alone waits for its own divisions most of the time. Every number has the
bits that ``spans.play_spans`` gives it; whatever is out of the ordinary is left to that.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lanner.kernels.account import BPS, LARGEST, QUANTA, TICKS, Array, to_lots, whole_lots
from lanner.kernels.crossing import add_up
from lanner.kernels.flips import bound_of, flips
from lanner.kernels.jit import borrowing, inlined, inner, kernel
from lanner.kernels.lanes import WORD, fetch, held_sums
from lanner.kernels.plain import CHUNK, ROOM, falls, settle_sums, ticks_of

GROUP = 16
"""How many variants are played together."""

PIECE = 2048
"""Rows that are compared at a time: their running totals stay in the fastest cache."""

CHANGES = 1 << 16
"""How often a variant may change; one that changes more often is left to the others."""

AHEAD = 5
"""How many changes ahead prices are asked for."""

TABLE = 4
"""Columns of the table of prices: the close, and, in ticks, the price of fills, what a buyer and what a seller gets."""

LOTS, CASH, FEES, TRADED, SLIPPED, PAID, FILLS, TRADES, WINS, FIELDS = range(10)
ENTRY_FEE, WON, LOST = range(3)


@kernel
def price_table(rules: Array, opens: Array, close: Array, table: Array) -> bool:
    """Write what a fill after each bar costs, float64[rows · TABLE]; False where floats cannot hold it exactly."""
    rows = close.size
    up, down, den, step = 1, 1, 1, 0
    if rules.slippage == BPS:
        up, down, den = rules.slip_den + rules.slip_num, rules.slip_den - rules.slip_num, rules.slip_den
    elif rules.slippage == TICKS:
        step = rules.slip_num
    largest = 0.0
    for bar in range(rows):
        price = close[bar] if rules.on_close else opens[min(bar + 1, rows - 1)]
        if not 0.0 < price / rules.tick < 1e15 or not 0.0 < close[bar] / rules.tick < 1e15:
            return False
        px = ticks_of(rules, price)
        largest = max(largest, float(px))
        table[TABLE * bar], table[TABLE * bar + 1] = close[bar], px
        table[TABLE * bar + 2] = max(1, -(-(px * up) // den) + step)
        table[TABLE * bar + 3] = max(1, px * down // den - step)
        if float(px) * up > LARGEST:
            return False
    return largest * up / den < 4e15


@kernel
def play_many(
    rules: Array, curves: Array, lengths: Array, x: Array, lead: int, close: Array, table: Array,
    spans: Array, edges: Array, room: Array, changes: Array, counts: Array, numbers: Array, floats: Array,
    kept: Array, sums: Array, raw: Array, blocks: Array, played: Array,
) -> bool:  # fmt: skip
    """Play a variant for each row of ``lengths`` over every span; False where x has a gap, and nothing is played.

    ``lengths`` are the two averages, 0 for x itself; long is where the first is above. The market begins at row
    ``lead`` of x. ``raw`` is float64[variants, spans, STATISTICS], ``blocks`` float64[variants, blocks, 3] and
    ``played`` tells for which variants they are good. The rest is working memory, see ``research.plain``.
    """
    empty = np.zeros((0, 3))
    for first in range(0, lengths.shape[0], GROUP):
        last = min(first + GROUP, lengths.shape[0])
        if not _changes(x, lengths[first:last], lead, room, changes, counts, played[first:last]):
            return False
        for span in range(spans.shape[0]):
            start, stop = spans[span, 0], spans[span, 1]
            _fills(
                rules, start, stop, table, changes, counts, numbers, floats, kept, played[first:last],
            )  # fmt: skip
            for lane in range(last - first):
                if played[first + lane] == 0:
                    continue
                curves[0] = curves[1]
                curve = curves[0]
                block = blocks[first + lane] if span == 0 else empty
                if stop > start and not _curve(
                    rules, curve, block, edges, start, stop, close, changes[lane], counts[2, lane], counts[3, lane],
                    kept[lane], sums,
                ):  # fmt: skip
                    played[first + lane] = 0
                if counts[4, lane] >= 0:
                    changes[lane, counts[2, lane]], counts[4, lane] = counts[4, lane], -1
                row = raw[first + lane, span]
                row[0], row[1], row[2], row[3] = curve.count, curve.total, curve.squares, curve.downside
                row[4], row[5], row[6], row[7] = curve.losses, curve.drawdown, curve.last, curve.held
                row[8], row[9] = numbers[lane, TRADES], numbers[lane, WINS]
                row[10], row[11] = floats[lane, WON], floats[lane, LOST]
                row[12], row[13], row[14] = numbers[lane, FEES], numbers[lane, FILLS], 0.0
                row[15], row[16], row[17] = numbers[lane, TRADED], numbers[lane, SLIPPED], 0.0
    return True


# -- what changes when --------------------------------------------------------------------------------


@inner
def _changes(
    x: Array, lengths: Array, lead: int, room: Array, changes: Array, counts: Array, played: Array
) -> bool:
    """Write the market's bars at which each variant becomes long or flat, in turn."""
    variants, rows, longest = lengths.shape[0], x.size, 1
    for lane in range(variants):
        longest = max(longest, max(lengths[lane, 0], lengths[lane, 1]))
        counts[0, lane], counts[1, lane], counts[4, lane] = 0, 0, -1
        played[lane] = 1
    totals, other = room[WORD : room.size - 1], room[room.size - 1 :]
    size = 0.0
    for start in range(0, rows, PIECE):
        stop = min(rows, start + PIECE)
        low = max(0, start - longest)
        centre = x[low]
        total, least, most = add_up(x, low, stop, centre, totals)
        if total - total != 0.0:
            return False
        reach = max(abs(least - centre), abs(most - centre))
        size = max(size, max(abs(least), abs(most)))
        length = stop - low
        for lane in range(variants):
            one, two = lengths[lane, 0], lengths[lane, 1]
            n, m = max(one, 1), max(two, 1)
            begin = max(start, max(n, m) - 1, lead)
            bound = bound_of(n, m, size, reach, length)
            if not bound < np.inf:
                return False
            if begin < stop and played[lane]:
                count, state = flips(
                    x, one, two, begin, stop, low, room, other, bound, lead, changes[lane], counts[0, lane],
                    counts[1, lane],
                )  # fmt: skip
                counts[0, lane], counts[1, lane] = count, state
                played[lane] = count >= 0
    return True


# -- orders and fills ---------------------------------------------------------------------------------


@borrowing
def _fills(
    rules: Array, start: int, stop: int, table: Array, changes: Array, counts: Array, numbers: Array, floats: Array,
    kept: Array, played: Array,
) -> None:  # fmt: skip
    """Play the variants' changes within a span in turn; ``kept`` gets lots, cash and fees before and after each."""
    later = 0 if rules.on_close else 1
    most: Any = np.int64(0)
    for lane in range(played.size):
        for k in range(FIELDS):
            numbers[lane, k] = 0
        for k in range(3):
            floats[lane, k] = 0.0
            kept[lane, 0, k] = 0
        first = _place(changes, lane, counts[0, lane], start)
        last = _place(changes, lane, counts[0, lane], max(start, stop - later))
        if first & 1:  # long since before the span: so it is from its first bar on
            if first < last and changes[lane, first] == start:
                first += 1
            elif start < stop - later:
                first -= 1
                counts[4, lane], changes[lane, first] = changes[lane, first], start
            else:
                first += 1
        counts[2, lane], counts[3, lane] = first, max(first, last)
        if played[lane]:
            most = max(most, last - first)
    for k in range(0, most, 2):
        for lane in range(played.size):
            at = counts[2, lane] + k
            if at < counts[3, lane] and played[lane]:
                if at + AHEAD < counts[3, lane]:
                    fetch(table, TABLE * changes[lane, at + AHEAD])
                    fetch(table, TABLE * changes[lane, at + AHEAD - 1])
                played[lane] = _buy(rules, table, changes[lane, at], numbers, floats, kept, lane, k + 1)
        for lane in range(played.size):
            at = counts[2, lane] + k + 1
            if at < counts[3, lane] and played[lane]:
                played[lane] = _sell(rules, table, changes[lane, at], numbers, floats, kept, lane, k + 1)


@borrowing
def _place(changes: Array, lane: int, count: int, bar: int) -> int:
    """Return how many of a variant's changes come before a bar."""
    low, high = 0, count
    while low < high:
        middle = (low + high) >> 1
        if changes[lane, middle] < bar:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def _buy(
    rules: Array, table: Array, bar: int, numbers: Array, floats: Array, kept: Array, lane: int, k: int
) -> int:
    """Go long with a share of the equity; 0 where that is not the common case."""
    mark, px, paid = table[TABLE * bar], int(table[TABLE * bar + 1]), int(table[TABLE * bar + 2])
    cash, fees = numbers[lane, CASH], numbers[lane, FEES]
    worth = rules.capital + (cash * rules.unit + 0.0 - fees / QUANTA + 0.0)
    lots = to_lots(rules.share * max(0.0, worth) / (mark * rules.multiplier), rules.lot)
    ref = px if rules.on_close else ticks_of(rules, mark)
    if lots < max(1, rules.min_lots) or (rules.max_lots >= 0 and lots > rules.max_lots):
        return 0
    if rules.unit * (lots * ref) < rules.min_notional * (1.0 - 1e-12):
        return 0
    if rules.spot:
        have = rules.capital + cash * rules.unit - fees / QUANTA
        if have <= 0.0:
            return 0
        most = whole_lots(have / (rules.unit * paid * (1.0 + max(rules.taker, 0.0))))
        money = rules.capital_quanta + cash * rules.unit_quanta - fees
        cost = most * paid
        if rules.exact and cost * rules.unit_quanta + cost * rules.taker_num > money:
            return 0
    else:
        free = rules.capital + (cash + 0 * px) * rules.unit - fees / QUANTA + 0.0
        per_cost = rules.unit * paid * max(rules.taker, 0.0) + rules.unit * max(0, paid - px)
        margin = rules.unit * min(px, paid)
        if rules.leverage != 1.0:
            margin /= rules.leverage
        per_lot = margin + per_cost
        after = free - 0.0 - per_cost * 0
        most = whole_lots(after / per_lot) if after > 0.0 and per_lot > 0.0 else 0
    lots = min(lots, most)
    if lots < 1:
        return 0
    product = lots * paid
    size = float(lots) * paid
    fee = product * rules.taker_num
    if size > LARGEST / 1e3 or size * abs(rules.taker_num) > LARGEST:
        return 0
    cash, fees = cash - product, fees + fee
    if abs(float(cash)) > LARGEST or abs(float(fees)) > LARGEST:
        return 0
    numbers[lane, LOTS], numbers[lane, CASH], numbers[lane, FEES] = lots, cash, fees
    numbers[lane, PAID] = paid
    numbers[lane, TRADED] += product
    numbers[lane, SLIPPED] += lots * (paid - px)
    numbers[lane, FILLS] += 1
    floats[lane, ENTRY_FEE] = fee / QUANTA / lots
    kept[lane, k, 0], kept[lane, k, 1], kept[lane, k, 2] = lots, cash, fees
    return 1


@inlined
def _sell(
    rules: Array, table: Array, bar: int, numbers: Array, floats: Array, kept: Array, lane: int, k: int
) -> int:
    """Sell what there is; 0 where that is not the common case."""
    mark, px, paid = table[TABLE * bar], int(table[TABLE * bar + 1]), int(table[TABLE * bar + 3])
    lots, cash, fees = numbers[lane, LOTS], numbers[lane, CASH], numbers[lane, FEES]
    if rules.max_lots >= 0 and lots > rules.max_lots:
        return 0
    if rules.spot:
        ref = px if rules.on_close else ticks_of(rules, mark)
        if lots < rules.min_lots or lots * rules.lot * rules.multiplier * mark < rules.min_notional:
            return 0
        if rules.unit * (lots * ref) < rules.min_notional * (1.0 - 1e-12):
            return 0
    product = lots * paid
    size = float(lots) * paid
    fee = product * rules.taker_num
    if size > LARGEST / 1e3 or size * abs(rules.taker_num) > LARGEST:
        return 0
    cash, fees = cash + product, fees + fee
    if abs(float(cash)) > LARGEST or abs(float(fees)) > LARGEST:
        return 0
    numbers[lane, LOTS], numbers[lane, CASH], numbers[lane, FEES] = 0, cash, fees
    numbers[lane, TRADED] += product
    numbers[lane, SLIPPED] -= lots * (paid - px)
    numbers[lane, FILLS] += 1
    gross = (product - lots * numbers[lane, PAID]) * rules.unit
    profit = gross - lots * (floats[lane, ENTRY_FEE] + fee / QUANTA / lots) + lots * 0.0
    numbers[lane, TRADES] += 1
    numbers[lane, WINS] += profit > 0.0
    floats[lane, WON] += profit if profit > 0.0 else 0.0
    floats[lane, LOST] -= profit if profit < 0.0 else 0.0
    kept[lane, k + 1, 0], kept[lane, k + 1, 1], kept[lane, k + 1, 2] = 0, cash, fees
    return 1


# -- the curve ----------------------------------------------------------------------------------------


@borrowing
def _curve(
    rules: Array, curve: Array, block: Array, edges: Array, start: int, stop: int, close: Array, changes: Array,
    first: int, last: int, kept: Array, sums: Array,
) -> bool:  # fmt: skip
    """Follow the equity of one variant over a span, as ``plain.stretch``; False where the account is ruined."""
    later = 0 if rules.on_close else 1
    capital, unit, lot, multiplier = rules.capital, rules.unit, rules.lot, rules.multiplier
    before = peak = trough = drawdown = 0.0
    held: Any = np.int64(0)
    for k in range(ROOM + 3):
        sums[k] = 0.0
    index = border = start
    for k in range(last - first + 1):
        end = changes[first + k] + later if first + k < last else stop
        if first + k + AHEAD < last:
            fetch(close, changes[first + k + AHEAD])
        per_px = kept[k, 0] * lot * multiplier
        base, fees = kept[k, 1] * unit, kept[k, 2] / QUANTA
        while index < end:
            if index == border:
                border = _border(curve, block, edges, start, index, sums)
            part = min(end, border)
            value = capital + (base + per_px * close[index] - fees)
            low = high = close[index]
            if value <= 0.0:
                return False
            if per_px != 0.0 and part - index > 1:
                low, high = held_sums(close, index, part - index - 1, per_px, capital + base - fees, sums)
                if low != low:
                    return False
            if before == 0.0:  # the very first point has no return
                peak = trough = value
            else:
                peak, trough, drawdown = _point(curve, value, before, peak, trough, drawdown)
            before = value
            curve.count += part - index - 1
            if per_px != 0.0:
                held += part - index
                if part - index > 1:
                    lowest, highest = (
                        capital + (base + per_px * low - fees),
                        capital + (base + per_px * high - fees),
                    )
                    if highest <= peak:
                        trough = min(trough, lowest)
                        if peak - trough > drawdown * peak:
                            drawdown = (peak - trough) / peak
                    else:
                        curve.peak, curve.trough, curve.drawdown = peak, trough, drawdown
                        falls(
                            curve,
                            close,
                            index,
                            part,
                            per_px,
                            base,
                            fees,
                            capital,
                            min(lowest, trough),
                            highest,
                        )
                        peak, trough, drawdown = curve.peak, curve.trough, curve.drawdown
                    before = capital + (base + per_px * close[part - 1] - fees)
            index = part
    curve.last, curve.peak, curve.trough, curve.drawdown, curve.held = before, peak, trough, drawdown, held
    settle_sums(curve, block, sums)
    return True


@inlined
def _point(
    curve: Array, value: float, before: float, peak: float, trough: float, drawdown: float
) -> tuple[float, float, float]:
    """Take one more point of the curve, as ``curve.point``."""
    change = value / before - 1.0
    curve.count += 1
    curve.total += change
    curve.squares += change * change
    if change < 0.0:
        curve.downside += change * change
        curve.losses -= change
    if value > peak:
        return value, value, drawdown
    trough = min(trough, value)
    if peak - value > drawdown * peak:
        drawdown = (peak - value) / peak
    return peak, trough, drawdown


@borrowing
def _border(curve: Array, block: Array, edges: Array, start: int, index: int, sums: Array) -> int:
    """Begin the next block where one begins; return where the next stretch has to end."""
    border = start + ((index - start) // CHUNK + 1) * CHUNK  # where single variants are cut, too
    if block.shape[0]:
        if curve.block < edges.size and edges[curve.block] <= index:
            settle_sums(curve, block, sums)
            while curve.block < edges.size and edges[curve.block] <= index:
                curve.block += 1
        if curve.block < edges.size:
            border = min(border, edges[curve.block])
    return border
