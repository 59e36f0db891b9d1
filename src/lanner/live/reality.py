"""The real venues of a session: commands out, reports in, doubts asked about, everything compared now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from lanner.core.errors import LannerError
from lanner.live.accounts import ask_account, ask_fills, check_rights
from lanner.live.reconcile import compare_positions, settle_order
from lanner.live.warming import Warming
from lanner.model.accounts import AccountState, BalancesReport, PositionsReport, VenueFill, VenueOrder
from lanner.model.commands import Batch, Command
from lanner.model.enums import OrderStatus
from lanner.model.orders import Order
from lanner.model.reports import OrderUnanswered, Report
from lanner.net.status import LinkStatus
from lanner.net.wallclock import wall_ns
from lanner.risk.gate import TradingState
from lanner.venues.codec import Inbound
from lanner.venues.errors import ErrorKind, Reason, VenueError
from lanner.venues.registry import product_of
from lanner.venues.trade_gateway import TradeGateway

if TYPE_CHECKING:
    from lanner.live.build import Plan
    from lanner.live.heart import Heart
    from lanner.venues.link import Link

_UNDER_WAY = (OrderStatus.SUBMITTED, OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_AMEND)
FILLS_OVERLAP_NS = 60_000_000_000
"""Fills are asked for from a minute before the last one seen: a venue's history may lag behind its stream."""

_Mark = tuple[OrderStatus, int, int, int | None, int]


def _mark(order: Order) -> _Mark:
    """Return what changes whenever there is news of an order."""
    asked = 0 if order.requests is None else order.requests.last
    return order.status, order.cum_lots, order.lots, order.px_ticks, asked


class RealVenues:
    """The gateways of a session's products, and everything that keeps our state equal to the venues'.

    ``on_report`` feeds a report to the engine. ``foreign`` collects what the venue has that is not ours.
    """

    def __init__(
        self,
        plan: Plan,
        heart: Heart,
        links: Mapping[str, Link],
        *,
        on_report: Callable[[Report], None],
        spawn: Callable[[Any], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self.plan = plan
        self.foreign: dict[str, VenueOrder] = {}
        self.accounts: dict[str, AccountState] = {}
        self.reconciled_ns = 0
        self.differences: list[str] = []
        self.sync_failed = ""
        """Why the comparison at the start did not succeed; the strategies wait until one does."""
        self._heart = heart
        self._engine = heart.engine
        self._links = links
        self._report = on_report
        self._spawn = spawn
        self._fail = fail
        self._gateways: dict[str, TradeGateway] = {}
        self._products = {name: product_of(name) for name in plan.instruments}
        self._whole: dict[str, bool] = {}
        self._lock = asyncio.Lock()
        self._fills_from: dict[str, int] = {}

    # -- life ----------------------------------------------------------------------------------------------

    async def start(self, *, recovering: bool) -> None:
        """Refuse keys that may withdraw, connect, compare everything, and keep watch."""
        for product, link in self._links.items():
            await check_rights(link)
            link.codec.remember(self._engine.execution.orders)
            gateway = TradeGateway(
                link,
                on_report=self._report,
                on_account=self._account,
                on_other=self._other,
                on_status=self._status,
                on_user_stream=partial(self._user_stream, product),
            )
            self._gateways[product] = gateway
            await gateway.start()
            own = next(
                (one for name, one in self.plan.instruments.items() if product_of(name) == product), None
            )
            if self.plan.config.warm_ms is not None and own is not None:
                gateway.rehearse(own, self.plan.config.warm_ms / 1_000)
        await asyncio.gather(*(gateway.wait_connected(30.0) for gateway in self._gateways.values()))
        if recovering:
            self._doubt_the_past()
        await self.reconcile("start")
        if recovering:
            self._heart.control("recovered", max(wall_ns(), self._engine.clock.now))
        if self.plan.config.warm_ms is not None:
            self._spawn(Warming(self.plan, self.plan.config.warm_ms / 1_000).keep())
        self._spawn(self._watch())
        self._spawn(self._inquire())

    async def stop(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(gateway.stop() for gateway in self._gateways.values()))

    def status(self) -> list[LinkStatus]:
        """Return the state of each connection."""
        return [status for gateway in self._gateways.values() for status in gateway.status()]

    # -- what the session calls ----------------------------------------------------------------------------

    def data(self, message: Any) -> None:
        """Let the engine take market data and send what it decides."""
        commands = self._heart.step(message)
        if commands:
            self.send(commands, message.ts_recv)

    def send(self, commands: list[Command], now: int) -> None:
        """Send commands, each on its product's connection."""
        for command in commands:
            name = command.commands[0].instrument_id if isinstance(command, Batch) else command.instrument_id
            self._gateways[self._products[name]].send(command)

    # -- what the venue says besides reports ---------------------------------------------------------------

    def _account(self, message: BalancesReport | PositionsReport | VenueOrder) -> None:
        if isinstance(message, VenueOrder) and not message.order_id:
            if message.venue_order_id not in self.foreign:
                self._engine.bus.publish("exchange.foreign_order", message)
            self._is_foreign(message)

    def _other(self, message: Inbound) -> None:
        self._engine.bus.publish("exchange.notice", message)

    def _status(self, status: LinkStatus) -> None:
        self._engine.bus.publish("exchange.connection", status)

    def _user_stream(self, product: str, there: bool) -> None:
        """The account's stream is lost: nothing new is opened until it is back and everything has been compared."""
        before = self._whole.get(product)
        self._whole[product] = there
        if before is None:
            return
        if not there:
            self._state(TradingState.REDUCING, f"{product}: the account's stream is lost")
        else:
            self._spawn(self.reconcile("reconnected"))

    def _state(self, state: TradingState, reason: str) -> None:
        if self._engine.execution.gate.state is not TradingState.HALTED:
            now = max(wall_ns(), self._engine.clock.now)
            self.send(self._heart.control("state", now, reason, state=state.name, by="venue"), now)

    # -- comparing -----------------------------------------------------------------------------------------

    async def reconcile(self, why: str) -> list[str]:
        """Compare orders, fills and positions with the venues and mend every difference; return them in words.

        When a venue cannot be asked, what we have is kept and nothing new may be opened.
        """
        async with self._lock:
            found: list[str] = []
            try:
                for product, link in self._links.items():
                    found += await self._reconcile_one(product, link)
            except LannerError as error:
                self._state(TradingState.REDUCING, f"the venue cannot be compared with: {error.what}")
                self.differences = [*found, f"not finished: {error.message()}"]
                if why == "start":
                    self._hold(error.message())
                return self.differences
            self.reconciled_ns = wall_ns()
            self.differences = found
            if self.sync_failed:
                self._let_go()
            gate = self._engine.execution.gate
            if gate.asked_by("venue") is TradingState.REDUCING and all(
                self._whole.get(product, True) for product in self._links
            ):
                self._state(TradingState.ACTIVE, f"compared with the venue ({why})")
            self._engine.bus.publish("execution_engine.recovery_complete", found)
            return found

    def _hold(self, reason: str) -> None:
        """Keep what the journal says, let no strategy act on it, and raise an alarm."""
        self.sync_failed = reason
        now = max(wall_ns(), self._engine.clock.now)
        self.send(self._heart.control("pause", now, f"sync_failed: {reason}"), now)
        self._engine.bus.publish("execution_engine.sync_failed", reason)
        self._engine.bus.publish(
            "risk.trouble", f"the venue could not be compared with at the start: {reason}"
        )

    def _let_go(self) -> None:
        self.sync_failed = ""
        now = max(wall_ns(), self._engine.clock.now)
        self.send(self._heart.control("resume", now, "compared with the venue"), now)

    async def _reconcile_one(self, product: str, link: Link) -> list[str]:
        found: list[str] = []
        codec = link.codec
        started = wall_ns()
        doubtful = [(order, _mark(order)) for order in self._doubtful(product)]
        ended = {name for name, order in self._engine.execution.orders.items() if order.is_final}
        working = {order.venue_order_id: order for order in await link.ask(codec.open_orders())}
        told = {order.order_id: order for order in working.values() if order.order_id}
        for order, _ in doubtful:
            if order.order_id not in told:
                one = await link.ask(
                    codec.find_order(order.instrument_id, order.order_id, order.venue_order_id)
                )
                if one is not None:
                    told[order.order_id] = one
        fills = await self._fills(
            product, link
        )  # after the orders: no order may count a fill that is not among these
        for order, mark in doubtful:
            found += self._settle(order, mark, told.get(order.order_id), fills)
        for venue_order in working.values():
            if not venue_order.order_id or venue_order.order_id not in self._engine.execution.orders:
                await self._foreign(link, venue_order, found)
            elif venue_order.order_id in ended:
                await self._take_back(link, venue_order, found)
        found += await self._compare_positions(product, link, started)
        return found

    def _doubtful(self, product: str) -> list[Order]:
        return [
            order
            for order in self._engine.execution.orders.values()
            if order.is_open and product_of(order.instrument_id) == product
        ]

    def _settle(
        self, order: Order, mark: _Mark, told: VenueOrder | None, fills: list[VenueFill]
    ) -> list[str]:
        """Bring an order to what the venue said of it, unless there was news of it since it was asked about."""
        if _mark(order) != mark:
            return []
        absence_ns = int(self.plan.config.recovery.believe_absence_s * 1e9)
        reports = settle_order(order, told, fills, wall_ns(), absence_ns=absence_ns)
        for report in reports:
            self._report(report)
        return [f"{order.order_id}: {type(report).__name__}" for report in reports]

    async def _fills(self, product: str, link: Link) -> list[VenueFill]:
        """Fetch the fills since the last comparison, and feed those of orders that we thought finished."""
        start = self._fills_from.get(product) or self._first_order_ns(product)
        fills: list[VenueFill] = []
        for name in self.plan.instruments:
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

    async def _compare_positions(self, product: str, link: Link, started: int) -> list[str]:
        """Compare positions, unless something was under way meanwhile: then the next comparison will."""
        state = await ask_account(link)
        if state is None:
            return []
        self.accounts[product] = state
        own = {name: one for name, one in self.plan.instruments.items() if product_of(name) == product}
        if any(o.ts_last >= started or o.status is OrderStatus.SUBMITTED for o in self._doubtful(product)):
            return []
        ours = {
            key: position.lots for key, position in self._engine.portfolio.positions.items() if key[1] in own
        }
        now = max(wall_ns(), self._engine.clock.now)
        found = []
        for difference in compare_positions(ours, state.positions, own, self._engine.cache.marks, now):
            for report in difference.adjusted:
                self._report(report)
            found.append(
                f"{difference.instrument_id}: we had {difference.ours} lots, the venue {difference.theirs}"
            )
        return found

    def _doubt_the_past(self) -> None:
        """Expect no answer to what was under way when the session ended; perhaps it never left."""
        now = max(wall_ns(), self._engine.clock.now)
        for order in list(self._engine.execution.orders.values()):
            if order.status in _UNDER_WAY:
                reason = "the session ended before the answer came"
                self._report(OrderUnanswered(order.order_id, order.instrument_id, now, now, reason))

    # -- orders that are not ours --------------------------------------------------------------------------

    def _is_foreign(self, order: VenueOrder) -> None:
        if order.status in (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED, OrderStatus.TRIGGERED):
            self.foreign[order.venue_order_id] = order
        else:
            self.foreign.pop(order.venue_order_id, None)

    async def _foreign(self, link: Link, order: VenueOrder, found: list[str]) -> None:
        known = order.venue_order_id in self.foreign
        self._is_foreign(order)
        if order.instrument_id not in self.plan.instruments:
            return
        policy = self.plan.config.recovery.foreign_orders
        if policy == "cancel":
            await link.ask(link.codec.cancel_order(order.instrument_id, order.venue_order_id))
            self.foreign.pop(order.venue_order_id, None)
            found.append(f"{order.venue_order_id}: a foreign order was cancelled")
        elif not known:
            found.append(f"{order.venue_order_id}: an order that is not ours works on {order.instrument_id}")

    async def _take_back(self, link: Link, order: VenueOrder, found: list[str]) -> None:
        """Cancel an order of ours that works although it had ended: nobody counts it, nobody would cancel it.

        A change that was on its way when its order ended can do that at a venue that places an order anew for a change.
        """
        found.append(f"{order.order_id}: it works although it had ended, and was taken back")
        try:
            await link.ask(link.codec.cancel_order(order.instrument_id, order.venue_order_id))
        except VenueError as error:
            if error.reason != Reason.UNKNOWN_ORDER:
                raise

    # -- watching ------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Compare everything now and then."""
        while True:
            await asyncio.sleep(self.plan.config.recovery.reconcile_s)
            await self.reconcile("periodic")

    async def _inquire(self) -> None:
        """Ask for orders in doubt until the venue answers."""
        while True:
            await asyncio.sleep(self.plan.config.recovery.inquire_s)
            for order in list(self._engine.execution.orders.values()):
                if order.status is OrderStatus.UNKNOWN:
                    await self._ask_for(order)

    async def _ask_for(self, order: Order) -> None:
        mark = _mark(order)
        link = self._links[product_of(order.instrument_id)]
        try:
            told = await link.ask(
                link.codec.find_order(order.instrument_id, order.order_id, order.venue_order_id)
            )
            fills = await ask_fills(link, order.instrument_id, max(0, order.ts_init - FILLS_OVERLAP_NS))
        except VenueError as error:
            if error.kind is ErrorKind.AUTH:
                self._fail(error)
            return
        self._settle(order, mark, told, fills)
