"""What a strategy is told of its own orders, fills and stops, and by which handler."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lanner.execution.stops import StopEvent
from lanner.model.orders import OrderView
from lanner.model.reports import Fill

if TYPE_CHECKING:
    from lanner.engine.desk import Desk


def listener(desk: Desk, news: OrderView | Fill | StopEvent) -> Callable[[Any], None] | None:
    """Return the handler that takes a piece of news, None when nobody wants it."""
    if isinstance(news, OrderView):
        return desk.strategy.on_order
    if isinstance(news, Fill):
        return desk.strategy.on_fill
    return desk.stops.callback
