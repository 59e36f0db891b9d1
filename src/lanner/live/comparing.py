"""``Comparison`` brings orders, fills and positions to what the venues say of them, one product at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from lanner.live.accounts import ask_fills
from lanner.live.netting import SECOND_LOOK_S, Netting
from lanner.live.others import FILLS_OVERLAP_NS, OtherOrders, take_back
from lanner.live.reconcile import settle_order
from lanner.model.accounts import AccountState, VenueFill, VenueOrder
from lanner.model.enums import OrderStatus
from lanner.model.orders import Order
from lanner.model.reports import OrderUnanswered, Report
from lanner.net.wallclock import wall_ns
from lanner.venues.registry import product_of

if TYPE_CHECKING:
    from lanner.live.build import Plan
    from lanner.live.heart import Heart
    from lanner.venues.link import Link

_ARRIVED = frozenset({OrderStatus.UNKNOWN, OrderStatus.PENDING_CANCEL})
"""States of an order whose way to the venue is over: nobody answered it, or it was asked back after it."""
_UNDER_WAY = (OrderStatus.SUBMITTED, OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_AMEND)

_Mark = tuple[OrderStatus, int, int, int | None, int]


def _mark(order: Order) -> _Mark:
    """Return what changes whenever there is news of an order."""
    asked = 0 if order.requests is None else order.requests.last
    return order.status, order.cum_lots, order.lots, order.px_ticks, asked


class Comparison:
    """Compare one session with its venues; every difference becomes a report (``on_report``).

    A venue that cannot be asked raises ``VenueError``; what was found until then stands.
    """

    def __init__(
        self,
        plan: Plan,
        heart: Heart,
        links: Mapping[str, Link],
        others: OtherOrders,
        on_report: Callable[[Report], None],
    ) -> None:
        self._instruments = plan.instruments
        self._absence_ns = int(plan.config.recovery.believe_absence_s * 1e9)
        self._engine = heart.engine
        self._links = links
        self._others = others
        self._report = on_report
        self._netting = Netting(plan.instruments, heart.engine, self._fills, self._recount, on_report)
        self._fills_from: dict[str, int] = {}
        self._unheard_of: dict[str, int] = {}

    @property
    def accounts(self) -> dict[str, AccountState]:
        """Return what each product's venue said of the account last."""
        return self._netting.accounts

    # -- everything of a product ---------------------------------------------------------------------------

    async def compare(self, product: str) -> list[str]:
        """Mend what differs, and return it in words."""
        found: list[str] = []
        link = self._links[product]
        codec = link.codec
        doubtful = [(order, _mark(order)) for order in self._working(product)]
        began, open_then = self._engine.clock.now, {order.order_id for order, _ in doubtful}
        working = {order.venue_order_id: order for order in await link.ask(codec.open_orders())}
        told = {order.order_id: order for order in working.values() if order.order_id}
        for order, _ in doubtful:
            if order.order_id not in told:
                one = await self._find(link, order)
                if one is not None:
                    told[order.order_id] = one
        # after the orders: no order may count a fill that is not among these
        fills = await self._fills(product, link)
        for order, mark in doubtful:
            found += self._settle(order, mark, told.get(order.order_id), fills)
        for venue_order in working.values():
            if not self._is_ours(venue_order.order_id):
                await self._others.meet(link, venue_order, found)
            elif self._had_ended(venue_order.order_id, open_then, began):
                await take_back(link, venue_order, found)
        found += await self._netting.compare(product, link)
        return found

    def done(self) -> None:
        """Forget what was doubted, now that everything has been compared."""
        if self._unheard_of:
            working = {order.order_id for order in self._engine.execution.working_orders()}
            self._unheard_of = {name: ts for name, ts in self._unheard_of.items() if name in working}

    def _working(self, product: str) -> list[Order]:
        working = self._engine.execution.working_orders()
        return [order for order in working if product_of(order.instrument_id) == product]

    def _had_ended(self, order_id: str, open_then: set[str], began: int) -> bool:
        """Tell whether an order had ended for us when the comparison began."""
        order = self._engine.execution.orders.get(order_id)
        return order is None or (order.is_final and order_id not in open_then and order.ts_init <= began)

    def _is_ours(self, order_id: str) -> bool:
        execution = self._engine.execution
        return order_id in execution.orders or execution.retention.has_forgotten(order_id)

    # -- single orders -------------------------------------------------------------------------------------

    async def ask_for(self, order: Order) -> None:
        """Ask for an order in doubt."""
        mark = _mark(order)
        link = self._links[product_of(order.instrument_id)]
        told = await self._find(link, order)
        fills = await ask_fills(link, order.instrument_id, max(0, order.ts_init - FILLS_OVERLAP_NS))
        self._settle(order, mark, told, fills)

    def doubt_the_past(self) -> None:
        """Expect no answer to what was under way when the session ended; perhaps it never left."""
        now = max(wall_ns(), self._engine.clock.now)
        for order in list(self._engine.execution.working_orders()):
            if order.status in _UNDER_WAY:
                reason = "the session ended before the answer came"
                self._report(OrderUnanswered(order.order_id, order.instrument_id, now, now, reason))

    async def _recount(self, order: Order) -> bool:
        """Bring an order, which may have ended, to what its venue counts as filled; tell whether more is to come."""
        mark = _mark(order)
        told = await self._find(self._links[product_of(order.instrument_id)], order)
        if told is None or told.cum_lots <= order.cum_lots:
            return False
        self._settle(order, mark, told, [], lag_ns=int(SECOND_LOOK_S * 1e9))
        return told.cum_lots > order.cum_lots

    @staticmethod
    async def _find(link: Link, order: Order) -> VenueOrder | None:
        return await link.ask(
            link.codec.find_order(order.instrument_id, order.order_id, order.venue_order_id)
        )

    def _settle(
        self, order: Order, mark: _Mark, told: VenueOrder | None, fills: list[VenueFill], **more: int
    ) -> list[str]:
        """Bring an order to what the venue said of it, unless there was news of it since it was asked about."""
        if _mark(order) != mark:
            return []
        now = wall_ns()
        reports = settle_order(
            order,
            told,
            fills,
            now,
            absence_ns=self._absence_ns,
            missing_ns=self._missing_for(order, told, now),
            mark_px=self._engine.cache.marks.get(order.instrument_id, float("nan")),
            **more,
        )
        for report in reports:
            self._report(report)
        return [f"{order.order_id}: {type(report).__name__}" for report in reports]

    def _missing_for(self, order: Order, told: VenueOrder | None, now: int) -> int:
        """Return for how long the venue has said that it does not know an order that must have arrived by then."""
        if told is not None or order.status not in _ARRIVED:
            self._unheard_of.pop(order.order_id, None)
            return 0
        return now - self._unheard_of.setdefault(order.order_id, now)

    # -- fills ---------------------------------------------------------------------------------------------

    async def _fills(self, product: str, link: Link) -> list[VenueFill]:
        """Fetch the fills since the last comparison, and feed those of orders that we thought finished."""
        start = self._fills_from.get(product) or self._first_order_ns(product)
        fills: list[VenueFill] = []
        for name in self._instruments:
            if product_of(name) == product:
                fills += await ask_fills(link, name, start)
        newest = max([start, *(fill.report.ts_event for fill in fills)])
        self._fills_from[product] = max(0, newest - FILLS_OVERLAP_NS)
        self._late(fills)
        return fills

    def _late(self, fills: list[VenueFill]) -> None:
        """Feed fills of orders that we thought finished; after a restart they are known by the venue's number only."""
        orders = self._engine.execution.orders
        numbered: dict[tuple[str, str], Order] = {}
        if any(not fill.report.order_id for fill in fills):
            numbered = {(o.instrument_id, o.venue_order_id): o for o in orders.values() if o.venue_order_id}
        for fill in fills:
            report = fill.report
            order = orders.get(report.order_id) or numbered.get((report.instrument_id, fill.venue_order_id))
            if order is not None and order.is_final and report.trade_id not in order.trade_ids:
                self._report(msgspec.structs.replace(report, order_id=order.order_id))

    def _first_order_ns(self, product: str) -> int:
        times = [
            order.ts_init
            for order in self._engine.execution.orders.values()
            if product_of(order.instrument_id) == product
        ]
        return max(0, min(times, default=wall_ns()) - FILLS_OVERLAP_NS)
