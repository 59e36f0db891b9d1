"""Orders that wait here for another order (one triggers the other).

Everything that decides about them stands in the orders themselves: ``parent_id`` names the order that they wait
for, ``parent_lots`` how they are sized by it, and the status HELD that they wait. The table below only finds
them faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lanner.execution.lifecycle import move
from lanner.model.enums import OrderStatus
from lanner.model.orders import Order

if TYPE_CHECKING:
    from lanner.execution.engine import ExecutionEngine


class HeldOrders:
    """The orders that have not left because another order has not filled yet."""

    def __init__(self, engine: ExecutionEngine) -> None:
        self.engine = engine
        self._children: dict[str, list[Order]] = {}

    def __bool__(self) -> bool:
        return bool(self._children)

    def __iter__(self) -> Iterator[Order]:
        return (order for children in list(self._children.values()) for order in list(children))

    def hold(self, order: Order, parent: Order) -> None:
        """Hold an order back until its parent fills; one whose parent has filled leaves at once."""
        move(order, OrderStatus.HELD, self.engine.clock.now)
        self._children.setdefault(parent.order_id, []).append(order)
        self.engine.tell(order)
        self.after_news(parent)

    def after_news(self, parent: Order) -> None:
        """Send, or give up, the orders that waited for what a parent's last report says.

        An unsized order leaves with its parent's first fill, a sized one when the parent can fill no more.
        """
        children = self._children.get(parent.order_id)
        if children is None or not (parent.cum_lots or parent.is_final):
            return
        ready = [order for order in children if parent.is_final or not order.parent_lots]
        waiting = [order for order in children if order not in ready]
        if waiting:
            self._children[parent.order_id] = waiting
        else:
            del self._children[parent.order_id]
        for order in ready:
            if parent.cum_lots:
                self._release(order, parent)
            else:
                self._end(order, f"its parent {parent.order_id} ended without a fill")

    def cancel(self, order: Order) -> None:
        """End an order that has not left, and those that wait for it."""
        children = self._children.get(order.parent_id, [])
        if order in children:
            children.remove(order)
            if not children:
                del self._children[order.parent_id]
        self._end(order, "canceled before it was sent")

    def _release(self, order: Order, parent: Order) -> None:
        if order.parent_lots:
            lots = order.lots * parent.cum_lots // order.parent_lots
            if lots == 0:
                self._end(order, f"the filled part of {parent.order_id} is worth less than one lot of it")
                return
            order.lots = lots
        self.engine.let_go(order)

    def _end(self, order: Order, reason: str) -> None:
        order.reason = reason
        move(order, OrderStatus.CANCELED, self.engine.clock.now)
        self.engine.tell(order)
        self.after_news(order)
        self.engine.retention.ended(order)
