"""The orders of a compiled strategy inside the kernels: one market order, one bid and one ask, as the venue plays them.

The twins are ``engine.desk`` and ``sim.venue`` with ``sim.bar_matching``; the account's arithmetic is in ``account``,
brackets (a stop and a target around an entry) are those of ``portfolio``.
"""

from __future__ import annotations

import numpy as np

from lanner.kernels.account import (
    AT_CLOSE,
    AT_OPEN,
    CANCELED,
    FILLED,
    IN_RANGE,
    REJECTED,
    SIGNAL,
    STACKED_GUARDS,
    Array,
    affordable,
    equity_at,
    execute,
    note_end,
    note_order,
    refused,
    slipped,
    to_lots,
    whole_lots,
)
from lanner.kernels.jit import kernel
from lanner.kernels.portfolio import guard_at_open, protect
from lanner.kernels.portfolio import meet_range as guard_meets_range
from lanner.kernels.portfolio import withdraw as withdraw_guard

SLOT = np.dtype(
    [
        ("side", "i8"), ("lots", "i8"), ("px", "i8"), ("order", "i8"), ("rests", "i8"),
        ("fit", "i8"), ("reduce", "i8"), ("opens", "i8"),
    ]
)  # fmt: skip
"""A working order; ``side`` 0 is an empty slot, ``lots`` what is left, ``px`` 0 a market order."""

SEEN = np.dtype(
    [
        ("busy", "i8"), ("below", "i8"), ("above", "i8"), ("mark", "i8"), ("mark_row", "i8"),
        ("bid", "i8"), ("ask", "i8"), ("bid_lots", "i8"), ("ask_lots", "i8"), ("taken", "i8"), ("rows", "i8"),
        ("position", "f8"), ("bid_left", "f8"), ("ask_left", "f8"),
    ]
)  # fmt: skip
"""What the venue knows. Prices strictly between ``below`` and ``above`` touch no order; ``taken`` tells that we have
taken liquidity that is not back yet."""

MARKET, BID, ASK = 0, 1, 2
TARGET, TRADE = 1, 2
PLACE, CANCEL = 1, 2
FAR = 1 << 62

ASKED = np.dtype(
    [
        ("row", "i8"), ("act", "i8"), ("amount", "f8"),
        ("bid_act", "i8"), ("bid_qty", "f8"), ("bid_px", "f8"),
        ("ask_act", "i8"), ("ask_qty", "f8"), ("ask_px", "f8"),
    ]
)  # fmt: skip
"""What a strategy asked for at one row: a target weight or a signed quantity to trade, a new bid, a new ask."""


@kernel
def passive_ticks(rules: Array, px: float, side: int) -> int:
    """Return a limit price in ticks, rounded so that it is never worse than the one asked for."""
    quotient = px / rules.tick
    nearest = np.rint(quotient)
    near = min(1e-9 * max(1.0, abs(quotient)), 1e-3 + 8e-16 * abs(quotient))
    if abs(quotient - nearest) <= near:
        ticks = int(nearest)
    else:
        ticks = int(np.floor(quotient)) if side > 0 else int(np.ceil(quotient))
    if rules.digits == 0:
        return ticks
    step, rest = 1, ticks
    while rest >= 10**rules.digits:
        rest //= 10
        step *= 10
    step = min(step, rules.digits_step)
    down = ticks // step
    return (down if side > 0 or ticks % step == 0 else down + 1) * step


@kernel
def reserved(rules: Array, book: Array, slots: Array, own: int, last: int) -> float:
    """Return what the other working orders have promised of what one would spend: money, or lots of a spot sale."""
    total = 0.0
    fee = max(rules.taker, 0.0)
    for k in range(3):
        other = slots[k]
        if k == own or other.side == 0 or other.fit or other.reduce:
            continue
        ref = other.px if other.px else last
        if rules.spot:
            if other.side != slots[own].side:
                continue
            total += other.lots if other.side < 0 else rules.unit * ref * other.lots * (1.0 + fee)
        else:
            reducible = abs(book.lots) if book.lots * other.side < 0 else 0
            lots = max(0, other.lots - reducible)
            total += rules.unit * ref * lots * (1.0 / rules.leverage + fee)
    return total


@kernel
def payable(rules: Array, book: Array, side: int, px: int, mark: int, maker: int, promised: float) -> int:
    """Return how many lots the account can pay for besides what is promised, fee included."""
    rate = rules.maker if maker else rules.taker
    if promised == 0.0:
        num = rules.maker_num if maker else rules.taker_num
        den = rules.maker_den if maker else rules.taker_den
        return affordable(rules, book, side, px, mark, rate, num, den)
    if rules.spot:
        if side < 0:
            return max(0, book.lots - int(promised))
        have = rules.capital + book.cash * rules.unit - book.fees / 1e12 - promised
        return whole_lots(have / (rules.unit * px * (1.0 + max(rate, 0.0)))) if have > 0.0 else 0
    closes = abs(book.lots) if book.lots * side < 0 else 0
    kept = 0.0 if closes else rules.unit * mark * abs(book.lots) / rules.leverage
    per_cost = rules.unit * px * max(rate, 0.0) + rules.unit * max(0, (px - mark) * side)
    after = equity_at(rules, book, mark) - promised - kept - per_cost * closes
    per_lot = rules.unit * (min(mark, px) if side > 0 else mark) / rules.leverage + per_cost
    opening = whole_lots(after / per_lot) if after > 0.0 and per_lot > 0.0 else 0
    return closes + max(0, opening)


@kernel
def fill(
    rules: Array, book: Array, slots: Array, seen: Array, queue: Array, orders: Array, fills: Array,
    own: int, lots: int, px: int, ref: int, maker: int, bar: int, at: int, last: int,
) -> int:  # fmt: skip
    """Execute up to ``lots`` of an order; what the account cannot pay for ends it. Return how many were executed."""
    slot = slots[own]
    lots = min(lots, slot.lots)
    if slot.reduce:
        reducible = abs(book.lots) if book.lots * slot.side < 0 else 0
        lots = min(lots, reducible)
        if lots == 0:
            note_end(orders, slot.order, CANCELED, bar)
            slot.side = 0
            return 0
    can = payable(rules, book, slot.side, px, seen.mark, maker, reserved(rules, book, slots, own, last))
    short = lots > can
    lots = min(lots, can)
    if lots >= 1:
        execute(rules, book, queue, fills, slot.order, bar, at, slot.side, lots, px, ref, maker)
        seen.mark = px
        slot.lots -= lots
        if slot.lots == 0:
            note_end(orders, slot.order, FILLED, bar)
            slot.side = 0
    if short and slot.side != 0:
        note_end(orders, slot.order, CANCELED, bar)
        slot.side = 0
    return max(0, lots)


@kernel
def take_market(
    rules: Array, book: Array, slots: Array, seen: Array, queue: Array, orders: Array, fills: Array,
    bar: int, at: int, px: int, volume: int, volumes: Array,
) -> None:  # fmt: skip
    """Fill the waiting market order at a bar's price, and protect what it opened."""
    slot = slots[MARKET]
    side, lots, before = slot.side, slot.lots, book.lots
    book.order = slot.order
    paid = slipped(rules, px, side, lots, volume)
    done = fill(rules, book, slots, seen, queue, orders, fills, MARKET, lots, paid, px, 0, bar, at, px)
    slot.side = 0
    if done < 1:
        return
    if book.guard != 0 and book.lots * book.guard <= 0:
        withdraw_guard(book, orders, bar)
    protects = rules.stop_num > 0 or rules.take_num > 0 or rules.trail > 0.0
    if slot.opens and protects and book.lots * side > 0:
        size = min(done, abs(book.lots))
        protect(rules, book, queue, orders, fills, bar, at, px, paid, size, volumes)
    elif before * side > 0 and book.guard != 0:
        book.fault |= STACKED_GUARDS


@kernel
def next_order(slots: Array, after: int) -> int:
    """Return the slot of the oldest order younger than ``after``, or −1."""
    found, least = -1, FAR
    for k in range(3):
        if slots[k].side != 0 and after < slots[k].order < least:
            found, least = k, slots[k].order
    return found


@kernel
def meet_open(
    rules: Array, book: Array, slots: Array, seen: Array, queue: Array, orders: Array, fills: Array,
    bar: int, px: int, volumes: Array,
) -> None:  # fmt: skip
    """Begin a bar: protective exits meet its open first, then the other orders as they came."""
    seen.mark = px
    volume = volumes[bar] if volumes.size else 0
    if book.guard != 0:
        guard_at_open(rules, book, queue, orders, fills, bar, px, volumes)
    own = next_order(slots, -1)
    while own >= 0:
        slot = slots[own]
        number = slot.order
        if own == MARKET:
            take_market(rules, book, slots, seen, queue, orders, fills, bar, AT_OPEN, px, volume, volumes)
        else:
            if (px <= slot.px) if slot.side > 0 else (px >= slot.px):
                if slot.rests:
                    at = px if rules.gap_at_open else slot.px
                    fill(
                        rules,
                        book,
                        slots,
                        seen,
                        queue,
                        orders,
                        fills,
                        own,
                        slot.lots,
                        at,
                        at,
                        1,
                        bar,
                        AT_OPEN,
                        px,
                    )
                else:
                    paid = slipped(rules, px, slot.side, slot.lots, volume)
                    paid = min(paid, slot.px) if slot.side > 0 else max(paid, slot.px)
                    fill(
                        rules,
                        book,
                        slots,
                        seen,
                        queue,
                        orders,
                        fills,
                        own,
                        slot.lots,
                        paid,
                        px,
                        0,
                        bar,
                        AT_OPEN,
                        px,
                    )
            slot.rests = 1
        own = next_order(slots, number)


@kernel
def meet_range(
    rules: Array, book: Array, slots: Array, seen: Array, queue: Array, orders: Array, fills: Array,
    bar: int, row: Array, volumes: Array,
) -> None:  # fmt: skip
    """Let the bracket, then bid and ask, meet the bar's range."""
    if book.guard != 0:
        guard_meets_range(rules, book, queue, orders, fills, bar, row, volumes)
    own = next_order(slots, -1)
    while own >= 0:
        slot = slots[own]
        number, px = slot.order, slot.px
        if slot.side > 0:
            through = row[2] <= px if rules.touch else row[2] < px
        else:
            through = row[1] >= px if rules.touch else row[1] > px
        if through:
            fill(rules, book, slots, seen, queue, orders, fills, own, slot.lots, px, px, 1, bar, IN_RANGE, px)
        slot.rests = 1
        own = next_order(slots, number)


@kernel
def survey(rules: Array, book: Array, slots: Array, seen: Array) -> None:
    """Note what we hold, what works, and between which prices nothing can happen to it."""
    seen.position = book.lots * rules.lot
    seen.bid_left = slots[BID].lots * rules.lot if slots[BID].side != 0 else 0.0
    seen.ask_left = slots[ASK].lots * rules.lot if slots[ASK].side != 0 else 0.0
    seen.busy = 0
    seen.below, seen.above = 0, FAR
    for k in range(3):
        slot = slots[k]
        if slot.side == 0:
            continue
        seen.busy = 1
        if k == MARKET or not slot.rests:
            seen.below = FAR
        elif slot.side > 0:
            seen.below = max(seen.below, slot.px)
        else:
            seen.above = min(seen.above, slot.px)
    if seen.taken:
        seen.busy = 1
        seen.below = FAR
    if book.guard != 0:
        seen.busy = 1
        if book.trail_order >= 0 or not book.rests:
            seen.below = FAR
        low = book.stop if book.guard > 0 else book.take
        high = book.take if book.guard > 0 else book.stop
        if low > 0:
            seen.below = max(seen.below, low)
        if high > 0:
            seen.above = min(seen.above, high)


@kernel
def withdraw(slots: Array, orders: Array, own: int, bar: int) -> None:
    """Cancel a working order."""
    if slots[own].side != 0:
        note_end(orders, slots[own].order, CANCELED, bar)
        slots[own].side = 0


@kernel
def send(
    rules: Array, book: Array, slots: Array, seen: Array, orders: Array,
    own: int, side: int, lots: int, px: int, fit: int, reduce: int, opens: int, bar: int, last: int,
) -> bool:  # fmt: skip
    """Send an order and tell whether the venue took it."""
    number = note_order(book, orders, bar, AT_CLOSE, SIGNAL, side, lots, px, 0)
    slot = slots[own]
    slot.side, slot.lots, slot.px, slot.order, slot.rests = side, lots, px, number, 0
    slot.fit, slot.reduce, slot.opens = fit, reduce, opens
    ref = px if px else last
    refuse = refused(rules, book, side, lots, reduce, ref)
    if not refuse and not reduce and not fit:
        promised = reserved(rules, book, slots, own, last)
        refuse = lots > payable(rules, book, side, ref, seen.mark, 0, promised)
    if refuse:
        note_end(orders, number, REJECTED, bar)
        slot.side = 0
    return not refuse


@kernel
def place(
    rules: Array, book: Array, slots: Array, seen: Array, orders: Array,
    own: int, qty: float, px: float, bar: int, last: int,
) -> bool:  # fmt: skip
    """Send a bid or an ask in place of the one that works; tell whether the venue took it."""
    side = 1 if own == BID else -1
    lots, ticks = to_lots(qty, rules.lot), passive_ticks(rules, px, side)
    if lots < rules.min_lots or ticks <= 0:
        return False
    return send(rules, book, slots, seen, orders, own, side, lots, ticks, 0, 0, 0, bar, last)


@kernel
def send_market(
    rules: Array, book: Array, slots: Array, seen: Array, orders: Array,
    act: int, amount: float, worth: float, price: float, bar: int, last: int,
) -> bool:  # fmt: skip
    """Turn a target weight or a quantity into a market order; tell whether the venue took one.

    ``worth`` is the equity, ``price`` the last price as a float, ``last`` in ticks.
    """
    if act == TRADE:
        lots = to_lots(abs(amount), rules.lot)
        if lots < rules.min_lots:
            return False
        side = 1 if amount > 0.0 else -1
        return send(rules, book, slots, seen, orders, MARKET, side, lots, 0, 0, 0, 0, bar, last)
    wanted = 0
    if amount != 0.0 and not (rules.spot and amount < 0.0):
        wanted = to_lots(abs(amount) * max(0.0, worth) / (price * rules.multiplier), rules.lot)
        wanted = wanted if amount > 0.0 else -wanted
    delta = wanted - book.lots
    if wanted == 0:
        withdraw(slots, orders, BID, bar)
        withdraw(slots, orders, ASK, bar)
        withdraw_guard(book, orders, bar)
    if delta == 0:
        return False
    if (wanted != 0 and book.lots != 0) or (wanted == 0 and rules.spot):
        value = abs(delta) * rules.lot * rules.multiplier * price
        if abs(delta) < rules.min_lots or value < rules.min_notional:
            return False
    side = 1 if delta > 0 else -1
    if book.guard != 0 and wanted * book.guard > 0:
        book.fault |= STACKED_GUARDS  # a second bracket, or one around a smaller position
    reduce = 1 if wanted == 0 and not rules.spot else 0
    opens = 1 if wanted * delta > 0 else 0
    return send(rules, book, slots, seen, orders, MARKET, side, abs(delta), 0, 1, reduce, opens, bar, last)


@kernel
def note_asked(
    seen: Array, asked: Array, row: int, act: int, amount: float,
    bid_act: int, bid_qty: float, bid_px: float, ask_act: int, ask_qty: float, ask_px: float,
) -> None:  # fmt: skip
    """Write down what the strategy asked for."""
    number = seen.rows
    seen.rows += 1
    if number < asked.size:
        note = asked[number]
        note.row, note.act, note.amount = row, act, amount
        note.bid_act, note.bid_qty, note.bid_px = bid_act, bid_qty, bid_px
        note.ask_act, note.ask_qty, note.ask_px = ask_act, ask_qty, ask_px
