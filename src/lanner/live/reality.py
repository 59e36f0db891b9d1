"""The real venues of a session: commands out, reports in, doubts asked about, everything compared now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from lanner.core.errors import LannerError
from lanner.live.accounts import check_rights
from lanner.live.comparing import Comparison
from lanner.live.foreign import refuse_positions
from lanner.live.heart import JournalFault
from lanner.live.leverage import set_leverage
from lanner.live.others import OtherOrders
from lanner.live.warming import Warming
from lanner.model.accounts import AccountState, BalancesReport, PositionsReport, VenueOrder
from lanner.model.commands import Batch, Command
from lanner.model.enums import OrderStatus
from lanner.model.orders import Order
from lanner.model.reports import CancelRejected, Report
from lanner.net.status import LinkStatus
from lanner.net.wallclock import wall_ns
from lanner.risk.gate import TradingState
from lanner.venues.codec import Inbound
from lanner.venues.errors import ErrorKind, VenueError
from lanner.venues.registry import product_of
from lanner.venues.rehearsal import Rehearsal, keep_warm
from lanner.venues.trade_gateway import TradeGateway

if TYPE_CHECKING:
    from lanner.live.build import Plan
    from lanner.live.heart import Heart
    from lanner.venues.link import Link

BUSY_WARM_MS = 0.1
"""How often the way of an order is kept warm by a session that never sleeps."""


class RealVenues:
    """The gateways of a session's products, and everything that keeps our state equal to the venues'.

    ``on_report`` feeds a report to the engine.
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
        self.reconciled_ns = 0
        """When the last comparison that came to its end began: it says nothing about what moved since then."""
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
        self._others = OtherOrders(plan, heart, self.send)
        self._comparison = Comparison(plan, heart, links, self._others, on_report)
        self._missing: dict[str, Order] = {}
        self._wake = asyncio.Event()
        self._early: list[Command] | None = []
        """What the strategies wanted before there was a connection; None from then on."""

    @property
    def accounts(self) -> dict[str, AccountState]:
        """Return what each product's venue said of the account last."""
        return self._comparison.accounts

    @property
    def foreign(self) -> dict[str, VenueOrder]:
        """Return the working orders that are not ours, by the venue's number."""
        return self._others.orders

    # -- life ----------------------------------------------------------------------------------------------

    async def start(self, *, recovering: bool) -> None:
        """Refuse keys that may withdraw, connect, compare everything, and keep watch."""
        for product, link in self._links.items():
            await check_rights(link)
            link.codec.remember(self._engine.execution.orders)
            link.codec.forget_when(self._engine.execution.retention.has_forgotten)
            gateway = TradeGateway(
                link,
                on_report=self._reported,
                on_account=self._account,
                on_other=self._other,
                on_status=self._status,
                on_user_stream=partial(self._user_stream, product),
            )
            self._gateways[product] = gateway
            await gateway.start()
        await asyncio.gather(*(gateway.wait_connected(30.0) for gateway in self._gateways.values()))
        await set_leverage(self._links, self.plan, self._engine.bus, lenient=recovering)
        if recovering:
            self._comparison.doubt_the_past()
        elif self.plan.config.recovery.foreign_positions == "refuse":
            with suppress(
                VenueError
            ):  # then the comparison cannot succeed either, and all waits until one does
                await refuse_positions(self._links, self.plan.instruments)
        self._send_early()
        await self.reconcile("start")
        if recovering:
            self._heart.control("recovered", max(wall_ns(), self._engine.clock.now))
        else:
            self._count_money()
        config = self.plan.config
        if config.warm_ms is not None or config.busy_poll:
            every_ms = BUSY_WARM_MS if config.warm_ms is None else config.warm_ms
            self._spawn(keep_warm(self._warming(), every_ms / 1_000, busy_poll=config.busy_poll))
        self._spawn(self._watch())
        self._spawn(self._inquire())

    def _count_money(self) -> None:
        """Warn where the strategies are told to trade with more money than there is."""
        currency, cash = self.plan.currency, self.plan.config.cash
        states = self.accounts.values()
        equity = [state.equity for state in states if state.equity is not None]
        coins = [one.total for state in states for one in state.balances if one.currency == currency]
        there = max((*equity, sum(coins, Decimal(0))), default=Decimal(0))
        if states and there < cash:
            self._engine.bus.publish(
                "alert.warning",
                f"The strategies have {cash:f} {currency} to trade with (setting `cash`), the account has {there:f}",
            )

    def _warming(self) -> list[Callable[[], None]]:
        firsts = {product: name for name, product in reversed(self._products.items())}
        turns = [Warming(self.plan).turn]
        for product, name in firsts.items():
            turns.append(Rehearsal(self._links[product].codec, self.plan.instruments[name]).turn)
        return turns

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
        """Send commands, each on its product's connection; those of ``on_start`` wait until it is there."""
        if self._early is not None:
            self._early += commands
            return
        for command in commands:
            name = command.commands[0].instrument_id if isinstance(command, Batch) else command.instrument_id
            self._gateways[self._products[name]].send(command)

    def _send_early(self) -> None:
        early, self._early = self._early or [], None
        self.send(early, self._engine.clock.now)

    def _reported(self, report: Report) -> None:
        """Take a report; ask for an order of which the venue has nothing to take back, and whose end is not known."""
        self._report(report)
        if type(report) is CancelRejected:
            order = self._engine.execution.orders.get(report.order_id)
            if order is not None and order.is_open:
                self._missing[order.order_id] = order
                self._wake.set()

    # -- what the venue says besides reports ---------------------------------------------------------------

    def _account(self, message: BalancesReport | PositionsReport | VenueOrder) -> None:
        if isinstance(message, VenueOrder) and not message.order_id:
            known = message.venue_order_id in self.foreign
            works = self._others.note(message)
            if not known:
                self._engine.bus.publish("exchange.foreign_order", message)
            if works and self._others.matter:
                self._spawn(self.reconcile("an order that is not ours"))

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
            try:
                commands = self._heart.control("state", now, reason, state=state.name, by="venue")
            except JournalFault as error:  # nobody stands around the connection's callback
                self._fail(error)
            else:
                self.send(commands, now)

    # -- comparing -----------------------------------------------------------------------------------------

    async def reconcile(self, why: str) -> list[str]:
        """Compare orders, fills and positions with the venues and mend every difference; return them in words.

        When a venue cannot be asked, what we have is kept and nothing new may be opened.
        """
        async with self._lock:
            found: list[str] = []
            began, asked_ns = self._engine.clock.now, wall_ns()
            try:
                for product in self._links:
                    found += await self._comparison.compare(product)
            except LannerError as error:
                self._state(TradingState.REDUCING, f"the venue cannot be compared with: {error.what}")
                self.differences = [*found, f"not finished: {error.message()}"]
                if why == "start":
                    self._hold(error.message())
                return self.differences
            self.reconciled_ns = asked_ns
            self._compared(began)
            self.differences = found
            if "venue" in self._engine.paused_by:  # since now, or since before a restart
                self._let_go()
            gate = self._engine.execution.gate
            if gate.asked_by("venue") is TradingState.REDUCING and all(
                self._whole.get(product, True) for product in self._links
            ):
                self._state(TradingState.ACTIVE, f"compared with the venue ({why})")
            self._engine.bus.publish("execution_engine.recovery_complete", found)
            return found

    def _compared(self, since: int) -> None:
        """Forget what was doubted; let orders be forgotten that had ended by then: the venue has told all of them."""
        self._comparison.done()
        if self._engine.execution.retention.wants_comparison:
            try:
                self._heart.control("compared", max(wall_ns(), self._engine.clock.now), since=since)
            except JournalFault as error:
                self._fail(error)

    def _hold(self, reason: str) -> None:
        """Keep what the journal says, let no strategy act on it, and raise an alarm."""
        self.sync_failed = reason
        now = max(wall_ns(), self._engine.clock.now)
        self.send(self._heart.control("pause", now, f"sync_failed: {reason}", by="venue"), now)
        self._engine.bus.publish("execution_engine.sync_failed", reason)
        self._engine.bus.publish(
            "risk.trouble", f"the venue could not be compared with at the start: {reason}"
        )

    def _let_go(self) -> None:
        self.sync_failed = ""
        now = max(wall_ns(), self._engine.clock.now)
        self.send(self._heart.control("resume", now, "compared with the venue", by="venue"), now)

    # -- watching ------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Compare everything now and then."""
        while True:
            await asyncio.sleep(self.plan.config.recovery.reconcile_s)
            await self.reconcile("periodic")

    async def _inquire(self) -> None:
        """Ask for orders in doubt until the venue answers."""
        while True:
            with suppress(TimeoutError):  # wait_for would lose a cancel that comes together with the event
                async with asyncio.timeout(self.plan.config.recovery.inquire_s):
                    await self._wake.wait()
            self._wake.clear()
            missing, self._missing = self._missing, {}
            for order in list(self._engine.execution.working_orders()):
                if order.status is OrderStatus.UNKNOWN or order.order_id in missing:
                    await self._ask_for(order)

    async def _ask_for(self, order: Order) -> None:
        try:
            await self._comparison.ask_for(order)
        except VenueError as error:
            if error.kind is ErrorKind.AUTH:
                self._fail(error)
