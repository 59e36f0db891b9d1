"""The account inside the portfolio kernels: sizing, the venue's rules, fills and their costs, in exact units.

The twins are ``engine.desk`` (what a target weight means), ``sim.venue`` and ``sim.accounts`` (refusals, what can be
paid for, fees) and ``backtest.trips`` (first in, first out). Prices are ticks, quantities lots, fees whole steps of
1e-12.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from lanner.kernels.jit import inlined, inner

Array = Any  # a numpy array, a row of one, or a record: numba tells them apart

RULES = np.dtype(
    [
        ("capital", "f8"), ("capital_quanta", "i8"), ("exact", "i8"),
        ("tick", "f8"), ("lot", "f8"), ("multiplier", "f8"), ("unit", "f8"), ("unit_quanta", "i8"),
        ("taker", "f8"), ("taker_num", "i8"), ("taker_den", "i8"),
        ("maker", "f8"), ("maker_num", "i8"), ("maker_den", "i8"),
        ("slippage", "i8"), ("slip_num", "i8"), ("slip_den", "i8"), ("slip_value", "f8"),
        ("min_lots", "i8"), ("max_lots", "i8"), ("min_notional", "f8"),
        ("spot", "i8"), ("allow_short", "i8"), ("leverage", "f8"), ("share", "f8"),
        ("digits", "i8"), ("digits_step", "i8"),
        ("stop_num", "i8"), ("stop_den", "i8"), ("take_num", "i8"), ("take_den", "i8"), ("trail", "f8"),
        ("stop_px", "i8"), ("take_px", "i8"),
        ("touch", "i8"), ("gap_at_open", "i8"), ("on_close", "i8"),
    ]
)  # fmt: skip
"""What decides; fractions are num / den, ``slippage`` is one of NONE, BPS, TICKS, VOLUME. The distances of the exits
(or their levels in ticks, ``stop_px`` and ``take_px``, where those are not 0) may be set anew before each entry."""

BOOK = np.dtype(
    [
        ("lots", "i8"), ("cash", "i8"), ("fees", "i8"), ("funding", "f8"), ("slipped", "i8"), ("traded", "i8"),
        ("followed", "f8"),
        ("side", "i8"), ("wanted", "i8"), ("reduce", "i8"), ("opens", "i8"), ("order", "i8"),
        ("guard", "i8"), ("stop", "i8"), ("take", "i8"), ("anchor", "i8"), ("rests", "i8"), ("guard_lots", "i8"),
        ("stop_order", "i8"), ("take_order", "i8"), ("trail_order", "i8"),
        ("head", "i8"), ("tail", "i8"),
        ("orders", "i8"), ("fills", "i8"), ("last_px", "i8"), ("both_hit", "i8"), ("fault", "i8"),
        ("trades", "i8"), ("wins", "i8"), ("won", "f8"), ("lost", "f8"),
    ]
)  # fmt: skip
"""An account at work. ``side`` ≠ 0: a market order of ``wanted`` lots waits; ``guard`` is the side it protects."""

ENTRY = np.dtype([("lots", "i8"), ("px", "i8"), ("side", "i8"), ("fee", "f8"), ("funding", "f8")])
"""The part of an entry that is still open; fee and funding per lot."""

FILL = np.dtype(
    [
        ("bar", "i8"), ("at", "i8"), ("order", "i8"), ("side", "i8"), ("lots", "i8"), ("px", "i8"), ("ref", "i8"),
        ("maker", "i8"), ("fee", "i8"),
    ]
)  # fmt: skip
ORDER = np.dtype(
    [
        ("bar", "i8"), ("at", "i8"), ("why", "i8"), ("side", "i8"), ("lots", "i8"), ("px", "i8"), ("stop", "i8"),
        ("status", "i8"), ("parent", "i8"), ("end_bar", "i8"),
    ]
)  # fmt: skip

NONE, BPS, TICKS, VOLUME = 0, 1, 2, 3
# numbers of a kind, not Python's: for each of those numba compiles every function they are handed to once more
AT_OPEN, IN_RANGE, AT_CLOSE = cast(tuple[Array, Array, Array], tuple(np.int64(code) for code in range(3)))
TAKER, MAKER = cast(tuple[Array, Array], tuple(np.int64(code) for code in range(2)))
SIGNAL, STOP, TAKE, TRAIL = 0, 1, 2, 3
WORKING, FILLED, CANCELED, REJECTED = 0, 1, 2, 3
TOO_LARGE, TOO_MANY_ENTRIES, STACKED_GUARDS, NO_ROOM = 1, 2, 4, 8
"""Faults, why a result cannot be trusted: amounts beyond 64 bits, a full queue, two brackets at once, a full log."""

QUANTA = 1e12
LARGEST = 4e18


@inner
def to_lots(quantity: float, lot: float) -> int:
    """Round a quantity down to lots; within 1e-9 of a whole number counts as that number."""
    quotient = quantity / lot
    nearest = np.rint(quotient)
    near = min(1e-9 * max(1.0, abs(quotient)), 1e-3 + 8e-16 * abs(quotient))
    if abs(quotient - nearest) <= near:
        return int(nearest)
    return int(np.floor(quotient))


@inner
def whole_lots(lots: float) -> int:
    """Round down what was computed in floats from exact numbers: only the floats' own grain is forgiven."""
    nearest = np.rint(lots)
    if abs(lots - nearest) <= 1e-14 * max(1.0, lots):
        return int(nearest)
    return int(np.floor(lots))


@inner
def charge(product: int, num: int, den: int) -> int:
    """Return the fee of lots × ticks in quanta, rounded up."""
    if den == 1:
        return product * num
    whole, rest = product // den, product % den
    return whole * num - (-(rest * num) // den)


@inner
def slipped(rules: Array, px: int, side: int, lots: int, volume: int) -> int:
    """Return what a taker pays, in ticks: rounded against him, at least one tick."""
    if rules.slippage == NONE:
        return px
    if rules.slippage == TICKS:
        return max(1, px + side * rules.slip_num)
    if rules.slippage == BPS:
        top = px * (rules.slip_den + side * rules.slip_num)
        moved = -(-top // rules.slip_den) if side > 0 else top // rules.slip_den
        return max(1, moved)
    impact = rules.slip_value * np.sqrt(lots / max(volume, lots, 1))
    exact = px * (1.0 + side * impact)
    return max(1, int(np.ceil(exact - 1e-9)) if side > 0 else int(np.floor(exact + 1e-9)))


@inner
def size_of(volume: Array, bar: int) -> int:
    """Return a bar's volume in lots, 0 where nobody told."""
    if volume is None:
        return 0
    return volume[bar] if volume.size else 0


@inner
def on_grid(rules: Array, ticks: int) -> int:
    """Coarsen a price to the allowed significant figures, to the nearest, half to even."""
    if rules.digits == 0:
        return ticks
    step, rest = 1, ticks
    while rest >= 10**rules.digits:
        rest //= 10
        step *= 10
    step = min(step, rules.digits_step)
    down, over = ticks // step, ticks % step
    if 2 * over > step or (2 * over == step and down % 2 == 1):
        down += 1
    return down * step


@inner
def level(rules: Array, px: int, num: int, den: int, direction: int) -> int:
    """Return px · (1 ± num/den) in ticks, to the nearest, half to even."""
    top = px * (den + direction * num)
    down, rest = top // den, top % den
    if 2 * rest > den or (2 * rest == den and down % 2 == 1):
        down += 1
    return on_grid(rules, down)


@inner
def equity(rules: Array, book: Array, mark: float) -> float:
    """Return capital plus profit at a mark price, minus fees, plus funding."""
    held = book.lots * rules.lot * rules.multiplier * mark if book.lots else 0.0
    return rules.capital + (book.cash * rules.unit + held - book.fees / QUANTA + book.funding)


@inner
def affordable(
    rules: Array, book: Array, side: int, px: int, mark: int, rate: float, num: int, den: int
) -> int:
    """Return how many lots the account can pay for, fee included; ``mark`` values a perpetual's position."""
    if rules.spot:
        if side < 0:
            return max(0, book.lots)
        have = rules.capital + book.cash * rules.unit - book.fees / QUANTA
        per_lot = rules.unit * px * (1.0 + max(rate, 0.0))
        if have <= 0.0:
            return 0
        lots = whole_lots(have / per_lot)
        if rules.exact and lots > 0:
            money = rules.capital_quanta + book.cash * rules.unit_quanta - book.fees
            if lots * px * rules.unit_quanta + charge(lots * px, num, den) > money:
                lots = max(0, whole_lots((have - 1.0 / QUANTA) / per_lot))
                while lots > 0 and lots * px * rules.unit_quanta + charge(lots * px, num, den) > money:
                    lots -= 1
        return lots
    closes = abs(book.lots) if book.lots * side < 0 else 0
    free = equity_at(rules, book, mark)
    kept = 0.0 if closes or not book.lots else rules.unit * mark * abs(book.lots) / rules.leverage
    per_cost = rules.unit * px * max(rate, 0.0) + rules.unit * max(0, (px - mark) * side)
    after = free - kept - per_cost * closes
    margin = rules.unit * (min(mark, px) if side > 0 else mark)
    if rules.leverage != 1.0:  # a division takes its time even by 1
        margin /= rules.leverage
    per_lot = margin + per_cost
    opening = whole_lots(after / per_lot) if after > 0.0 and per_lot > 0.0 else 0
    return closes + max(0, opening)


@inner
def equity_at(rules: Array, book: Array, ticks: int) -> float:
    """Return the wallet's equity with the position at a price in ticks."""
    return rules.capital + (book.cash + book.lots * ticks) * rules.unit - book.fees / QUANTA + book.funding


@inlined
def refused(rules: Array, book: Array, side: int, lots: int, reduce: int, ref: int) -> bool:
    """Tell whether the venue refuses a market order: too small, too large, too little money."""
    reducible = abs(book.lots) if book.lots * side < 0 else 0
    if lots < rules.min_lots and not (reduce and lots >= reducible):
        return True
    if rules.max_lots >= 0 and lots > rules.max_lots:
        return True
    if not reduce and rules.unit * (lots * ref) < rules.min_notional * (1.0 - 1e-12):
        return True
    return bool(reduce) and reducible == 0


@inner
def note_order(
    book: Array, log: Array, bar: int, at: int, why: int, side: int, lots: int, px: int, stop: int
) -> int:
    """Write down an order and return its number."""
    number = book.orders
    book.orders += 1
    if log is None:
        return number
    if number < log.size:
        row = log[number]
        row.bar, row.at, row.why, row.side, row.lots = bar, at, why, side, lots
        row.px, row.stop, row.status, row.parent, row.end_bar = px, stop, WORKING, -1, -1
    elif log.size:
        book.fault |= NO_ROOM
    return number


@inner
def note_end(log: Array, number: int, status: int, bar: int) -> None:
    """Write down how an order ended."""
    if log is not None and 0 <= number < log.size:
        log[number].status = status
        log[number].end_bar = bar


@inlined
def settle(rules: Array, book: Array, side: int, lots: int, px: int, ref: int, maker: int) -> int:
    """Change position and cash by an execution and return its fee, in quanta."""
    product = lots * px
    num = rules.maker_num if maker else rules.taker_num
    den = rules.maker_den if maker else rules.taker_den
    size = float(lots) * px
    if size > LARGEST / 1e3 or size * abs(num) > LARGEST * den:
        book.fault |= TOO_LARGE
    fee = charge(product, num, den)
    book.cash -= side * product
    book.fees += fee
    book.slipped += side * lots * (px - ref)
    book.traded += product
    if abs(float(book.cash)) > LARGEST or abs(float(book.fees)) > LARGEST:
        book.fault |= TOO_LARGE
    book.lots += side * lots
    book.last_px = px
    return fee


@inlined
def count_trip(book: Array, profit: float) -> None:
    """Count a closed trip."""
    book.trades += 1
    if profit > 0.0:
        book.wins += 1
        book.won += profit
    elif profit < 0.0:
        book.lost -= profit


@inner
def execute(
    rules: Array, book: Array, queue: Array, log: Array, order: int, bar: int, at: int,
    side: int, lots: int, px: int, ref: int, maker: int,
) -> None:  # fmt: skip
    """Book an execution: position, cash, fee, and the trips it closes."""
    fee = settle(rules, book, side, lots, px, ref, maker)
    number = book.fills
    book.fills += 1
    if log is not None:
        if number < log.size:
            row = log[number]
            row.bar, row.at, row.order, row.side, row.lots = bar, at, order, side, lots
            row.px, row.ref, row.maker, row.fee = px, ref, maker, fee
        elif log.size:
            book.fault |= NO_ROOM
    _match(rules, book, queue, side, lots, px, fee / QUANTA / lots)


@inner
def _match(rules: Array, book: Array, queue: Array, side: int, lots: int, px: int, fee: float) -> None:
    """Close the oldest entries first; what is left opens a new one."""
    mask = queue.size - 1  # the queue's length is a power of two
    while lots > 0 and book.head < book.tail and queue[book.head & mask].side != side:
        entry = queue[book.head & mask]
        closed = min(lots, entry.lots)
        gross = entry.side * (closed * px - closed * entry.px) * rules.unit
        profit = gross - closed * (entry.fee + fee) + closed * entry.funding
        count_trip(book, profit)
        lots -= closed
        entry.lots -= closed
        if entry.lots == 0:
            book.head += 1
    if lots > 0:
        if book.tail - book.head > mask:
            book.fault |= TOO_MANY_ENTRIES
            return
        entry = queue[book.tail & mask]
        entry.lots, entry.px, entry.side, entry.fee, entry.funding = lots, px, side, fee, 0.0
        book.tail += 1


@inner
def pay_funding(rules: Array, book: Array, queue: Array, rate: float, ticks: int) -> None:
    """Settle funding on the position at a price; a long pays notional × rate, rounded against us."""
    if book.lots == 0 or rules.spot:
        return
    amount = np.floor(-(book.lots * ticks) * rules.unit * rate * QUANTA) / QUANTA
    book.funding += amount
    for index in range(book.head, book.tail):
        queue[index & (queue.size - 1)].funding += amount / abs(book.lots)
