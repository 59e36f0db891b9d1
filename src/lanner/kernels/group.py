"""Several instruments with one account: the same orders and fills, paid from one purse, in the order of time.

Bars close before others of the same instant open, and instruments come in the order in which they were given: that
is the event engine's order. With signals, what leaves a position is decided and filled before what enters one.
The books stay one for each instrument; before an instrument decides or pays, its ``capital`` is set to what all the
others are worth to it.
"""

from __future__ import annotations

import numpy as np

from lanner.kernels.account import CANCELED, QUANTA, Array, note_end, pay_funding
from lanner.kernels.group_signals import (
    FLAT,
    NEVER,
    ORDERS,
    SIGNALS,
    WEIGHTS,
    entry_lots,
    ordered_lots,
    pick,
    relevant,
    set_exits,
    wish,
)
from lanner.kernels.jit import inlined, kernel
from lanner.kernels.portfolio import aim, meet_open, meet_range, weigh


@kernel
def _worth(rules: Array, book: Array, mark: float) -> float:
    """Return what an instrument's dealings have added to the account."""
    held = book.lots * rules.lot * rules.multiplier * mark if book.lots else 0.0
    return book.cash * rules.unit + held - book.fees / QUANTA + book.funding


@kernel
def _others(rules: Array, play: Array, books: Array, closes: Array, own: int) -> float:
    """Return the account's equity without one instrument's part, at the last closes."""
    total = play.capital
    for k in range(books.size):
        if k != own:
            total += _worth(rules[k], books[k], closes[k])
    return total


@kernel
def _fill_purse(rules: Array, play: Array, books: Array, seen: Array, own: int) -> float:
    """Set an instrument's capital to what the account could pay for it, were its own position none; return it.

    Spot: cash. Perpetuals: equity at the venue's marks (``seen``), without the others' initial margin.
    """
    rule = rules[own]
    money, quanta = play.capital, play.capital_quanta
    for k in range(books.size):
        if k == own:
            continue
        book, other = books[k], rules[k]
        money += book.cash * other.unit - book.fees / QUANTA + book.funding
        if not other.spot:
            value = book.lots * seen[k] * other.unit
            money += value - abs(value) / other.leverage
        elif rule.exact:
            quanta += book.cash * other.unit_quanta - book.fees
    rule.capital, rule.capital_quanta = money, quanta
    return money


@kernel
def _places(books: Array) -> int:
    """Count the positions that are held or about to be, without those that are about to end."""
    count = 0
    for k in range(books.size):
        book = books[k]
        ends = book.side != 0 and book.side * book.lots < 0 and book.wanted == abs(book.lots)
        opens = book.side != 0 and book.lots == 0
        if opens or (book.lots != 0 and not ends):
            count += 1
    return count


@kernel
def _held(books: Array) -> int:
    """Count the positions."""
    count = 0
    for k in range(books.size):
        count += books[k].lots != 0
    return count


@kernel
def _open(
    rules: Array, play: Array, books: Array, queues: Array, orders: Array, fills: Array, k: int, row: int,
    ticks: Array, volume: Array, seen: Array, left: Array,
) -> None:  # fmt: skip
    """Begin an instrument's bar."""
    book = books[k]
    done = book.fills
    seen[k] = ticks[row, 0]
    if play.max_positions > 0 and book.side != 0 and book.lots == 0 and _held(books) >= play.max_positions:
        # the place it was promised is still taken: what holds it has had no bar to end in
        book.side = 0
        note_end(orders[k], book.order, CANCELED, row)
    if book.side != 0 or book.guard != 0:
        _fill_purse(rules, play, books, seen, k)
        meet_open(rules[k], book, queues[k], orders[k], fills[k], row, ticks[row], volume)
        _see_fill(book, done, seen, k)
    if book.fills != done and book.lots == 0:
        left[k] = row


@inlined
def _see_fill(book: Array, done: int, seen: Array, k: int) -> None:
    """A fill is the last price that the venue has seen."""
    if book.fills != done:
        seen[k] = book.last_px


@kernel
def _range(
    rules: Array, books: Array, queues: Array, orders: Array, fills: Array, k: int, row: int, ticks: Array,
    volume: Array, left: Array, funding: Array, paid: Array,
) -> None:  # fmt: skip
    """Let an instrument's bar run to its close, with the funding that is due there."""
    rule, book, queue = rules[k], books[k], queues[k]
    fund_row, _, fund_rate = funding
    done = book.fills
    if book.guard != 0:
        meet_range(rule, book, queue, orders[k], fills[k], row, ticks[row], volume)
    while paid[k, 0] < paid[k, 1] and fund_row[paid[k, 0]] == row:
        pay_funding(rule, book, queue, fund_rate[paid[k, 0]], ticks[row, 3])
        paid[k, 0] += 1
    if book.fills != done and book.lots == 0:
        left[k] = row


@kernel
def _pay_inside(
    rules: Array, books: Array, queues: Array, k: int, row: int, ticks: Array, funding: Array, paid: Array
) -> None:
    """Settle the funding that was due while a bar was open."""
    fund_row, fund_end, fund_rate = funding
    while paid[k, 0] < paid[k, 1] and fund_row[paid[k, 0]] == row and not fund_end[paid[k, 0]]:
        pay_funding(rules[k], books[k], queues[k], fund_rate[paid[k, 0]], ticks[row, 0])
        paid[k, 0] += 1


@kernel
def _decide(
    rules: Array, play: Array, books: Array, queues: Array, orders: Array, fills: Array, k: int, row: int,
    ticks: Array, close: Array, volume: Array, seen: Array, left: Array, closes: Array, weights: Array, acts: Array,
    sizes: Array, exits: Array, turn: int,
) -> None:  # fmt: skip
    """Let an instrument decide at its close; ``turn`` 0 takes what leaves a position, 1 what enters one."""
    rule, book = rules[k], books[k]
    mark = close[row]
    wanted = book.lots
    if play.mode == WEIGHTS:
        weight = weights[row]
        if weight == book.followed or weight != weight:
            return
        rule.capital = _others(rules, play, books, closes, k)
        wanted = weigh(rule, book, mark, weight)
    elif not acts[row] & relevant(play.mode, book.lots, play.accumulate):
        return
    elif play.mode == ORDERS:
        wanted = ordered_lots(rule, book.lots, pick(sizes, row))
        set_exits(rule, exits, row, mark)
    else:
        enters = book.lots == 0
        if enters != (turn == 1):
            return
        waits = 1 if row - left[k] < play.cooldown else 0
        asked = wish(book.lots, acts[row], play.accumulate, play.cooldown, waits)
        if asked == 0:
            return
        wanted = 0
        if asked != FLAT:
            if enters and play.max_positions > 0 and _places(books) >= play.max_positions:
                return
            distance = set_exits(rule, exits, row, mark)
            worth = _others(rules, play, books, closes, k) + _worth(rule, book, mark)
            free = _fill_purse(rules, play, books, seen, k)
            if rule.spot:
                free += book.cash * rule.unit - book.fees / QUANTA
            else:
                own = book.lots * rule.lot * rule.multiplier * mark
                free += _worth(rule, book, mark)
                if book.lots * asked > 0:
                    free -= abs(own) / rule.leverage
            wanted = entry_lots(rule, play, book.lots, asked, pick(sizes, row), mark, distance, free, worth)
    if rule.on_close:
        _fill_purse(rules, play, books, seen, k)
    done = book.fills
    aim(rule, book, queues[k], orders[k], fills[k], row, ticks[row, 3], mark, wanted, volume)
    _see_fill(book, done, seen, k)
    if book.fills != done and book.lots == 0:
        left[k] = row


@kernel
def _open_batch(
    rules: Array, play: Array, books: Array, queues: Array, orders: Array, fills: Array, who: Array, rows: Array,
    start: int, end: int, ticks: Array, volume: Array, seen: Array, left: Array, turns: Array,
) -> None:  # fmt: skip
    """Open the bars of one instant."""
    for at in range(start, end):
        book = books[who[at]]
        leaves = book.side * book.lots < 0 or book.guard != 0
        turns[who[at]] = 0 if leaves or play.mode != SIGNALS else 1
    for turn in range(2):
        for at in range(start, end):
            k = who[at]
            if turns[k] == turn:
                _open(rules, play, books, queues, orders, fills, k, rows[at], ticks, volume, seen, left)


@kernel
def _close_batch(
    rules: Array, play: Array, books: Array, queues: Array, orders: Array, fills: Array, who: Array, rows: Array,
    start: int, end: int, ticks: Array, close: Array, volume: Array, seen: Array, left: Array, closes: Array,
    weights: Array, acts: Array, sizes: Array, exits: Array, funding: Array, paid: Array,
) -> None:  # fmt: skip
    """Close the bars of one instant, and decide."""
    for at in range(start, end):
        _pay_inside(rules, books, queues, who[at], rows[at], ticks, funding, paid)
    for at in range(start, end):
        k, row = who[at], rows[at]
        _range(rules, books, queues, orders, fills, k, row, ticks, volume, left, funding, paid)
        seen[k], closes[k] = ticks[row, 3], close[row]
        if play.mode != SIGNALS:
            _decide(
                rules, play, books, queues, orders, fills, k, row, ticks, close, volume, seen, left, closes,
                weights, acts, sizes, exits, np.int64(0),
            )  # fmt: skip
    if play.mode != SIGNALS:
        return
    for turn in range(2):
        for at in range(start, end):
            _decide(
                rules, play, books, queues, orders, fills, who[at], rows[at], ticks, close, volume, seen, left,
                closes, weights, acts, sizes, exits, turn,
            )  # fmt: skip


@kernel
def play_group(
    rules: Array,
    play: Array,
    books: Array,
    queues: Array,
    orders: Array,
    fills: Array,
    who: Array,
    rows: Array,
    batches: Array,
    ticks: Array,
    close: Array,
    volume: Array,
    weights: Array,
    acts: Array,
    sizes: Array,
    exits: Array,
    funding: Array,
    paid: Array,
    equity_out: Array,
) -> None:
    """Play all instruments through a schedule of openings and closings.

    The instruments' bars lie behind one another in ``ticks``, ``close``, ``volume`` and the columns of what is asked;
    ``rows`` are places there, ``who`` the instrument. ``batches`` are the starts of what happens at one instant, and
    the end of all; one whose number in ``batches`` is negative (-1 - start) is of openings. ``paid`` is
    int64[instruments, 2], the next payment of each and the end of its own. ``equity_out`` has the equity after each
    batch of closings, or is empty.
    """
    count = books.size
    left, seen, turns = np.empty(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.int64)
    left[:] = NEVER
    closes = np.zeros(count)
    fund_row = funding[0]
    point = 0
    for batch in range(batches.size - 1):
        opens = batches[batch] < 0
        start = -1 - batches[batch] if opens else batches[batch]
        end = -1 - batches[batch + 1] if batches[batch + 1] < 0 else batches[batch + 1]
        # most bars change nothing; what may is left to functions, whose many arguments have their price
        moves = False
        if opens:
            for at in range(start, end):
                book = books[who[at]]
                moves |= book.side != 0 or book.guard != 0
            if moves:
                _open_batch(
                    rules, play, books, queues, orders, fills, who, rows, start, end, ticks, volume, seen, left,
                    turns,
                )  # fmt: skip
            else:
                for at in range(start, end):
                    seen[who[at]] = ticks[rows[at], 0]
            continue
        for at in range(start, end):
            k, row = who[at], rows[at]
            book = books[k]
            moves |= book.guard != 0 or (paid[k, 0] < paid[k, 1] and fund_row[paid[k, 0]] == row)
            if play.mode == WEIGHTS:
                moves |= weights[row] != book.followed
            else:
                moves |= acts[row] & relevant(play.mode, book.lots, play.accumulate) != 0
        if moves:
            _close_batch(
                rules, play, books, queues, orders, fills, who, rows, start, end, ticks, close, volume, seen, left,
                closes, weights, acts, sizes, exits, funding, paid,
            )  # fmt: skip
        else:
            for at in range(start, end):
                seen[who[at]], closes[who[at]] = ticks[rows[at], 3], close[rows[at]]
        if equity_out.size:
            equity_out[point] = _total(rules, play, books, closes)
        point += 1


@inlined
def _total(rules: Array, play: Array, books: Array, closes: Array) -> float:
    """Return the account's equity at the last closes."""
    total = play.capital
    for k in range(books.size):
        book, rule = books[k], rules[k]
        held = book.lots * rule.lot * rule.multiplier * closes[k] if book.lots else 0.0
        total += book.cash * rule.unit + held - book.fees / QUANTA + book.funding
    return total
