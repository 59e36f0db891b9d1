"""Event loops around a user's compiled step: one function call per bar, everything else only when something happens.

A strategy's own record, the *context*, holds what it may read, what it asks for, and its state. The loop over events
is compiled together with the step, so that the step is a part of it; whatever orders need is in kernels that all
strategies share and that are compiled once.
"""

from __future__ import annotations

import inspect
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core.errors import NumbaError as CompilerError
from numba.core.registry import cpu_target
from numba.core.typing.templates import infer_getattr, make_overload_method_template
from numba.extending import overload

from lanner.kernels.account import AT_CLOSE, QUANTA, Array, pay_funding
from lanner.kernels.compiled_orders import (
    ASK,
    BID,
    CANCEL,
    PLACE,
    TARGET,
    TRADE,
    meet_open,
    meet_range,
    note_asked,
    place,
    send_market,
    survey,
    take_market,
    withdraw,
)
from lanner.kernels.curve import stretch
from lanner.kernels.jit import kernel

__all__ = ["BAR", "CONTEXT", "QUOTE", "CompilerError", "context_type", "make_loop"]

CONTEXT = (
    ("position", "f8"), ("equity", "f8"), ("bid_left", "f8"), ("ask_left", "f8"), ("index", "i8"),
    ("asked_", "i8"), ("act_", "i8"), ("amount_", "f8"),
    ("bid_act_", "i8"), ("bid_qty_", "f8"), ("bid_px_", "f8"),
    ("ask_act_", "i8"), ("ask_qty_", "f8"), ("ask_px_", "f8"),
)  # fmt: skip
"""The fields of every context, before parameters and state."""

BAR = namedtuple("BAR", "ts_open ts_event open high low close volume")
QUOTE = namedtuple("QUOTE", "ts_event bid_px bid_qty ask_px ask_qty mid spread")


def context_type(params: Sequence[tuple[str, str]], state: Sequence[tuple[str, str]]) -> np.dtype[Any]:
    """Return the record of a strategy: parameters under ``p_`` and their name, state under its own."""
    return np.dtype([*CONTEXT, *((f"p_{name}", kind) for name, kind in params), *state])


def make_loop(kind: str, step: Callable[..., None], params: Sequence[str]) -> Any:
    """Compile a step into an event loop over ``bars`` or ``quotes``; it is compiled when it is first called."""
    # division by zero is an error, as it is in Python: the step must mean the same uncompiled
    inner = numba.njit(error_model="python")(step)
    arguments = "".join(f", ctx.p_{name}" for name in params)
    scope: dict[str, Any] = {"step": inner}
    exec(f"def call(ctx, event):\n    step(ctx, event{arguments})\n", scope)
    call = numba.njit(error_model="python")(scope["call"])
    if kind == "quotes":
        from lanner.kernels.compiled_quotes import quote_loop

        return numba.njit(nogil=True, error_model="python")(quote_loop(call))
    return numba.njit(nogil=True, error_model="python")(_bar_loop(call))


def _bar_loop(call: Any) -> Callable[..., None]:
    def loop(
        ctx: Array, rules: Array, book: Array, slots: Array, seen: Array, queue: Array, orders: Array, fills: Array,
        asked: Array, curve: Array, blocks: Array, edges: Array, equity_out: Array, scratch: Array,
        start: int, stop: int, ticks: Array, ts_open: Array, ts: Array, opening: Array, high: Array, low: Array,
        close: Array, volume: Array, lots: Array, fund_bar: Array, fund_end: Array, fund_rate: Array,
    ) -> None:  # fmt: skip
        since = start
        payments = fund_bar.size
        payment = 0
        while payment < payments and fund_bar[payment] < start:
            payment += 1
        capital = rules.capital
        cash, fees, funding = book.cash * rules.unit, book.fees / QUANTA, book.funding
        per_px = book.lots * rules.lot * rules.multiplier
        for index in range(start, stop):
            due = payment < payments and fund_bar[payment] == index
            if due or (seen.busy and (ticks[index, 2] <= seen.below or ticks[index, 1] >= seen.above)):
                stretch(rules, book, curve, blocks, edges, close, equity_out, scratch, since, index)
                since = index
                payment = meet_bar(
                    rules, book, slots, seen, queue, orders, fills, index, ticks, lots,
                    payment, fund_bar, fund_end, fund_rate,
                )  # fmt: skip
                ctx.position, ctx.bid_left, ctx.ask_left = seen.position, seen.bid_left, seen.ask_left
                cash, fees, funding = book.cash * rules.unit, book.fees / QUANTA, book.funding
                per_px = book.lots * rules.lot * rules.multiplier
            px = close[index]
            ctx.index = index
            ctx.equity = capital + (cash + per_px * px - fees + funding)
            call(
                ctx,
                BAR(ts_open[index], ts[index], opening[index], high[index], low[index], px, volume[index]),
            )
            if ctx.asked_:
                if rules.on_close and ctx.act_:
                    stretch(rules, book, curve, blocks, edges, close, equity_out, scratch, since, index)
                    since = index
                answer_bar(
                    rules, book, slots, seen, queue, orders, fills, asked, index, ticks[index, 3], px, lots,
                    ctx.equity, ctx.act_, ctx.amount_, ctx.bid_act_, ctx.bid_qty_, ctx.bid_px_,
                    ctx.ask_act_, ctx.ask_qty_, ctx.ask_px_,
                )  # fmt: skip
                ctx.asked_ = ctx.act_ = ctx.bid_act_ = ctx.ask_act_ = 0
                ctx.position, ctx.bid_left, ctx.ask_left = seen.position, seen.bid_left, seen.ask_left
                cash, fees, funding = book.cash * rules.unit, book.fees / QUANTA, book.funding
                per_px = book.lots * rules.lot * rules.multiplier
        stretch(rules, book, curve, blocks, edges, close, equity_out, scratch, since, stop)

    return loop


@kernel
def meet_bar(
    rules: Array, book: Array, slots: Array, seen: Array, queue: Array, orders: Array, fills: Array,
    index: int, ticks: Array, lots: Array, payment: int, fund_bar: Array, fund_end: Array, fund_rate: Array,
) -> int:  # fmt: skip
    """Let the working orders and what funding is due meet a bar; return the next payment."""
    row = ticks[index]
    if seen.busy:
        meet_open(rules, book, slots, seen, queue, orders, fills, index, row[0], lots)
    while payment < fund_bar.size and fund_bar[payment] == index and not fund_end[payment]:
        pay_funding(rules, book, queue, fund_rate[payment], row[0])
        payment += 1
    if seen.busy:
        meet_range(rules, book, slots, seen, queue, orders, fills, index, row, lots)
    while payment < fund_bar.size and fund_bar[payment] == index:
        pay_funding(rules, book, queue, fund_rate[payment], row[3])
        payment += 1
    survey(rules, book, slots, seen)
    return payment


@kernel
def answer_bar(
    rules: Array, book: Array, slots: Array, seen: Array, queue: Array, orders: Array, fills: Array, asked: Array,
    bar: int, last: int, price: float, lots: Array, worth: float, act: int, amount: float,
    bid_act: int, bid_qty: float, bid_px: float, ask_act: int, ask_qty: float, ask_px: float,
) -> None:  # fmt: skip
    """Do what the strategy asked for when a bar closed."""
    seen.mark = last
    note_asked(seen, asked, bar, act, amount, bid_act, bid_qty, bid_px, ask_act, ask_qty, ask_px)
    for own in range(BID, ASK + 1):
        what = bid_act if own == BID else ask_act
        if what:
            withdraw(slots, orders, own, bar)
        if what == PLACE:
            qty = bid_qty if own == BID else ask_qty
            px = bid_px if own == BID else ask_px
            place(rules, book, slots, seen, orders, own, qty, px, bar, last)
    if act:
        taken = send_market(rules, book, slots, seen, orders, act, amount, worth, price, bar, last)
        if taken and rules.on_close:
            volume = lots[bar] if lots.size else 0
            take_market(rules, book, slots, seen, queue, orders, fills, bar, AT_CLOSE, last, volume, lots)
    survey(rules, book, slots, seen)


# -- the verbs ---------------------------------------------------------------------------------------


def _is_context(record: Any) -> bool:
    return "asked_" in record.fields


def _verb(make: Callable[..., None]) -> None:
    """Give contexts a method; other records, which may have a field of that name, are left as they are."""
    name, names = make.__name__.lstrip("_"), ", ".join(inspect.signature(make).parameters)
    scope: dict[str, Any] = {"make": make}
    exec(f"def {name}({names}):\n    return make\n", scope)
    typed = scope[name]
    make_template: Any = make_overload_method_template
    template: Any = make_template(types.Record, name, typed, inline="never")

    class OfContexts(template):  # type: ignore[misc]
        of_contexts = True

        def _resolve(self, record: Any, attr: str) -> Any:
            return super()._resolve(record, attr) if _is_context(record) else None

    register: Any = infer_getattr
    register(OfContexts)
    overload(typed)(typed)


def _target(ctx, weight):  # type: ignore[no-untyped-def]
    if weight == weight:
        ctx.asked_, ctx.act_, ctx.amount_ = 1, TARGET, weight


def _buy(ctx, qty):  # type: ignore[no-untyped-def]
    if qty > 0.0:
        ctx.asked_, ctx.act_, ctx.amount_ = 1, TRADE, qty


def _sell(ctx, qty):  # type: ignore[no-untyped-def]
    if qty > 0.0:
        ctx.asked_, ctx.act_, ctx.amount_ = 1, TRADE, -qty


def _close(ctx):  # type: ignore[no-untyped-def]
    ctx.asked_, ctx.act_, ctx.amount_ = 1, TARGET, 0.0


def _bid(ctx, qty, px):  # type: ignore[no-untyped-def]
    if qty > 0.0 and px > 0.0:
        ctx.asked_, ctx.bid_act_, ctx.bid_qty_, ctx.bid_px_ = 1, PLACE, qty, px


def _ask(ctx, qty, px):  # type: ignore[no-untyped-def]
    if qty > 0.0 and px > 0.0:
        ctx.asked_, ctx.ask_act_, ctx.ask_qty_, ctx.ask_px_ = 1, PLACE, qty, px


def _cancel_bid(ctx):  # type: ignore[no-untyped-def]
    ctx.asked_, ctx.bid_act_ = 1, CANCEL


def _cancel_ask(ctx):  # type: ignore[no-untyped-def]
    ctx.asked_, ctx.ask_act_ = 1, CANCEL


def _ask_verbs_first() -> None:
    """Let numba look for a verb before it looks for a field, whatever has been compiled in this process already.

    Numba asks in the order of registration, and its own answer for records is an error where a field is missing.
    """
    context: Any = cpu_target.typing_context
    context.refresh()
    context._attributes[types.Record].sort(key=lambda template: not getattr(template, "of_contexts", False))


for _make in (_target, _buy, _sell, _close, _bid, _ask, _cancel_bid, _cancel_ask):
    _verb(_make)
_ask_verbs_first()
