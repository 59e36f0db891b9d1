"""Orders and positions as plain data, for status views and answers."""

from __future__ import annotations

from typing import Any

from lanner.model.orders import Order
from lanner.portfolio.positions import Position


def order_row(order: Order) -> dict[str, Any]:
    """Return an order in words and numbers; prices and quantities are text, exact."""
    return {
        "order_id": order.order_id,
        "strategy": order.strategy_id,
        "instrument": order.instrument_id,
        "side": order.side.name,
        "type": order.type.name,
        "qty": f"{order.qty:f}",
        "px": None if order.px is None else f"{order.px:f}",
        "stop_px": None if order.stop_px is None else f"{order.stop_px:f}",
        "cum_qty": f"{order.cum_qty:f}",
        "avg_px": None if order.avg_px is None else f"{order.avg_px:f}",
        "status": order.status.name,
        "reason": order.reason,
        "venue_order_id": order.venue_order_id,
        "tag": order.tag or order.intent,
        "ts_init": order.ts_init,
        "ts_last": order.ts_last,
    }


def position_row(key: tuple[str, str], position: Position, mark: float) -> dict[str, Any]:
    """Return a position with what it has made; ``pnl`` and ``unrealized`` are in its settle currency."""
    instrument = position.instrument
    unrealized = 0.0
    if position.lots and mark == mark:
        held = position.lots * instrument.lot_float * float(instrument.multiplier) * mark
        unrealized = held - float(position.money(position.cost))
    return {
        "strategy": key[0],
        "instrument": key[1],
        "qty": f"{position.qty:f}",
        "avg_px": None if position.avg_px is None else float(position.avg_px),
        "mark_px": mark,
        "unrealized": unrealized,
        "realized": float(position.money(position.realised)),
        "fees": float(position.fees),
        "funding": float(position.funding),
        "pnl": position.pnl_float(mark) if mark == mark else None,
    }
