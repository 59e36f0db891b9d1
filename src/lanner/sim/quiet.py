"""Where a market may move without touching any of our working orders.

Most messages of a run are far away from every order. A driver that knows how far may hand them straight to the
engine and show the venue only those that matter; the result is the same, and a test compares the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lanner.core.clock import NEVER
from lanner.model.enums import OrderType, TimeInForce

if TYPE_CHECKING:
    from lanner.sim.orders import SimOrder
    from lanner.sim.venue import InstrumentBook

_TAKES = (OrderType.TAKE_PROFIT_MARKET, OrderType.TAKE_PROFIT_LIMIT)
_FAR = 1 << 62
_MARGIN = 0.75
"""Of a tick: prices are rounded to ticks, so one that is closer than half a tick may count as the tick itself."""


@dataclass(slots=True, frozen=True)
class Zone:
    """Prices strictly between ``low`` and ``high`` leave every working order alone until ``until`` (UNIX ns)."""

    low: float
    high: float
    until: int


OPEN = Zone(-math.inf, math.inf, NEVER)
"""No order works: nothing can be touched."""


def quiet_zone(book: InstrumentBook) -> Zone | None:
    """Return the zone around the present price, or None while an order still has to meet the market."""
    if book.taken_bid or book.taken_ask:
        return None  # liquidity that we took comes back when the quote changes: every quote must be seen
    low, high, until = 0, _FAR, NEVER
    for order in book.orders.values():
        if order.expire_ts is not None:
            until = min(until, order.expire_ts)
        bounds = _bounds(order)
        if bounds is None:
            return None
        low, high = max(low, bounds[0]), min(high, bounds[1])
    tick = book.instrument.tick_float
    return Zone(
        (low + _MARGIN) * tick if low else -math.inf,
        (high - _MARGIN) * tick if high != _FAR else math.inf,
        until,
    )


def _bounds(order: SimOrder) -> tuple[int, int] | None:
    """Return the ticks at which an order begins to care, below and above; None when it cares at any price."""
    buys = order.side > 0
    if order.kind is OrderType.TRAILING_STOP:
        level, anchor = order.trailing_stop_ticks, order.anchor
        if level is None or anchor is None:
            return None
        return (anchor, level) if buys else (level, anchor)
    if order.waits_for_trigger:
        level = order.stop_ticks
        below = buys if order.kind in _TAKES else not buys
    else:
        rests = order.resting and order.tif not in (TimeInForce.IOC, TimeInForce.FOK)
        level = order.px_ticks if rests and order.kind is OrderType.LIMIT else None
        below = buys
    if level is None:
        return None
    return (level, _FAR) if below else (0, level)
