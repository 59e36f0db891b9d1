"""The event loop on quotes. The twin is ``sim.tick_matching``: takers walk the book as far as the settings allow, what
we took is gone until the venue shows a new quote, and a resting order is filled with what the other side offers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lanner.kernels.account import AT_CLOSE, CANCELED, IN_RANGE, QUANTA, Array, note_end
from lanner.kernels.compiled import QUOTE
from lanner.kernels.compiled_orders import (
    ASK,
    BID,
    MARKET,
    PLACE,
    fill,
    next_order,
    note_asked,
    place,
    send_market,
    survey,
    withdraw,
)
from lanner.kernels.curve import stretch
from lanner.kernels.jit import kernel


def quote_loop(call: Any) -> Callable[..., None]:
    """Return the loop around a step."""

    def loop(
        ctx: Array, rules: Array, book: Array, slots: Array, seen: Array, queue: Array, orders: Array, fills: Array,
        asked: Array, curve: Array, blocks: Array, edges: Array, equity_out: Array, scratch: Array,
        start: int, stop: int, ts: Array, bid_px: Array, bid_qty: Array, ask_px: Array, ask_qty: Array, mid: Array,
        top: Array, taken: Array, share: float,
    ) -> None:  # fmt: skip
        since = start
        capital = rules.capital
        cash, fees, funding = book.cash * rules.unit, book.fees / QUANTA, book.funding
        per_px = book.lots * rules.lot * rules.multiplier
        for index in range(start, stop):
            if seen.busy and (top[index, 1] <= seen.below or top[index, 0] >= seen.above):
                stretch(rules, book, curve, blocks, edges, mid, equity_out, scratch, since, index)
                since = index
                meet_quote(rules, book, slots, seen, queue, orders, fills, index, top, taken, share)
                ctx.position, ctx.bid_left, ctx.ask_left = seen.position, seen.bid_left, seen.ask_left
                cash, fees = book.cash * rules.unit, book.fees / QUANTA
                per_px = book.lots * rules.lot * rules.multiplier
            px = mid[index]
            bid, ask = bid_px[index], ask_px[index]
            ctx.index = index
            ctx.equity = capital + (cash + per_px * px - fees + funding)
            call(ctx, QUOTE(ts[index], bid, bid_qty[index], ask, ask_qty[index], px, ask - bid))
            if ctx.asked_:
                stretch(rules, book, curve, blocks, edges, mid, equity_out, scratch, since, index)
                since = index
                answer_quote(
                    rules, book, slots, seen, queue, orders, fills, asked, index, px, top, taken, share,
                    ctx.equity, ctx.act_, ctx.amount_, ctx.bid_act_, ctx.bid_qty_, ctx.bid_px_,
                    ctx.ask_act_, ctx.ask_qty_, ctx.ask_px_,
                )  # fmt: skip
                ctx.asked_ = ctx.act_ = ctx.bid_act_ = ctx.ask_act_ = 0
                ctx.position, ctx.bid_left, ctx.ask_left = seen.position, seen.bid_left, seen.ask_left
                cash, fees = book.cash * rules.unit, book.fees / QUANTA
                per_px = book.lots * rules.lot * rules.multiplier
        stretch(rules, book, curve, blocks, edges, mid, equity_out, scratch, since, stop)

    return loop


@kernel
def see_quote(seen: Array, taken: Array, row: Array) -> None:
    """Take note of a quote; a side that is shown anew is whole again."""
    if seen.taken:
        if row[0] != seen.bid or row[2] != seen.bid_lots:
            taken[0, :] = 0
        if row[1] != seen.ask or row[3] != seen.ask_lots:
            taken[1, :] = 0
        seen.taken = 1 if taken.any() else 0
    seen.bid, seen.ask, seen.bid_lots, seen.ask_lots = row[0], row[1], row[2], row[3]


@kernel
def meet_quote(
    rules: Array, book: Array, slots: Array, seen: Array, queue: Array, orders: Array, fills: Array,
    index: int, top: Array, taken: Array, share: float,
) -> None:  # fmt: skip
    """Let the working orders meet a new quote."""
    see_quote(seen, taken, top[index])
    if seen.mark_row != index - 1 and index > 0:
        seen.mark = (top[index - 1, 0] + top[index - 1, 1]) // 2
    own = next_order(slots, -1)
    while own >= 0:
        number = slots[own].order
        meet(rules, book, slots, seen, queue, orders, fills, own, index, IN_RANGE, taken, share)
        own = next_order(slots, number)
    survey(rules, book, slots, seen)


@kernel
def meet(
    rules: Array, book: Array, slots: Array, seen: Array, queue: Array, orders: Array, fills: Array,
    own: int, index: int, at: int, taken: Array, share: float,
) -> None:  # fmt: skip
    """Let one order meet the quote as it stands."""
    slot = slots[own]
    side, limit = slot.side, slot.px
    best = seen.ask if side > 0 else seen.bid
    depth = int((seen.ask_lots if side > 0 else seen.bid_lots) * share)
    gone = taken[1] if side > 0 else taken[0]
    last = (seen.bid + seen.ask) // 2
    if slot.rests:
        through = (
            (best <= limit if side > 0 else best >= limit)
            if rules.touch
            else (best < limit if side > 0 else best > limit)
        )
        lots = depth - gone[0]
        if through and lots > 0:
            gone[0] += fill(
                rules, book, slots, seen, queue, orders, fills, own, lots, limit, limit, 1, index, at, last
            )
            seen.taken = 1
        return
    for step in range(gone.size):
        level = best + step * side
        if level < 1 or (limit and (level > limit if side > 0 else level < limit)):
            break
        lots = depth - gone[step]
        if lots > 0:
            gone[step] += fill(
                rules, book, slots, seen, queue, orders, fills, own, lots, level, best, 0, index, at, last
            )
            seen.taken = 1
        if slot.side == 0:
            return
    if own == MARKET:
        note_end(orders, slot.order, CANCELED, index)
        slot.side = 0
    slot.rests = 1


@kernel
def answer_quote(
    rules: Array, book: Array, slots: Array, seen: Array, queue: Array, orders: Array, fills: Array, asked: Array,
    index: int, price: float, top: Array, taken: Array, share: float, worth: float, act: int, amount: float,
    bid_act: int, bid_qty: float, bid_px: float, ask_act: int, ask_qty: float, ask_px: float,
) -> None:  # fmt: skip
    """Do what the strategy asked for at a quote: every order meets that quote as it comes."""
    see_quote(seen, taken, top[index])
    last = (seen.bid + seen.ask) // 2
    seen.mark, seen.mark_row = last, index
    note_asked(seen, asked, index, act, amount, bid_act, bid_qty, bid_px, ask_act, ask_qty, ask_px)
    for own in range(BID, ASK + 1):
        what = bid_act if own == BID else ask_act
        if what:
            withdraw(slots, orders, own, index)
        if what == PLACE:
            qty = bid_qty if own == BID else ask_qty
            px = bid_px if own == BID else ask_px
            if place(rules, book, slots, seen, orders, own, qty, px, index, last):
                meet(rules, book, slots, seen, queue, orders, fills, own, index, AT_CLOSE, taken, share)
    if act and send_market(rules, book, slots, seen, orders, act, amount, worth, price, index, last):
        for own in range(MARKET, MARKET + 1):
            meet(rules, book, slots, seen, queue, orders, fills, own, index, AT_CLOSE, taken, share)
    survey(rules, book, slots, seen)
