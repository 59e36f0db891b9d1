"""One instrument, one series of weights: orders, fills and equity, bar by bar, as the event engine has them.

The rules are those of ``strategy.vector.SignalStrategy`` on bars: a weight that differs from the last one followed
becomes a target order at the bar's close, which meets the next open (or that close); a bracket or trailing stop lives
from its entry's fill. ``docs/reference/fill-specification.md`` says how orders meet bars. Most bars change nothing:
those are found by a scan and their equity is computed in stretches.
"""

from __future__ import annotations

import numpy as np

from lanner.kernels.account import (
    AT_CLOSE,
    AT_OPEN,
    CANCELED,
    FILLED,
    IN_RANGE,
    MAKER,
    REJECTED,
    SIGNAL,
    STACKED_GUARDS,
    STOP,
    TAKE,
    TAKER,
    TRAIL,
    Array,
    affordable,
    equity,
    execute,
    level,
    note_end,
    note_order,
    pay_funding,
    refused,
    size_of,
    slipped,
    to_lots,
)
from lanner.kernels.curve import CURVE, stretch
from lanner.kernels.jit import inlined, inner, kernel, stays

__all__ = [
    "CURVE",
    "aim",
    "begin",
    "decide",
    "guard_at_open",
    "meet_open",
    "meet_range",
    "protect",
    "simulate",
    "weigh",
    "withdraw",
]

GUARD_STOP, GUARD_TAKE, GUARD_TRAIL = 1, 2, 4


@kernel
def simulate(
    rules: Array,
    book: Array,
    queue: Array,
    orders: Array,
    fills: Array,
    curve: Array,
    blocks: Array,
    edges: Array,
    start: int,
    stop: int,
    ticks: Array,
    close: Array,
    volume: Array,
    weights: Array,
    words: Array,
    fund_bar: Array,
    fund_end: Array,
    fund_rate: Array,
    equity_out: Array,
    scratch: Array,
) -> None:
    """Play bars [start, stop).

    ``ticks`` is int64[n, 4]: open, high, low, close. ``weights`` is float64[n] (NaN changes nothing) or int8[n] (0
    flat, 1 long, -1 short, 2 changes nothing), and ``words`` the same memory as int64, eight weights each (else empty).
    ``fund_bar`` are the bars of funding payments, ``fund_end`` tells those that are due as their bar ends.
    ``equity_out`` is float64[n] or empty. ``blocks`` collects sums of returns between ``edges``. All state is in
    ``book``, ``queue`` and ``curve``, so data can be played in pieces. ``orders``, ``fills`` and ``volume`` may be
    None: what only writes or reads them is then left out of the compiled code.
    """
    payment, payments = 0, fund_bar.size
    while payment < payments and fund_bar[payment] < start:
        payment += 1
    index = start
    while index < stop:
        if book.side != 0 or book.guard != 0 or (payment < payments and fund_bar[payment] == index):
            payment = begin(
                rules,
                book,
                queue,
                orders,
                fills,
                index,
                ticks[index],
                volume,
                fund_bar,
                fund_end,
                fund_rate,
                payment,
            )
        # this bar's position holds until something new is decided, a payment is due, or the bracket may be touched
        last = min(stop, fund_bar[payment]) if payment < payments else stop
        if book.guard == 0:
            after = _scan(weights, words, book.followed, index, last)
            decides = after < last
        elif book.trail_order >= 0:
            decides = _is_new(weights[index], book.followed)
            after = index if decides else index + 1
        else:
            after, decides = _scan_guarded(
                weights, book.followed, ticks, book.stop, book.take, book.guard, index, last
            )
        if decides:
            after += 1
        if not (decides and rules.on_close):
            stretch(rules, book, curve, blocks, edges, close, equity_out, scratch, index, after)
        elif after - 1 > index:
            stretch(rules, book, curve, blocks, edges, close, equity_out, scratch, index, after - 1)
        if decides:
            at = after - 1
            decide(rules, book, queue, orders, fills, at, ticks[at, 3], close[at], weights[at], volume)
            if rules.on_close:
                stretch(rules, book, curve, blocks, edges, close, equity_out, scratch, at, after)
        index = after


@inner
def begin(
    rules: Array, book: Array, queue: Array, orders: Array, fills: Array, bar: int, row: Array, volume: Array,
    fund_bar: Array, fund_end: Array, fund_rate: Array, payment: int,
) -> int:  # fmt: skip
    """Play a bar up to its close: open, payments inside it, range, payments at its end; return the next one."""
    if book.side != 0 or book.guard != 0:
        meet_open(rules, book, queue, orders, fills, bar, row, volume)
    payments = fund_bar.size
    while payment < payments and fund_bar[payment] == bar and not fund_end[payment]:
        pay_funding(rules, book, queue, fund_rate[payment], row[0])
        payment += 1
    if book.guard != 0:
        meet_range(rules, book, queue, orders, fills, bar, row, volume)
    while payment < payments and fund_bar[payment] == bar:
        pay_funding(rules, book, queue, fund_rate[payment], row[3])
        payment += 1
    return payment


@inlined
def _is_new(weight: float, followed: float) -> bool:
    return weight != followed and not stays(weight)


@inner
def _scan(weights: Array, words: Array, followed: float, start: int, stop: int) -> int:
    """Return the first bar whose weight is another one than the one followed."""
    index = start
    if words.size:
        # eight at a time while all are the weight that is followed
        alike = np.int64(followed) & 0xFF
        alike |= alike << 8
        alike |= alike << 16
        alike |= alike << 32
        while index < stop and index & 7:
            if _is_new(weights[index], followed):
                return index
            index += 1
        word, words_end = index >> 3, stop >> 3
        while word < words_end and words[word] == alike:
            word += 1
        index = max(index, min(word << 3, stop))
    while index < stop:
        if _is_new(weights[index], followed):
            return index
        index += 1
    return stop


@inner
def _scan_guarded(
    weights: Array, followed: float, ticks: Array, low_level: int, high_level: int, guard: int,
    start: int, stop: int,
) -> tuple[int, bool]:  # fmt: skip
    """Return the first bar that changes the weight, or may touch the bracket after ``start``, and whether it is the
    weight; a level of 0 is absent."""
    below = low_level if guard > 0 else high_level
    above = high_level if guard > 0 else low_level
    index = start
    while index < stop:
        if _is_new(weights[index], followed):
            return index, True
        index += 1
        if index < stop:
            if below > 0 and ticks[index, 2] <= below:
                return index, False
            if above > 0 and ticks[index, 1] >= above:
                return index, False
    return stop, False


@inner
def decide(
    rules: Array, book: Array, queue: Array, orders: Array, fills: Array, bar: int, px: int, mark: float,
    weight: float, volume: Array,
) -> None:  # fmt: skip
    """Turn a new weight into a target order."""
    aim(rules, book, queue, orders, fills, bar, px, mark, weigh(rules, book, mark, weight), volume)


@inner
def weigh(rules: Array, book: Array, mark: float, weight: float) -> int:
    """Follow a weight: return the lots that it means at a mark price."""
    book.followed = weight
    held = weight if weight > 0.0 or rules.allow_short else 0.0
    held *= rules.share
    wanted = 0
    if held != 0.0:
        worth = max(0.0, equity(rules, book, mark))
        wanted = to_lots(abs(held) * worth / (mark * rules.multiplier), rules.lot)
        if held < 0.0:
            wanted = -wanted
    return wanted


@inner
def aim(
    rules: Array, book: Array, queue: Array, orders: Array, fills: Array, bar: int, px: int, mark: float,
    wanted: int, volume: Array,
) -> None:  # fmt: skip
    """Send the order that brings the position to so many lots."""
    delta = wanted - book.lots
    if wanted == 0:
        withdraw(book, orders, bar)
        delta = -book.lots
    if delta == 0:
        return
    small = (
        abs(delta) < rules.min_lots or abs(delta) * rules.lot * rules.multiplier * mark < rules.min_notional
    )
    if small and ((wanted != 0 and book.lots != 0) or (wanted == 0 and rules.spot)):
        return  # the venue would refuse it: too small a change, or what is left of a spot position
    side = 1 if delta > 0 else -1
    book.reduce = 1 if wanted == 0 and not rules.spot else 0
    book.opens = 1 if wanted * delta > 0 else 0
    if book.guard != 0 and wanted * book.guard > 0:
        book.fault |= STACKED_GUARDS  # a second bracket, or one around a smaller position
    book.order = note_order(book, orders, bar, AT_CLOSE, SIGNAL, side, abs(delta), 0, 0)
    if refused(rules, book, side, abs(delta), book.reduce, px):
        note_end(orders, book.order, REJECTED, bar)
        return
    book.side, book.wanted = side, abs(delta)
    if rules.on_close:
        _take_market(rules, book, queue, orders, fills, bar, AT_CLOSE, px, volume)


@inner
def withdraw(book: Array, orders: Array, bar: int) -> None:
    """Cancel the bracket."""
    if book.guard == 0:
        return
    for number in (book.stop_order, book.trail_order, book.take_order):
        note_end(orders, number, CANCELED, bar)
    book.guard = 0
    book.stop = book.take = book.anchor = 0
    book.stop_order = book.take_order = book.trail_order = -1


@inner
def _take_market(
    rules: Array,
    book: Array,
    queue: Array,
    orders: Array,
    fills: Array,
    bar: int,
    at: int,
    px: int,
    volume: Array,
) -> None:
    """Fill the waiting market order at a price plus slippage, as far as the account can pay."""
    side, lots = book.side, book.wanted
    size = size_of(volume, bar)
    paid = slipped(rules, px, side, lots, size)
    book.side = 0
    reducible = abs(book.lots) if book.lots * side < 0 else 0
    if book.reduce:
        lots = min(lots, reducible)
        if lots == 0:
            note_end(orders, book.order, CANCELED, bar)
            return
    can = affordable(rules, book, side, paid, px, rules.taker, rules.taker_num, rules.taker_den)
    short = lots > can
    lots = min(lots, can)
    before = book.lots
    if lots >= 1:
        execute(rules, book, queue, fills, book.order, bar, at, side, lots, paid, px, TAKER)
    note_end(orders, book.order, CANCELED if short else FILLED, bar)
    if lots < 1:
        return
    if book.guard != 0 and book.lots * book.guard <= 0:
        withdraw(book, orders, bar)
    protects = (
        rules.stop_num > 0
        or rules.take_num > 0
        or rules.trail > 0.0
        or rules.stop_px > 0
        or rules.take_px > 0
    )
    if book.opens and protects and book.lots * side > 0:
        protect(rules, book, queue, orders, fills, bar, at, px, paid, min(lots, abs(book.lots)), volume)
    elif before * side > 0 and book.guard != 0:
        book.fault |= STACKED_GUARDS


@inner
def protect(
    rules: Array, book: Array, queue: Array, orders: Array, fills: Array, bar: int, at: int, px: int, paid: int,
    lots: int, volume: Array,
) -> None:  # fmt: skip
    """Send the stop, the trailing stop and the target of an entry; at the open they may meet that open at once."""
    side = 1 if book.lots > 0 else -1
    parent = book.order
    book.guard, book.guard_lots = side, lots
    book.stop = book.take = book.anchor = 0
    book.stop_order = book.take_order = book.trail_order = -1
    book.rests = 0
    if rules.stop_num > 0 or rules.stop_px > 0:
        book.stop = rules.stop_px
        if book.stop == 0:
            book.stop = level(rules, paid, rules.stop_num, rules.stop_den, -side)
        book.stop_order = note_order(book, orders, bar, at, STOP, -side, lots, 0, book.stop)
    if rules.trail > 0.0:
        book.anchor = px
        book.trail_order = note_order(book, orders, bar, at, TRAIL, -side, lots, 0, 0)
    if rules.take_num > 0 or rules.take_px > 0:
        book.take = rules.take_px
        if book.take == 0:
            book.take = level(rules, paid, rules.take_num, rules.take_den, side)
        book.take_order = note_order(book, orders, bar, at, TAKE, -side, lots, book.take, 0)
    if orders is not None:
        for number in (book.stop_order, book.trail_order, book.take_order):
            if 0 <= number < orders.size:
                orders[number].parent = parent
    if at == AT_OPEN:
        guard_at_open(rules, book, queue, orders, fills, bar, px, volume)


@inner
def _leave(
    rules: Array, book: Array, queue: Array, orders: Array, fills: Array, bar: int, at: int, order: int,
    px: int, ref: int, maker: int,
) -> None:  # fmt: skip
    """Fill one exit of the bracket whole; its siblings are canceled."""
    side = -book.guard
    lots = min(book.guard_lots, abs(book.lots))
    if lots < book.guard_lots:
        book.fault |= STACKED_GUARDS
    note_end(orders, order, FILLED, bar)
    execute(rules, book, queue, fills, order, bar, at, side, lots, px, ref, maker)
    for number in (book.stop_order, book.trail_order, book.take_order):
        if number != order:
            note_end(orders, number, CANCELED, bar)
    book.guard = 0
    book.stop = book.take = book.anchor = 0
    book.stop_order = book.take_order = book.trail_order = -1


@inner
def _trail_level(rules: Array, book: Array) -> int:
    distance = max(1, int(np.rint(book.anchor * rules.trail)))
    return book.anchor - distance if book.guard > 0 else book.anchor + distance


@inner
def _beyond(guard: int, stop: int, low: int, high: int) -> bool:
    """Tell whether a stop of a position on the side ``guard`` was reached."""
    return low <= stop if guard > 0 else high >= stop


@inner
def guard_at_open(
    rules: Array, book: Array, queue: Array, orders: Array, fills: Array, bar: int, px: int, volume: Array
) -> None:
    """Let the bracket meet an open: stops first, then the target."""
    size = size_of(volume, bar)
    side = -book.guard
    if book.stop_order >= 0 and _beyond(book.guard, book.stop, px, px):
        paid = slipped(rules, px, side, book.guard_lots, size)
        _leave(rules, book, queue, orders, fills, bar, AT_OPEN, book.stop_order, paid, px, TAKER)
        return
    if book.trail_order >= 0:
        stop = _trail_level(rules, book)
        if _beyond(book.guard, stop, px, px):
            paid = slipped(rules, px, side, book.guard_lots, size)
            _leave(rules, book, queue, orders, fills, bar, AT_OPEN, book.trail_order, paid, px, TAKER)
            return
        book.anchor = max(book.anchor, px) if book.guard > 0 else min(book.anchor, px)
    if book.take_order >= 0 and (px >= book.take if book.guard > 0 else px <= book.take):
        if book.rests:
            at = px if rules.gap_at_open else book.take
            _leave(rules, book, queue, orders, fills, bar, AT_OPEN, book.take_order, at, at, MAKER)
        else:
            paid = slipped(rules, px, side, book.guard_lots, size)
            paid = max(paid, book.take) if book.guard > 0 else min(paid, book.take)
            _leave(rules, book, queue, orders, fills, bar, AT_OPEN, book.take_order, paid, px, TAKER)
        return
    book.rests = 1


@inner
def meet_open(
    rules: Array, book: Array, queue: Array, orders: Array, fills: Array, bar: int, row: Array, volume: Array
) -> None:
    """Begin a bar: the bracket that works meets the open before the order that waits for it."""
    if book.guard != 0:
        guard_at_open(rules, book, queue, orders, fills, bar, row[0], volume)
    if book.side != 0:
        _take_market(rules, book, queue, orders, fills, bar, AT_OPEN, row[0], volume)


@inner
def meet_range(
    rules: Array, book: Array, queue: Array, orders: Array, fills: Array, bar: int, row: Array, volume: Array
) -> None:
    """Let the bracket meet the bar's range: the stop, the trailing stop, then the target; the worse outcome first."""
    high, low, last = row[1], row[2], row[3]
    size = size_of(volume, bar)
    side, guard = -book.guard, book.guard
    if rules.touch:
        takes = book.take_order >= 0 and (high >= book.take if guard > 0 else low <= book.take)
    else:
        takes = book.take_order >= 0 and (high > book.take if guard > 0 else low < book.take)
    if book.stop_order >= 0 and _beyond(guard, book.stop, low, high):
        book.both_hit += takes
        paid = slipped(rules, book.stop, side, book.guard_lots, size)
        _leave(rules, book, queue, orders, fills, bar, IN_RANGE, book.stop_order, paid, book.stop, TAKER)
        return
    if book.trail_order >= 0:
        stop = _trail_level(rules, book)
        hit = _beyond(guard, stop, low, high)
        if not hit:
            book.anchor = max(book.anchor, high) if guard > 0 else min(book.anchor, low)
            stop = _trail_level(rules, book)
            hit = _beyond(guard, stop, last, last)
        if hit:
            book.both_hit += takes
            paid = slipped(rules, stop, side, book.guard_lots, size)
            _leave(rules, book, queue, orders, fills, bar, IN_RANGE, book.trail_order, paid, stop, TAKER)
            return
    if takes:
        _leave(rules, book, queue, orders, fills, bar, IN_RANGE, book.take_order, book.take, book.take, MAKER)
        return
    book.rests = 1
