"""Pre-trade checks: the house's own veto, before the venue sees an order.

What reduces a position is never refused as new exposure.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from lanner.model.enums import OrderType, Side
from lanner.model.orders import Order
from lanner.portfolio.positions import Position


@dataclass(slots=True, frozen=True)
class RiskLimits:
    """Limits in the settle currency of the instrument; None means no limit."""

    max_order_notional: Decimal | None = None
    max_position_notional: Decimal | None = None
    max_open_orders: int = 200
    max_intents_per_step: int = 100


def check_order(
    order: Order, position: Position, mark: float, open_orders: int, limits: RiskLimits
) -> str | None:
    """Return why an order must not leave, or None.

    A market order is valued at the last price; without any price it is denied, because a limit that cannot
    be computed must not let anything pass.
    """
    held = position.lots
    signed = order.lots * order.side
    reduces = held * order.side < 0 and order.lots <= abs(held)
    if open_orders >= limits.max_open_orders and not (reduces or order.reduce_only):
        return f"too many open orders ({open_orders}, limit {limits.max_open_orders})"
    if limits.max_order_notional is None and limits.max_position_notional is None:
        return None
    if reduces or order.reduce_only:
        return None
    instrument = order.instrument
    market = Decimal(repr(mark)) if mark == mark else None
    px = order.px or order.stop_px or market
    if order.type is OrderType.LIMIT and order.side is Side.SELL and px is not None and market is not None:
        px = max(px, market)  # a sale below the market fills at the market
    if px is None:
        return "no price is known yet, so the order's value cannot be checked"
    value = order.qty * instrument.multiplier * px
    if limits.max_order_notional is not None and value > limits.max_order_notional:
        return f"order value {value:f} above the limit of {limits.max_order_notional:f}"
    after = instrument.qty(abs(held + signed)) * instrument.multiplier * px
    if limits.max_position_notional is not None and after > limits.max_position_notional:
        return f"position value {after:f} after the order above the limit of {limits.max_position_notional:f}"
    return None
