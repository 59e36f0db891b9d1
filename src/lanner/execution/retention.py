"""Which ended orders a long session forgets, and when. Its journal and its ledger keep everything.

An order may go when there are more ended ones than are to be kept, when it ended long enough ago, and when nothing
here refers to it any more. Where a venue may still tell of an order's fills, it must also have been compared with
since: what has happened while nobody heard of it is told then. So time in which a session was down, or deaf, does not
count.

All of that follows from the engine's inputs, so a replay forgets the same orders at the same moments. Reports about an
order that was forgotten are ignored: no fill is counted twice. What was counted of orders stays, see ``Totals``.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from lanner.execution.exits import AGAIN, ROI_OWNER
from lanner.portfolio.totals import Totals

if TYPE_CHECKING:
    from lanner.execution.engine import ExecutionEngine
    from lanner.model.orders import Order, OrderView

LOOKS = 4
"""How many orders may go with each that ends: more than one, so that a crowd of them dwindles."""
LOOKS_COMPARED = 500
"""How many may go after a comparison with the venue: about a millisecond of work."""
LEAST_FILLS = 1_000
"""So many of the newest fills are kept at least: those who listen have read them by then."""
FILLS_AT_ONCE = 64


class Retention:
    """Keep all orders of one execution engine, or, after ``limit``, no more than needed."""

    def __init__(self, engine: ExecutionEngine) -> None:
        self.engine = engine
        self.most = 0
        self.min_age_ns = 0
        self.forgotten = 0
        self.totals = Totals()
        self._compares = False
        self._compared_ns = 0
        self._ended: deque[tuple[int, Order]] = deque()
        self._adopted: set[str] = set()

    def limit(self, most: int, min_age_ns: int, *, compares: bool) -> None:
        """Keep the newest ``most`` ended orders (0: all), and those that ended within ``min_age_ns``, from now on.

        ``compares``: the orders work at a real venue, so none is forgotten before a comparison (``compared``).
        """
        if most and not self.most:
            ended = [order for order in self.engine.orders.values() if order.is_final]
            self._ended = deque((self.engine.clock.now, order) for order in ended)
        self.most, self.min_age_ns, self._compares = most, min_age_ns, compares

    @property
    def order_count(self) -> int:
        """Return how many orders there were, forgotten ones among them."""
        return len(self.engine.orders) + self.forgotten

    @property
    def fill_count(self) -> int:
        """Return how many fills there were, forgotten ones among them."""
        return len(self.engine.fills) + self.totals.fills

    @property
    def wants_comparison(self) -> bool:
        """Tell whether orders wait for the word that the venue has been compared with."""
        return self._compares and len(self._ended) > self.most

    def ended(self, order: Order) -> None:
        """Note that an order has ended, and forget older ones."""
        if self.most:
            self._ended.append((self.engine.clock.now, order))
            if len(self._ended) > self.most:
                self._forget_some(LOOKS)

    def compared(self, since: int) -> None:
        """Note that the venue was asked for all its news at this time, and that they are known here now."""
        self._compared_ns = max(self._compared_ns, since)
        self._forget_some(LOOKS_COMPARED)

    def booked(self) -> None:
        """Forget the oldest fills; called when another one was booked."""
        fills = self.engine.fills
        gone = self.beyond(len(fills))
        if gone:
            self.totals.take_fills(fills[:gone])
            del fills[:gone]

    def beyond(self, count: int) -> int:
        """Return how many of the oldest of so many fills, or other news, are to be forgotten now."""
        return FILLS_AT_ONCE if self.most and count >= max(self.most, LEAST_FILLS) + FILLS_AT_ONCE else 0

    def has_forgotten(self, order: OrderView | str) -> bool:
        """Tell whether there was such an order that is forgotten now."""
        order_id = order if isinstance(order, str) else order.order_id
        if not self.forgotten or order_id in self.engine.orders:
            return False
        return self.engine.ids.has_made(order_id) or order_id in self._adopted

    # -- forgetting ----------------------------------------------------------------------------------------

    def _forget_some(self, looks: int) -> None:
        now, ended = self.engine.clock.now, self._ended
        until = (min(now, self._compared_ns) if self._compares else now) - self.min_age_ns
        for _ in range(looks):
            if len(ended) <= self.most or ended[0][0] > until:
                return
            _, order = ended.popleft()
            if order.ts_last > until or self._is_needed(order):
                ended.append((now, order))  # looked at again after all the others
            else:
                self._forget(order)

    def _is_needed(self, order: Order) -> bool:
        """Tell whether something here still refers to an order that has ended."""
        engine, order_id = self.engine, order.order_id
        if order.concluded is not None and order.concluded.until >= engine.clock.now:
            return True  # the venue's own word on its fills is still to come
        return (
            engine.guards.cover.needs(order)
            or engine.stops.needs(order)
            or engine.clock.has_timer(ROI_OWNER, f"{AGAIN}{order_id}")
            or any(not sibling.is_final for sibling in engine._joined.get(order.group_id, ()))
        )

    def _forget(self, order: Order) -> None:
        engine, order_id = self.engine, order.order_id
        del engine.orders[order_id]
        engine.guards.drop(order)  # what it would have protected after a late fill
        engine._joined.pop(order.group_id, None)
        if not engine.ids.has_made(order_id):
            self._adopted.add(order_id)
        self.forgotten += 1
        self.totals.take_order(order)
