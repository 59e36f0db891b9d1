"""``OtherOrders`` knows what works at the venues that is not ours, and does what the settings say about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lanner.live.accounts import ask_fills
from lanner.live.foreign import adoption
from lanner.model.accounts import VenueOrder
from lanner.model.commands import Command
from lanner.model.enums import OrderStatus
from lanner.net.wallclock import wall_ns
from lanner.venues.errors import Reason, VenueError

if TYPE_CHECKING:
    from lanner.live.build import Plan
    from lanner.live.heart import Heart
    from lanner.venues.link import Link

FILLS_OVERLAP_NS = 60_000_000_000
"""Fills are asked for from a minute before the first that can matter: a venue's history may lag behind its stream."""
_WORKING = (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED, OrderStatus.TRIGGERED)


class OtherOrders:
    """Orders of other programs on the account; ``orders`` has those that work, by the venue's number.

    ``send`` carries away what the engine decides when it takes one over.
    """

    def __init__(self, plan: Plan, heart: Heart, send: Callable[[list[Command], int], None]) -> None:
        self.orders: dict[str, VenueOrder] = {}
        self._instruments = plan.instruments
        self._policy = plan.config.recovery.foreign_orders
        self._heart = heart
        self._engine = heart.engine
        self._send = send

    @property
    def matter(self) -> bool:
        """Tell whether anything is to be done about them."""
        return self._policy != "ignore"

    def note(self, order: VenueOrder) -> bool:
        """Take news of one; tell whether it works and was not known."""
        is_new = order.venue_order_id not in self.orders
        if order.status in _WORKING:
            self.orders[order.venue_order_id] = order
            return is_new
        self.orders.pop(order.venue_order_id, None)
        return False

    async def meet(self, link: Link, order: VenueOrder, found: list[str]) -> None:
        """Do what is to be done about one that works, and say so in ``found``."""
        is_new = order.venue_order_id not in self.orders
        self.note(order)
        if order.instrument_id not in self._instruments:
            return
        name = order.venue_order_id
        if self._policy == "cancel":
            await cancel(link, order)
            self.orders.pop(name, None)
            found.append(f"{name}: a foreign order was cancelled")
        elif self._policy == "adopt" and await self._adopt(link, order):
            self.orders.pop(name, None)
            found.append(f"{name}: a foreign order on {order.instrument_id} was adopted")
        elif is_new:
            found.append(f"{name}: an order that is not ours works on {order.instrument_id}")

    async def _adopt(self, link: Link, order: VenueOrder) -> bool:
        """Make an order of another program ours; not yet when its fills are not all told, or it moved meanwhile."""
        since = max(0, order.ts_init - FILLS_OVERLAP_NS)
        fills = [
            fill
            for fill in await ask_fills(link, order.instrument_id, since)
            if fill.venue_order_id == order.venue_order_id
        ]
        if sum(fill.report.lots for fill in fills) != order.cum_lots:
            return False
        order_id = order.order_id or link.codec.adopt(order)
        now = max(wall_ns(), self._engine.clock.now)
        record = adoption(self._engine, order_id, order, fills)
        self._send(self._heart.control("adopt", now, **record), now)
        await link.ask(
            link.codec.find_order(order.instrument_id, order_id, order.venue_order_id)
        )  # the codec learns its terms
        return True


async def take_back(link: Link, order: VenueOrder, found: list[str]) -> None:
    """Cancel an order of ours that works although it had ended: nobody counts it, nobody would cancel it.

    A change that was on its way when its order ended can do that at a venue that places an order anew for a change.
    """
    found.append(f"{order.order_id}: it works although it had ended, and was taken back")
    await cancel(link, order)


async def cancel(link: Link, order: VenueOrder) -> None:
    """Cancel an order of the venue's; one that has just ended is gone, too."""
    try:
        await link.ask(link.codec.cancel_order(order.instrument_id, order.venue_order_id))
    except VenueError as error:
        if error.reason != Reason.UNKNOWN_ORDER:
            raise
