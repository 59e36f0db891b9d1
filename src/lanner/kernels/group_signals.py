"""Entries and exits instead of weights: what a bar's signals ask for, how large, and one instrument's run.

A bar's signals are one byte: ``ENTRY``, ``EXIT``, ``SHORT``, ``COVER``, or ``ORDER`` where quantities are given. An
exit wins over an entry of its own side on the same bar; entries of both sides at once cancel each other.
"""

from __future__ import annotations

import numpy as np

from lanner.kernels.account import QUANTA, Array, equity, on_grid, to_lots
from lanner.kernels.curve import stretch
from lanner.kernels.jit import inlined, kernel
from lanner.kernels.portfolio import aim, begin

PLAY = np.dtype(
    [
        ("mode", "i8"), ("size_type", "i8"), ("accumulate", "i8"), ("cooldown", "i8"), ("max_positions", "i8"),
        ("capital", "f8"), ("capital_quanta", "i8"),
    ]
)  # fmt: skip
"""What is asked of a run; ``max_positions`` 0 means any number. The capital is that of the shared account."""

WEIGHTS, SIGNALS, ORDERS = 0, 1, 2
ENTRY, EXIT, SHORT, COVER, ORDER = 1, 2, 4, 8, 16
FRACTION, UNITS, VALUE, WEIGHT, RISK = 0, 1, 2, 3, 4
FLAT = 2
NEVER = -(1 << 62)
PARTS = 1_000_000
"""Distances that differ from bar to bar are rounded to this many parts of the price."""


@kernel
def pick(values: Array, bar: int) -> float:
    """Return a bar's value of a column that has one value a bar, or one for all."""
    return values[bar] if values.size > 1 else values[0]


@inlined
def wish(lots: int, act: int, accumulate: int, cooldown: int, waits: int) -> int:
    """Return what signals ask of a position: 1 long, -1 short, FLAT, or 0 for nothing.

    ``waits``: a pause after an exit is not over. With a cool-down a reversal is an exit only.
    """
    up = act & (ENTRY | EXIT) == ENTRY
    down = act & (SHORT | COVER) == SHORT
    asked = 0
    if up != down:
        asked = 1 if up else -1
    if lots > 0:
        if act & EXIT or asked < 0:
            return -1 if asked < 0 and cooldown == 0 else FLAT
        return 1 if asked > 0 and accumulate else 0
    if lots < 0:
        if act & COVER or asked > 0:
            return 1 if asked > 0 and cooldown == 0 else FLAT
        return -1 if asked < 0 and accumulate else 0
    return 0 if waits else asked


@kernel
def sized(
    rules: Array, kind: int, size: float, mark: float, distance: float, free: float, worth: float
) -> int:
    """Return the lots of an entry; ``free`` is money not bound, ``worth`` equity, ``distance`` to the stop."""
    if not size > 0.0:
        return 0
    per_unit = mark * rules.multiplier
    if kind == UNITS:
        return to_lots(size, rules.lot)
    if kind == VALUE:
        return to_lots(size / per_unit, rules.lot)
    if kind == WEIGHT:
        return to_lots(size * max(0.0, worth) / per_unit, rules.lot)
    if kind == RISK:
        if not distance > 0.0:
            return 0
        return to_lots(size * max(0.0, worth) / (distance * rules.multiplier), rules.lot)
    return to_lots(size * max(0.0, free) / per_unit, rules.lot)


@kernel
def set_exits(rules: Array, exits: Array, bar: int, mark: float) -> float:
    """Take a bar's exits for the entry that is decided there; return the distance to the nearest stop (0: none).

    ``exits`` are columns: stop, take and trail as fractions, stop and take as prices; empty ones change nothing.
    """
    stop, take, trail, stop_px, take_px = exits
    if stop.size:
        value = pick(stop, bar)
        rules.stop_num = int(np.rint(value * PARTS)) if value > 0.0 else 0
        rules.stop_den = PARTS
    if take.size:
        value = pick(take, bar)
        rules.take_num = int(np.rint(value * PARTS)) if value > 0.0 else 0
        rules.take_den = PARTS
    if trail.size:
        value = pick(trail, bar)
        rules.trail = value if value > 0.0 else 0.0
    if stop_px.size:
        value = pick(stop_px, bar)
        rules.stop_px = on_grid(rules, max(1, int(np.rint(value / rules.tick)))) if value > 0.0 else 0
    if take_px.size:
        value = pick(take_px, bar)
        rules.take_px = on_grid(rules, max(1, int(np.rint(value / rules.tick)))) if value > 0.0 else 0
    distance = 0.0
    if rules.stop_px > 0:
        distance = abs(mark - rules.stop_px * rules.tick)
    elif rules.stop_num > 0:
        distance = mark * rules.stop_num / rules.stop_den
    if rules.trail > 0.0:
        distance = mark * rules.trail if distance == 0.0 else min(distance, mark * rules.trail)
    return distance


@inlined
def entry_lots(
    rules: Array, play: Array, lots: int, side: int, size: float, mark: float, distance: float, free: float,
    worth: float,
) -> int:  # fmt: skip
    """Return the signed lots that a position should have after an entry on a side."""
    found = side * sized(rules, play.size_type, size, mark, distance, free, worth)
    if lots * side > 0 and play.size_type != WEIGHT:
        found += lots
    return found


@inlined
def ordered_lots(rules: Array, lots: int, qty: float) -> int:
    """Return the lots that a position should have after an order for a signed quantity."""
    change = to_lots(abs(qty), rules.lot)
    found = lots + change if qty > 0.0 else lots - change
    if found < 0 and not rules.allow_short:
        found = min(0, lots) if lots < 0 else 0
    return found


@inlined
def free_money(rules: Array, book: Array, mark: float, side: int, worth: float) -> float:
    """Return what one account has left for an entry: cash on spot, equity without margin on perpetuals.

    What an entry on the other side closes is free.
    """
    if rules.spot:
        return rules.capital + book.cash * rules.unit - book.fees / QUANTA
    bound = 0.0
    if book.lots * side > 0:
        bound = abs(book.lots) * rules.lot * rules.multiplier * mark / rules.leverage
    return worth - bound


@inlined
def relevant(mode: int, lots: int, accumulate: int) -> int:
    """Return the signals that may change a position."""
    if mode == ORDERS:
        return ORDER
    if lots > 0:
        return EXIT | SHORT | (ENTRY if accumulate else 0)
    if lots < 0:
        return COVER | ENTRY | (SHORT if accumulate else 0)
    return ENTRY | SHORT


@kernel
def _scan(acts: Array, words: Array, mask: int, start: int, stop: int) -> int:
    """Return the first bar with one of the signals; ``words`` is the same memory, eight bars each."""
    index = start
    while index < stop and index & 7:
        if acts[index] & mask:
            return index
        index += 1
    wide = np.int64(mask)
    wide |= wide << 8
    wide |= wide << 16
    wide |= wide << 32
    word, end = index >> 3, min(stop >> 3, words.size)
    while word < end and words[word] & wide == 0:
        word += 1
    index = max(index, min(word << 3, stop))
    while index < stop:
        if acts[index] & mask:
            return index
        index += 1
    return stop


@kernel
def _scan_guarded(
    acts: Array, mask: int, ticks: Array, book: Array, start: int, stop: int
) -> tuple[int, bool]:
    """Return the first bar with one of the signals, or that may touch the bracket after ``start``."""
    below = book.stop if book.guard > 0 else book.take
    above = book.take if book.guard > 0 else book.stop
    index = start
    while index < stop:
        if acts[index] & mask:
            return index, True
        index += 1
        if index < stop:
            if below > 0 and ticks[index, 2] <= below:
                return index, False
            if above > 0 and ticks[index, 1] >= above:
                return index, False
    return stop, False


@kernel
def _next(
    play: Array,
    book: Array,
    acts: Array,
    words: Array,
    ticks: Array,
    index: int,
    last: int,
    left: int,
) -> tuple[int, bool]:
    """Return the next bar to stop at, and whether something is decided at its close."""
    mask = relevant(play.mode, book.lots, play.accumulate)
    if book.guard == 0:
        first = index
        if book.lots == 0 and play.cooldown > 0:
            first = min(last, max(index, left + play.cooldown))
        after = _scan(acts, words, mask, first, last)
        return after, after < last
    if book.trail_order >= 0:
        decides = acts[index] & mask != 0
        return (index if decides else index + 1), decides
    return _scan_guarded(acts, mask, ticks, book, index, last)


@kernel
def _wanted(
    rules: Array, play: Array, book: Array, bar: int, mark: float, act: int, sizes: Array, exits: Array
) -> int:
    """Return the lots that a bar's signals ask of an account with one instrument."""
    if play.mode == ORDERS:
        set_exits(rules, exits, bar, mark)
        return ordered_lots(rules, book.lots, pick(sizes, bar))
    asked = wish(book.lots, act, play.accumulate, play.cooldown, 0)
    if asked == FLAT:
        return 0
    if asked == 0:
        return book.lots
    distance = set_exits(rules, exits, bar, mark)
    worth = equity(rules, book, mark)
    free = free_money(rules, book, mark, asked, worth)
    return entry_lots(rules, play, book.lots, asked, pick(sizes, bar), mark, distance, free, worth)


@kernel
def play_signals(
    rules: Array,
    play: Array,
    book: Array,
    queue: Array,
    orders: Array,
    fills: Array,
    curve: Array,
    none: tuple[Array, Array],
    start: int,
    ticks: Array,
    close: Array,
    volume: Array,
    acts: Array,
    words: Array,
    sizes: Array,
    exits: Array,
    fund_bar: Array,
    fund_end: Array,
    fund_rate: Array,
    equity_out: Array,
    scratch: Array,
) -> None:
    """Play one instrument with an account of its own, from a bar to the end.

    ``acts`` is uint8[n] of signals, ``words`` the same memory as int64, eight bars each. ``sizes`` and each of
    ``exits`` are float64 with one value a bar, or one for all. ``equity_out`` is float64[n] or empty. ``none`` are the
    empty blocks and edges of ``curve.stretch``.
    """
    blocks, edges = none
    # numbers that begin as constants would have every function below compiled twice
    payment, payments = np.searchsorted(fund_bar, start), fund_bar.size
    left: int = np.int64(NEVER)  # type: ignore[assignment]
    index, stop = start, len(acts)
    while index < stop:
        done = book.fills
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
        if book.fills != done and book.lots == 0:
            left = index
        last = min(stop, fund_bar[payment]) if payment < payments else stop
        after, decides = _next(play, book, acts, words, ticks, index, last, left)
        if decides:
            after += 1
        if not (decides and rules.on_close):
            stretch(rules, book, curve, blocks, edges, close, equity_out, scratch, index, after)
        elif after - 1 > index:
            stretch(rules, book, curve, blocks, edges, close, equity_out, scratch, index, after - 1)
        if decides:
            at = after - 1
            done = book.fills
            wanted = _wanted(rules, play, book, at, close[at], acts[at], sizes, exits)
            aim(rules, book, queue, orders, fills, at, ticks[at, 3], close[at], wanted, volume)
            if book.fills != done and book.lots == 0:
                left = at
            if rules.on_close:
                stretch(rules, book, curve, blocks, edges, close, equity_out, scratch, at, after)
        index = after
