"""The two steps of the kill switch inside the engine: take everything back, then close what is held.

They ask no guard and no limit: that is their purpose. Between them whoever calls makes sure at the venue that nothing
works any more, because an order that still fills while its position is being closed would open a new one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lanner.execution.engine import ExecutionEngine
from lanner.execution.overtaken import too_small
from lanner.model.commands import Command
from lanner.model.enums import OrderStatus, OrderType, Side
from lanner.model.orders import Order
from lanner.risk.gate import TradingState

if TYPE_CHECKING:
    from lanner.engine.engine import Engine
    from lanner.model.instruments import Instrument

TAG = "kill-switch"


def halt(engine: Engine, reason: str, ts: int) -> list[Command]:
    """Let nothing new pass and ask every working order back."""
    engine.execution.gate.set(TradingState.HALTED, reason)
    for strategy_id in engine.desks:
        engine.execution.cancel_all(strategy_id)
    return engine.advance(ts)


def flatten(engine: Engine, ts: int) -> list[Command]:
    """Send a market order against each position that no such order closes already."""
    engine.clock.now = max(engine.clock.now, ts)
    close_positions(engine.execution)
    return engine.advance(ts)


def close_positions(execution: ExecutionEngine) -> None:
    """Send a market order against each position that no such order closes already."""
    for (strategy_id, _), position in list(execution.portfolio.positions.items()):
        instrument = position.instrument
        under_way = sum(
            order.leaves_lots
            for order in execution.open_orders(strategy_id, instrument.id)
            if order.tag == TAG
        )
        lots = abs(position.lots) - under_way
        if lots <= 0 or is_dust(instrument, lots, execution.portfolio.marks.get(instrument.id)):
            continue
        order = Order(
            execution.ids.next("k"),
            strategy_id,
            instrument,
            Side.SELL if position.lots > 0 else Side.BUY,
            OrderType.MARKET,
            lots,
            execution.clock.now,
            reduce_only=not instrument.is_spot,
            tag=TAG,
        )
        execution.orders[order.order_id] = order
        execution.send(order)


def is_flat(engine: Engine) -> bool:
    """Tell whether nothing is held that the venue would take back, and nothing works."""
    marks = engine.portfolio.marks
    held = any(
        position.lots and not is_dust(position.instrument, position.lots, marks.get(position.instrument.id))
        for position in engine.portfolio.positions.values()
    )
    return not held and not any(engine.execution.working_orders())


def held_in_words(engine: Engine) -> list[str]:
    """Say what is left of positions and orders, and why the venue refused to close it."""
    marks = engine.portfolio.marks
    found = [
        f"{position.qty:f} {name} of {strategy_id}{refusal_in_words(engine, name)}"
        for (strategy_id, name), position in engine.portfolio.positions.items()
        if position.lots and not is_dust(position.instrument, position.lots, marks.get(name))
    ]
    return found + [f"order {order.order_id} may still work" for order in engine.execution.working_orders()]


def refusal_in_words(engine: Engine, instrument_id: str) -> str:
    """Say why the last order that should close an instrument was refused, nothing where none was."""
    for order in reversed(engine.execution.orders.values()):
        if order.tag == TAG and order.instrument_id == instrument_id:
            return f": the venue refuses to close it: {order.reason}" if _refused(order) else ""
    return ""


def _refused(order: Order) -> bool:
    return order.status in (OrderStatus.REJECTED, OrderStatus.EXPIRED) and not order.cum_lots


def is_dust(instrument: Instrument, lots: int, px: float | None) -> bool:
    """Tell whether a spot holding is too little to be sold: below the venue's least quantity or least value at ``px``.

    Perpetuals have no dust: venues take any quantity that reduces a position.
    """
    px = math.nan if px is None else px
    return instrument.is_spot and lots != 0 and too_small(instrument, abs(lots), px)


def dust_in_words(instrument: Instrument, lots: int) -> str:
    """Say what stays because it cannot be sold."""
    qty, least = instrument.lot * abs(lots), instrument.min_notional
    return (
        f"{qty:f} {instrument.base} stay: too little to be sold "
        f"(the venue takes {instrument.qty_text(instrument.min_lots)} and {least:f} {instrument.settle} at least)"
    )


def dust_of(engine: Engine) -> list[str]:
    """Say of each holding that counts as flat although it is not zero what stays."""
    marks = engine.portfolio.marks
    return [
        dust_in_words(position.instrument, position.lots)
        for position in engine.portfolio.positions.values()
        if is_dust(position.instrument, position.lots, marks.get(position.instrument.id))
    ]
