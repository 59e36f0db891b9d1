"""Trade one product by hand: no strategy, no session; each question and each order over HTTP with one key.

An order is written into a log on disk before it leaves, and sent once. Whatever comes of the sending, the venue is
asked for it by our id until its state is known or time runs out; then it is told as UNKNOWN, never sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lanner.core.errors import ConfigError, NotFoundError
from lanner.execution.lifecycle import apply_report, move
from lanner.live.accounts import ask_fills, check_rights
from lanner.live.killswitch import KillReport, VenueSweep
from lanner.live.orderlog import OrderLog, in_words
from lanner.live.reconcile import own_fills, settle_order
from lanner.model.accounts import AccountState, VenueFill, VenueOrder
from lanner.model.enums import OrderStatus, OrderType, TimeInForce
from lanner.model.features import Support, features_of_order
from lanner.model.instruments import Instrument
from lanner.model.orders import FINAL_STATUSES, Order, command_of
from lanner.model.reports import OrderFilled, OrderUnanswered, Report
from lanner.net.wallclock import wall_ns
from lanner.venues.errors import ErrorKind, Reason, VenueError

if TYPE_CHECKING:
    from lanner.venues.link import Link

ABSENCE_NS = 10_000_000_000
"""How long after its sending an order that the venue has never heard of is still waited for."""
LOOK_S = 0.25
LOOK_AT_MOST_S = 2.0
"""How long to wait between two questions, first and in the end: questions count in the venue's limits."""
WAIT_S = 15.0
"""How long an order's state is asked for."""
GRACE_S = 2.0
"""How long a venue's list of fills may lag behind what it says of the order."""
FOLLOWED = 20
"""How many orders that were left working are asked for at most."""
_OVERLAP_NS = 60_000_000_000
_NEVER_NS = 1 << 62
_IN_DOUBT = frozenset({OrderStatus.SUBMITTED, OrderStatus.UNKNOWN})


@dataclass(slots=True)
class Cancelled:
    """What came of a cancel: the order as the venue had it before, and its state now (None: nobody knows)."""

    order: VenueOrder
    status: OrderStatus | None
    cum_lots: int
    trouble: str = ""


@dataclass(slots=True)
class Sweep:
    """What came of cancelling everything: how many orders are gone, which are left, what went wrong."""

    cancelled: int
    left: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Hand:
    """One product with one key; ``instruments`` are those that it trades.

    ``trusted`` says that the key is known not to be able to withdraw, whatever its rights.
    """

    def __init__(
        self, link: Link, instruments: Mapping[str, Instrument], log: OrderLog, *, trusted: bool = False
    ) -> None:
        self.link = link
        self.instruments = instruments
        self._log = log
        self._trusted = trusted
        self._fills: dict[str, list[OrderFilled]] = {}

    @property
    def product(self) -> str:
        """Return the product's name."""
        return self.link.codec.spec.product

    # -- seeing --------------------------------------------------------------------------------------------

    async def accounts(self) -> list[AccountState]:
        """Ask for balances and positions; some venues keep spot and margin apart."""
        return [await self.link.ask(call) for call in self.link.codec.account()]

    async def working(self, instrument_id: str | None = None) -> list[VenueOrder]:
        """Ask for working orders, oldest first."""
        orders = await self.link.ask(self.link.codec.open_orders(instrument_id))
        ours = self._ours()
        named = [
            order if order.order_id else replace(order, order_id=ours.get(order.client_id, ""))
            for order in orders
        ]
        return sorted(named, key=lambda order: (order.ts_init, order.venue_order_id))

    async def find(self, instrument_id: str, order_id: str) -> VenueOrder | None:
        """Ask for one order by our id (``cli-…``), its form at the venue, or the venue's id; None: never heard of."""
        codec = self.link.codec
        if order_id.isdigit():
            await self.working(instrument_id)  # the codec learns which orders wait for a trigger
            return await self.link.ask(codec.find_order(instrument_id, "", order_id))
        return await self.link.ask(codec.find_order(instrument_id, self._ours().get(order_id, order_id)))

    def _ours(self) -> dict[str, str]:
        """Return our ids of the orders in the log by the form that they have at the venue."""
        return {self.link.codec.client_id(name): name for name in self._log.ids.get(self.product, ())}

    # -- placing -------------------------------------------------------------------------------------------

    def check(self, order: Order) -> None:
        """Refuse what the venue cannot do, before anything is sent."""
        table = self.link.codec.spec.capabilities
        for feature in features_of_order(order):
            if table.get(feature) is Support.IMPOSSIBLE:
                raise ConfigError(
                    f"{self.product} has no {feature.replace('_', ' ')} orders", fix="See `lanner venues`."
                )

    async def trust(self) -> None:
        """Ask once what the key may do, and refuse one that may withdraw."""
        if not self._trusted:
            await check_rights(self.link)
            self._trusted = True

    async def place(self, order: Order, wait_s: float = WAIT_S) -> Order:
        """Send an order once and follow it until its state is known; UNKNOWN when it cannot be had.

        Orders that end at once (market, IOC, FOK) are followed to their end.
        """
        self.check(order)
        await self.trust()
        if order.type is OrderType.MARKET:
            await self.link.ask(
                self.link.codec.quote(order.instrument_id)
            )  # some venues limit it by the middle
        calls = self.link.codec.order(command_of(order))
        move(order, OrderStatus.SUBMITTED, wall_ns())
        self._log.write("sent", order, self.product)
        for call in calls:
            for report in await self.link.send_order(call):
                self._apply(order, report)
        await self._follow(order, wait_s)
        if order.status is OrderStatus.SUBMITTED:
            now = wall_ns()
            self._apply(order, OrderUnanswered(order.order_id, order.instrument_id, now, now, "nobody knows"))
        self._told(order)
        return order

    def _apply(self, order: Order, report: Report) -> None:
        if apply_report(order, report) and isinstance(report, OrderFilled):  # type: ignore[arg-type]
            self._fills.setdefault(order.order_id, []).append(report)

    def _told(self, order: Order) -> None:
        """Log what became of an order."""
        self._log.write("told", order, self.product, self._fills.get(order.order_id, ()))

    async def follow_up(self, instrument_id: str | None = None) -> None:
        """Ask what became of orders by hand that the log has no end of: nobody listens while no command runs."""
        unended = self._log.open_orders(self.product, self.instruments)
        wanted = [one for one in unended if instrument_id in (None, one[0].instrument_id)][:FOLLOWED]
        try:
            for order, fills in wanted:
                known = order.status, order.cum_lots
                self._fills[order.order_id] = fills
                await self._look(order, patient=False)
                if (order.status, order.cum_lots) != known:
                    self._told(order)
        except VenueError:
            return  # the next command asks again

    async def _follow(self, order: Order, wait_s: float) -> None:
        loop = asyncio.get_running_loop()
        started, pause = loop.time(), LOOK_S
        while not order.is_final and loop.time() - started < wait_s:
            try:
                known = await self._look(order, patient=loop.time() < started + GRACE_S)
            except VenueError as error:
                order.reason = f"the venue could not be asked: {error.what}"
                if error.kind is ErrorKind.AUTH:
                    return
            else:
                if known and not _ends_at_once(order):
                    return
            await asyncio.sleep(pause)
            pause = min(2 * pause, LOOK_AT_MOST_S)

    async def _look(self, order: Order, *, patient: bool) -> bool:
        """Ask for an order and take over what the venue says; while patient, wait for fills that lag behind."""
        codec = self.link.codec
        told = await self.link.ask(
            codec.find_order(order.instrument_id, order.order_id, order.venue_order_id)
        )
        fills: list[VenueFill] = []
        if told is None and wall_ns() - order.ts_last < ABSENCE_NS:
            return False
        if told is None or told.cum_lots:
            fills = await ask_fills(self.link, order.instrument_id, max(0, order.ts_init - _OVERLAP_NS))
        known = order.cum_lots + sum(report.lots for report in own_fills(order, fills))
        if patient and told is not None and told.cum_lots > known:
            return False
        # an order that the venue has accepted is not gone because a question missed it
        absence_ns = ABSENCE_NS if order.status in _IN_DOUBT else _NEVER_NS
        for report in settle_order(order, told, fills, wall_ns(), absence_ns=absence_ns, lag_ns=0):
            self._apply(order, report)
        if told is not None:
            order.venue_order_id = order.venue_order_id or told.venue_order_id
        return told is not None

    # -- taking back ---------------------------------------------------------------------------------------

    async def cancel(self, instrument_id: str, wanted: str, wait_s: float = WAIT_S) -> Cancelled:
        """Take one order back, by the venue's id or ours, and look until it is gone."""
        working = await self.working(instrument_id)
        found = [one for one in working if wanted in (one.venue_order_id, one.order_id, one.client_id)]
        if not found:
            raise await self._not_working(instrument_id, wanted, working)
        order, trouble = found[0], ""
        try:
            await self.link.ask(self.link.codec.cancel_order(instrument_id, order.venue_order_id))
        except VenueError as error:
            if error.kind is not ErrorKind.UNANSWERED and error.reason != Reason.UNKNOWN_ORDER:
                raise
            trouble = error.what
        gone = await self._gone(order, trouble, wait_s)
        self._log.note("manual.cancel", in_words(gone.order, gone.status))
        await self.follow_up(instrument_id)
        return gone

    async def _gone(self, order: VenueOrder, trouble: str, wait_s: float) -> Cancelled:
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + wait_s, LOOK_S
        last: VenueOrder | None = None
        codec = self.link.codec
        while True:
            try:
                last = await self.link.ask(
                    codec.find_order(order.instrument_id, order.order_id, order.venue_order_id)
                )
                if last is not None and last.status in FINAL_STATUSES:
                    return Cancelled(order, last.status, last.cum_lots, "")
            except VenueError as error:
                trouble = error.what
            if loop.time() > end:
                return Cancelled(order, last.status if last else None, last.cum_lots if last else 0, trouble)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LOOK_AT_MOST_S)

    async def _not_working(self, instrument_id: str, wanted: str, working: list[VenueOrder]) -> NotFoundError:
        ended = await self.find(instrument_id, wanted)
        names = ", ".join(order.venue_order_id for order in working[:8])
        return NotFoundError(
            f"no order {wanted} works on {instrument_id}",
            expected=f"one of {names}" if names else "an order that works (there is none)",
            found=f"it is {ended.status.name}" if ended is not None else None,
            fix=f"See `lanner orders {instrument_id}`.",
        )

    async def cancel_all(self, instrument_id: str | None = None) -> Sweep:
        """Take all orders back (of one instrument or of the account), and look until the venue has none left."""
        working = await self.working(instrument_id)
        named = {order.instrument_id for order in working}
        if not named:
            return Sweep(0)
        report = KillReport("cancelled by hand", wall_ns())
        sweep = VenueSweep({self.product: self.link}, {name: self.instruments[name] for name in named})
        await sweep.cancel_all(report)
        where = instrument_id or self.product
        self._log.note("manual.cancel_all", f"{where}: {len(sweep.cancelled)} orders taken back")
        await self.follow_up(instrument_id)
        return Sweep(len(sweep.cancelled), sweep.remaining(), report.errors)


def _ends_at_once(order: Order) -> bool:
    return order.type is OrderType.MARKET or order.tif in (TimeInForce.IOC, TimeInForce.FOK)
