"""One instrument without brackets, whose weights are flat, long or short: ``portfolio.simulate`` at several times its
speed.

Most columns of weights are like that. Their changes are found first, some thousand bars at a time, and each is played
in one go: its order, its fill, and the stretch of bars that it ends. Arithmetic, account and equity are those of
``portfolio`` and ``account``, bit for bit. Whatever is out of the ordinary is left to them: play stops before it, with
everything in ``book``, ``queue`` and ``curve`` as they expect it there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lanner.kernels.account import (
    QUANTA,
    TAKER,
    Array,
    affordable,
    count_trip,
    equity,
    refused,
    settle,
    slipped,
    to_lots,
)
from lanner.kernels.curve import point
from lanner.kernels.jit import borrowing, inlined, kernel
from lanner.kernels.lanes import LANES, SUMS, fetch, held_sums, lowest_bit

CHUNK = 4096
"""Bars whose changes are looked for at a time; what a stretch of them needs stays in the processor's cache."""

ROOM = LANES * SUMS
"""Where in the working memory ``float64[ROOM + 3]`` the curve's count, total and squares before a block lie."""

OTHER = 3
"""A change to a weight that is not flat (1), long (2) or short (0); changes are kept as 4 · bar + one of these."""

AHEAD = 8
"""How many changes ahead the open that fills one is asked for."""

_BYTES = 0x0101010101010101


@kernel
def play_weights(
    rules: Array, book: Array, queue: Array, curve: Array, blocks: Array, edges: Array, start: int, stop: int,
    opens: Array, close: Array, words: Array, tail: int, out: Array, sums: Array, changes: Array,
) -> int:  # fmt: skip
    """Play bars [start, stop) of weights 0, 1 and -1; return the bar before which play stopped, ``stop`` at the end.

    ``words`` is int64, eight weights each, and ``tail`` those behind the last whole eight. ``opens`` are prices.
    ``sums`` is float64[ROOM + 3] and ``changes`` int64[CHUNK + 8] to work with. The rest is as in
    ``portfolio.simulate``.
    """
    return weights_from(
        rules, book, queue, curve, blocks, edges, start, stop, opens, close, words, tail, out, sums, changes
    )


@borrowing
def weights_from(
    rules: Array, book: Array, queue: Array, curve: Array, blocks: Array, edges: Array, start: int, stop: int,
    opens: Array, close: Array, words: Array, tail: int, out: Array, sums: Array, changes: Array,
) -> int:  # fmt: skip
    """Do what ``play_weights`` does, for kernels."""
    if not begin_run(rules, book, queue, curve, sums):
        return start
    index, begin = start, start
    alike = (np.int64(book.followed) & 0xFF) * _BYTES
    while begin < stop:
        end = min(stop, begin + CHUNK)
        count, alike = _changes(words, tail, alike, begin, end, changes)
        index, done = play_changes(
            rules, book, queue, curve, blocks, edges, changes, count, rules.share, False, index, stop, opens,
            close, out, sums,
        )  # fmt: skip
        if done and index < end:
            index = stretch(rules, book, curve, blocks, edges, close, out, sums, index, end)
        if index < end or not done:
            break
        begin = end
    settle_sums(curve, blocks, sums)
    return index


@kernel
def play_entries(
    rules: Array, book: Array, queue: Array, curve: Array, blocks: Array, edges: Array, start: int, stop: int,
    opens: Array, close: Array, signals: tuple[Array, Array, Array, Array], tails: Array, share: float, out: Array,
    sums: Array, changes: Array,
) -> int:  # fmt: skip
    """Play entries and exits of whole positions, as ``group_signals.play_signals`` does.

    ``signals`` are entries, exits, short entries and short exits, each int64 of eight bars a word (1 or 0) or empty,
    ``tails`` the bars behind the last whole eight. Play also stops after an entry that led to nothing, because the
    next bar asks again.
    """
    if not begin_run(rules, book, queue, curve, sums):
        return start
    index, begin = start, start
    side = _sign(book.lots)
    while begin < stop:
        end = min(stop, begin + CHUNK)
        count, side = _wishes(signals, tails, side, begin, end, changes)
        index, done = play_changes(
            rules, book, queue, curve, blocks, edges, changes, count, share, True, index, stop, opens, close, out,
            sums,
        )  # fmt: skip
        if done and index < end:
            index = stretch(rules, book, curve, blocks, edges, close, out, sums, index, end)
        if index < end or not done:
            break
        begin = end
    settle_sums(curve, blocks, sums)
    return index


@borrowing
def begin_run(rules: Array, book: Array, queue: Array, curve: Array, sums: Array) -> bool:
    """Prepare a run; tell whether it can be played here."""
    guarded = (
        rules.stop_num > 0
        or rules.take_num > 0
        or rules.trail > 0.0
        or rules.stop_px > 0
        or rules.take_px > 0
    )
    entries = book.tail - book.head
    if guarded or book.guard != 0 or book.funding != 0.0 or curve.ruined != 0:
        return False
    if entries > 1 or (entries == 1 and queue[book.head & (queue.size - 1)].lots != abs(book.lots)):
        return False
    for k in range(ROOM):
        sums[k] = 0.0
    sums[ROOM], sums[ROOM + 1], sums[ROOM + 2] = curve.count, curve.total, curve.squares
    return True


@inlined
def _sign(lots: int) -> int:
    return (1 if lots > 0 else 0) - (1 if lots < 0 else 0)


# -- what changes when --------------------------------------------------------------------------------


@inlined
def _changes(words: Array, tail: int, alike: int, start: int, stop: int, changes: Array) -> tuple[int, int]:
    """Write the bars of [start, stop) whose weight is another one than the one before (``alike``: eight of that)."""
    count: Any = np.int64(0)  # a constant would have all that takes it compiled twice
    word, last = start >> 3, (stop + 7) >> 3
    whole = min(last, words.size)
    kept: Any = np.int64(-1) << (8 * (start & 7))  # bytes of the first word that are in question
    while word < last:
        while word + 4 <= whole and kept == -1:
            one, two = words[word] ^ alike, words[word + 1] ^ alike
            three, four = words[word + 2] ^ alike, words[word + 3] ^ alike
            if one | two | three | four:
                break
            word += 4
        if word == last:
            break
        value = words[word] if word < words.size else tail
        other = (value ^ alike) & kept
        while other:
            place = lowest_bit(other) >> 3
            byte = (value >> (8 * place)) & 0xFF
            bar = 8 * word + place
            if bar >= stop:
                break
            changes[count] = 4 * bar + min((byte + 1) & 0xFF, OTHER)
            count += 1
            alike = byte * _BYTES
            if place == 7:
                break
            other = (value ^ alike) & (np.int64(-1) << (8 * (place + 1)))
        kept = np.int64(-1)
        word += 1
    return count, alike


@inlined
def _word(words: Array, word: int, tail: int) -> int:
    return words[word] if word < words.size else tail


@inlined
def _wishes(
    signals: tuple[Array, Array, Array, Array], tails: Array, side: int, start: int, stop: int, changes: Array
) -> tuple[int, int]:
    """Write the bars of [start, stop) that ask for another side than the one held; each is taken to come about."""
    entries, exits, shorts, covers = signals
    count: Any = np.int64(0)  # a constant would have all that takes it compiled twice
    word, last = start >> 3, (stop + 7) >> 3
    kept: Any = np.int64(-1) << (8 * (start & 7))
    while word < last:
        leave, cover = _word(exits, word, tails[1]), _word(covers, word, tails[3])
        up, down = _word(entries, word, tails[0]) & ~leave, _word(shorts, word, tails[2]) & ~cover
        up, down = up & ~down, down & ~up
        while True:
            asks = up | down if side == 0 else (leave | down if side > 0 else cover | up)
            asks &= kept
            if asks == 0:
                break
            place = lowest_bit(asks) >> 3
            bar = 8 * word + place
            if bar >= stop:
                break
            wants = 1 if (up >> (8 * place)) & 1 else (-1 if (down >> (8 * place)) & 1 else 0)
            side = 0 if wants == side else wants
            changes[count] = 4 * bar + side + 1
            count += 1
            kept = np.int64(-1) << (8 * (place + 1)) if place < 7 else 0
        kept = np.int64(-1)
        word += 1
    return count, side


# -- orders and fills ---------------------------------------------------------------------------------


@borrowing
def play_changes(
    rules: Array, book: Array, queue: Array, curve: Array, blocks: Array, edges: Array, changes: Array, count: int,
    share: float, insists: bool, index: int, stop: int, opens: Array, close: Array, out: Array, sums: Array,
) -> tuple[int, bool]:  # fmt: skip
    """Play changes one after the other; return the first bar the curve has not taken, and whether play may go on."""
    later, mask = 0 if rules.on_close else 1, queue.size - 1
    px = ticks_of(rules, opens[index]) if book.side != 0 else 0  # an order may wait for this open
    asked, k = OTHER, 0
    while True:
        if book.side != 0:
            _fill(rules, book, queue[book.head & mask], queue[book.tail & mask], px)
        if asked != OTHER and asked != _sign(book.lots):
            if not later:
                index = stretch(rules, book, curve, blocks, edges, close, out, sums, index, index + 1)
            return index, False
        if k == count:
            return index, True
        if k + AHEAD < count:
            fetch(close, changes[k + AHEAD] >> 2)
            if later:
                fetch(opens, (changes[k + AHEAD] >> 2) + 1)
        bar, side = changes[k] >> 2, (changes[k] & 3) - 1
        px = ticks_of(rules, close[bar])
        wanted = _wanted(rules, book, close[bar], side, share, insists)
        aside = side > 1 or wanted * book.lots > 0  # no whole position, or an entry beside the one there is
        end = bar if aside else bar + later  # what a close decides holds from the next open on
        if end > index:
            index = stretch(rules, book, curve, blocks, edges, close, out, sums, index, end)
        if index < end or aside:
            return index, False
        if insists:
            asked = side
        else:
            book.followed = side
        if _order(rules, book, wanted, px, close[bar]) and later:
            if index >= stop:
                return index, True
            px = ticks_of(rules, opens[index])
        k += 1


@inlined
def ticks_of(rules: Array, price: float) -> int:
    """Return a price in ticks, as ``Market`` does: what is at hand already spares a look at memory far away."""
    return max(1, int(np.rint(price / rules.tick)))


@inlined
def _wanted(rules: Array, book: Array, mark: float, side: int, share: float, insists: bool) -> int:
    """Return the lots that a side means at a mark price: a share of the equity, of an entry on spot of the cash."""
    if side == 0 or (side < 0 and not rules.allow_short):
        return 0
    if insists and rules.spot:
        worth = rules.capital + book.cash * rules.unit - book.fees / QUANTA
    else:
        worth = equity(rules, book, mark)
    return side * to_lots(share * max(0.0, worth) / (mark * rules.multiplier), rules.lot)


@inlined
def _order(rules: Array, book: Array, wanted: int, px: int, mark: float) -> bool:
    """Send the order that brings the position to so many lots, as ``portfolio.aim``; tell whether it waits."""
    delta = wanted - book.lots
    if delta == 0:
        return False
    lots, side = abs(delta), 1 if delta > 0 else -1
    if (lots < rules.min_lots or lots * rules.lot * rules.multiplier * mark < rules.min_notional) and (
        (wanted != 0 and book.lots != 0) or (wanted == 0 and rules.spot)
    ):
        return False
    book.reduce = 1 if wanted == 0 and not rules.spot else 0
    book.opens = 1 if wanted * delta > 0 else 0
    book.order = book.orders
    book.orders += 1
    if refused(rules, book, side, lots, book.reduce, px):
        return False
    book.side, book.wanted = side, lots
    return True


@inlined
def _fill(rules: Array, book: Array, old: Array, new: Array, px: int) -> None:
    """Fill the waiting order at a price plus slippage, as far as the account can pay, and book it.

    ``old`` is the entry of the position there is, if any, which an order on the other side always closes whole;
    ``new`` takes what goes beyond.
    """
    side, lots = book.side, book.wanted
    paid = slipped(rules, px, side, lots, lots)
    closes = abs(book.lots)
    book.side = 0
    lots = min(lots, affordable(rules, book, side, paid, px, rules.taker, rules.taker_num, rules.taker_den))
    if lots < 1:
        return
    fee = settle(rules, book, side, lots, paid, px, TAKER)
    book.fills += 1
    per_lot = fee / QUANTA / lots
    if closes:
        gross = old.side * (closes * paid - closes * old.px) * rules.unit
        profit = gross - closes * (old.fee + per_lot) + closes * old.funding
        book.head += 1
        count_trip(book, profit)
        old.lots = 0
    if lots > closes:
        new.lots, new.px, new.side, new.fee, new.funding = lots - closes, paid, side, per_lot, 0.0
        book.tail += 1


# -- the curve ----------------------------------------------------------------------------------------


@borrowing
def stretch(
    rules: Array, book: Array, curve: Array, blocks: Array, edges: Array, close: Array, out: Array, sums: Array,
    start: int, stop: int,
) -> int:  # fmt: skip
    """Go on with the curve over bars [start, stop); return where it stopped, which is before an account is ruined."""
    per_px = book.lots * rules.lot * rules.multiplier
    base, fees, capital = book.cash * rules.unit, book.fees / QUANTA, rules.capital
    if out.size:
        # unsigned numbers spare the loops the question whether an index counts from the end
        first, last = np.uint64(start), np.uint64(stop)
        if book.lots == 0:
            value = capital + (base + 0.0 - fees)
            for k in range(first, last):
                out[k] = value
        else:
            for k in range(first, last):
                out[k] = capital + (base + per_px * close[k] - fees)
    if curve.sums == 0:
        return stop
    index = start
    while index < stop:
        end = stop
        if blocks.shape[0]:
            if curve.block < edges.size and edges[curve.block] <= index:
                settle_sums(curve, blocks, sums)
                while curve.block < edges.size and edges[curve.block] <= index:
                    curve.block += 1
            if curve.block < edges.size:
                end = min(stop, edges[curve.block])
        if not _measure(curve, close, sums, index, end, per_px, base, fees, capital):
            return index
        index = end
    return stop


@borrowing
def _measure(
    curve: Array, close: Array, sums: Array, start: int, stop: int, per_px: float, base: float, fees: float,
    capital: float,
) -> bool:  # fmt: skip
    """Add the returns of bars [start, stop) and look for the deepest fall; False where the account is ruined."""
    value = capital + (base + per_px * close[start] - fees)
    if value <= 0.0:
        return False
    low = high = close[start]
    if per_px != 0.0 and stop - start > 1:
        low, high = held_sums(close, start, stop - start - 1, per_px, capital + base - fees, sums)
        if low != low:
            return False
    if curve.last == 0.0:  # the very first point has no return
        curve.last = curve.peak = curve.trough = value
    else:
        point(curve, value)
    curve.count += stop - start - 1
    if per_px == 0.0:
        return True
    curve.held += stop - start
    if stop - start == 1:
        return True
    lowest, highest = capital + (base + per_px * low - fees), capital + (base + per_px * high - fees)
    if per_px < 0.0:
        lowest, highest = highest, lowest
    if highest <= curve.peak:
        curve.trough = min(curve.trough, lowest)
        if curve.peak - curve.trough > curve.drawdown * curve.peak:
            curve.drawdown = (curve.peak - curve.trough) / curve.peak
    else:
        falls(curve, close, start, stop, per_px, base, fees, capital, min(lowest, curve.trough), highest)
    curve.last = capital + (base + per_px * close[stop - 1] - fees)
    return True


@borrowing
def falls(
    curve: Array, close: Array, start: int, stop: int, per_px: float, base: float, fees: float, capital: float,
    lowest: float, highest: float,
) -> None:  # fmt: skip
    """Follow peaks and troughs over bars among which is a new peak."""
    if highest - lowest <= curve.drawdown * highest:
        # no fall in here can be deeper than the deepest: only what comes after the peak counts later
        trough, index = highest, stop - 1
        while index > start:
            value = capital + (base + per_px * close[index] - fees)
            if value >= highest:
                break
            trough = min(trough, value)
            index -= 1
        curve.peak, curve.trough = highest, trough
        return
    peak, trough, drawdown = curve.peak, curve.trough, curve.drawdown
    for index in range(start + 1, stop):
        value = capital + (base + per_px * close[index] - fees)
        if value > peak:
            drawdown = max(drawdown, (peak - trough) / peak)
            peak = trough = value
        elif value < trough:
            trough = value
    curve.peak, curve.trough = peak, trough
    curve.drawdown = max(drawdown, (peak - trough) / peak)


@borrowing
def settle_sums(curve: Array, blocks: Array, sums: Array) -> None:
    """Put the lanes' sums into the curve's, and what was added since the last time into its block."""
    for k in range(LANES):
        curve.total += sums[k]
        curve.squares += sums[LANES + k]
        curve.losses -= sums[2 * LANES + k]
        curve.downside += sums[3 * LANES + k]
    for k in range(ROOM):
        sums[k] = 0.0
    if blocks.shape[0] and curve.block < blocks.shape[0]:
        row = blocks[curve.block]
        row[0] += curve.count - sums[ROOM]
        row[1] += curve.total - sums[ROOM + 1]
        row[2] += curve.squares - sums[ROOM + 2]
    sums[ROOM], sums[ROOM + 1], sums[ROOM + 2] = curve.count, curve.total, curve.squares
