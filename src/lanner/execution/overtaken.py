"""Orders that a newer target overtook while the venue could still fill them: what they bring all the same is made good.

A cancel may come too late, and an order at market, or one of which nobody knows anything, cannot be had back at all.
The strategy has said what it wants to hold and has no reason to say it again, so such a fill would stay beside it for
good. It is made good when the order has ended, not fill by fill (parts of it may be worth less than the venue takes):
limits that still work towards the target are made smaller by it, and what is left of it is closed at market.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from lanner.model.enums import OrderStatus, OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.risk.gate import TradingState

if TYPE_CHECKING:
    from lanner.execution.engine import ExecutionEngine


def brings(order: Order) -> bool:
    """Tell whether an order counts as on its way to a target: those of targets, and what is sent at market."""
    return order.intent == "target" or (order.intent == "order" and order.type is OrderType.MARKET)


def lots_to_come(order: Order, held: int) -> int:
    """Return what an order will add to a position, signed: a venue ends what is reduce-only at 0."""
    room = max(0, -held * order.side) if order.reduce_only else order.leaves_lots
    return min(order.leaves_lots, room) * order.side


def overtake(orders: Iterable[Order], leaving: Collection[Order], lots: int) -> None:
    """Mark a strategy's own orders for a target of 0.

    What they have filled by now is in the position that is being closed, and of those that are leaving so many lots are
    what closes it: what is filled beyond is beside the target.
    """
    for order in orders:
        if order.intent in ("order", "target"):
            closes = min(order.leaves_lots, lots) if order in leaving else 0
            order.overtaken = order.cum_lots + closes
            lots -= closes


def reckon(orders: Iterable[Order]) -> None:
    """Mark orders for another target, which counts what they have filled by now.

    It counts on what is on its way at market, and not on limits that were asked back.
    """
    for order in orders:
        if order.type is OrderType.MARKET:
            order.overtaken = None
        elif order.overtaken is not None or (
            order.intent == "target" and order.status is OrderStatus.PENDING_CANCEL
        ):
            order.overtaken = order.cum_lots


def make_good(engine: ExecutionEngine, order: Order) -> None:
    """Take what an overtaken order brought since it was marked off others that work, or close it, once it has ended."""
    if order.overtaken is None or not order.is_final:
        return
    brought = order.cum_lots - order.overtaken
    if brought <= 0:
        return
    order.overtaken = order.cum_lots
    if engine.gate.state is TradingState.HALTED:
        return  # who halted trading closes everything, or wants nothing closed
    _close(engine, order, _spare(engine, order, min(brought, _beyond(engine, order))))


def _beyond(engine: ExecutionEngine, order: Order) -> int:
    """Return the lots on an order's side that lie beyond the target when all that is under way has filled."""
    key = order.strategy_id, order.instrument_id
    left = engine.portfolio.position(order.strategy_id, order.instrument).lots
    for other in engine.open_orders(*key):
        if _is_coming(other):
            left += lots_to_come(other, left)
    return (left - engine.wanted[key]) * order.side


def _spare(engine: ExecutionEngine, order: Order, lots: int) -> int:
    """Make limits that still work towards the target smaller, the newest first; return what is left of the lots."""
    working = engine.open_orders(order.strategy_id, order.instrument_id)
    for other in reversed(list(working)):
        if lots <= 0 or other.side != order.side or other.type is OrderType.MARKET or not _is_coming(other):
            continue
        left, plan = other.leaves_lots - lots, engine.guards.plan_of(other)
        lots = max(0, -left)
        other.overtaken = other.cum_lots
        engine.cancel(other)
        if left > 0 and not too_small(other.instrument, left, other.instrument.px_float(other.px_ticks or 0)):
            engine.submit(_towards(engine, other, other.side, left, other.px_ticks, other.reduce_only), plan)
    return lots


def _close(engine: ExecutionEngine, order: Order, lots: int) -> None:
    """Close so many of an order's lots at market."""
    if lots <= 0:
        return
    instrument, strategy_id = order.instrument, order.strategy_id
    if instrument.is_spot:
        if too_small(instrument, lots, engine.portfolio.marks.get(instrument.id, math.nan)):
            return  # the venue would refuse it
        held = engine.portfolio.position(strategy_id, instrument).lots
        engine.shrink_exits(strategy_id, instrument.id, max(0, held - lots))
    # a venue ends a reduce-only order when another one turned the position before it
    working = engine.open_orders(strategy_id, instrument.id)
    turns = any(brings(other) and _is_coming(other) for other in working)
    reduce_only = not turns and not engine.is_alone(instrument)
    closing = _towards(engine, order, Side(-order.side), lots, None, reduce_only)
    closing.overtaken = lots
    engine.submit(closing)


def _is_coming(order: Order) -> bool:
    """Tell whether an order is expected to fill: one at market (exits, too), or a limit that works for a target."""
    if order.type is OrderType.MARKET:
        return True
    return (
        order.type is OrderType.LIMIT
        and order.intent == "target"
        and order.overtaken is None
        and order.status is not OrderStatus.PENDING_CANCEL
    )


def _towards(
    engine: ExecutionEngine, like: Order, side: Side, lots: int, px_ticks: int | None, reduce_only: bool
) -> Order:
    """Return an order that brings a strategy to its target, a limit where a price is given."""
    return Order(
        engine.ids.next("o"),
        like.strategy_id,
        like.instrument,
        side,
        OrderType.MARKET if px_ticks is None else OrderType.LIMIT,
        lots,
        engine.clock.now,
        px_ticks=px_ticks,
        reduce_only=reduce_only,
        fit=px_ticks is None,
        intent="target",
        tag=like.tag,
    )


def too_small(instrument: Instrument, lots: int, px: float) -> bool:
    """Tell whether a venue would refuse an order for being so small."""
    value = instrument.qty_float(lots) * float(instrument.multiplier) * px
    return lots < instrument.min_lots or value < float(instrument.min_notional)
