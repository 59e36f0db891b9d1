"""The two steps of the kill switch inside the engine: take everything back, then close what is held.

They ask no guard and no limit: that is their purpose. Between them whoever calls makes sure at the venue that nothing
works any more, because an order that still fills while its position is being closed would open a new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanner.execution.engine import ExecutionEngine
from lanner.model.commands import Command
from lanner.model.enums import OrderType, Side
from lanner.model.orders import Order
from lanner.risk.gate import TradingState

if TYPE_CHECKING:
    from lanner.engine.engine import Engine

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
        if lots <= 0:
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
    """Tell whether nothing is held and nothing works."""
    held = any(position.lots for position in engine.portfolio.positions.values())
    return not held and not any(order.is_open for order in engine.execution.orders.values())
