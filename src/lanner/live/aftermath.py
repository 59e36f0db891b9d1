"""End a session whose process is gone, stuck or not to be trusted: everything back, everything closed, proven.

It needs nothing of the session but its journal, and of the journal nothing but orders and fills: no strategy code runs.
Perpetuals are closed by what the venue says is held; of a spot account only what the journal and the fills since say
belongs to the session.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from lanner.core.errors import LannerError
from lanner.engine.emergency import dust_in_words, is_dust
from lanner.execution.late_fills import CLOCKS_NS
from lanner.live.accounts import ask_account, ask_fills
from lanner.live.build import Plan, plan_of
from lanner.live.byhand import Hand
from lanner.live.connect import Where, connect, load_instruments
from lanner.live.guards import Pulse, born
from lanner.live.hosting import ask_to_cut_off
from lanner.live.kill_reports import SALES, done_in_words, first, last_report, sales_name, write_report
from lanner.live.killswitch import CONFIRM_S, LOOK_S, KillReport, VenueSweep, count_cancelled, lock
from lanner.live.ledger import kill_keeper
from lanner.live.orderlog import OrderLog
from lanner.live.replaying import read_head
from lanner.model.commands import AmendOrder, Batch, SubmitOrder
from lanner.model.enums import OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.model.reports import (
    CONCLUDED,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    PositionAdjusted,
)
from lanner.net.wallclock import wall_ns
from lanner.portfolio.positions import CoinFees
from lanner.storage.journal import Record, read_journal
from lanner.storage.ledger.byhand import KILL_LOG
from lanner.venues.registry import product_of

if TYPE_CHECKING:
    from lanner.live.config import SessionConfig
    from lanner.venues.keys import Keys
    from lanner.venues.link import Link

OVERLAP_NS = 60_000_000_000
STRATEGY = "kill-switch"
ENDING = "ending.lock"


@dataclass(slots=True)
class Holdings:
    """What a journal says of a session: its orders, the fills that it has seen, and lots held by instrument.

    ``unsettled`` are the orders that may have traded since without the session hearing of it, with the lots left,
    ``concluded`` the lots that a session counted before the venue told their fill, by order; ``learned`` says why its
    positions were adjusted, and when.
    """

    orders: dict[str, str] = field(default_factory=dict)
    unsettled: dict[str, int] = field(default_factory=dict)
    trades: set[tuple[str, str]] = field(default_factory=set)
    lots: dict[str, int] = field(default_factory=dict)
    fees: dict[str, Decimal] = field(default_factory=dict)
    concluded: dict[str, tuple[int, int]] = field(default_factory=dict)
    learned: dict[str, int] = field(default_factory=dict)
    first_ns: int = 0
    last_ns: int = 0

    def take(self, fill: OrderFilled) -> None:
        """Count a fill once."""
        key = (fill.instrument_id, fill.trade_id)
        if key not in self.trades:
            self.trades.add(key)
            lots = self._new_lots(fill)
            if fill.order_id in self.unsettled:
                self.unsettled[fill.order_id] -= lots
                if self.unsettled[fill.order_id] <= 0:
                    del self.unsettled[fill.order_id]
            self._add(fill.instrument_id, lots * int(fill.side))
            self.fees[fill.instrument_id] = self.fees.get(fill.instrument_id, Decimal(0)) + fill.base_fee

    def lots_of(self, instrument: Instrument) -> int:
        """Return the lots that are held, without those that the venue kept of the bought coin as its fee."""
        fees = self.fees.get(instrument.id, Decimal(0))
        return self.lots.get(instrument.id, 0) - CoinFees().take(fees, instrument.lot)

    def _new_lots(self, fill: OrderFilled) -> int:
        """Return the lots of a fill that were not concluded before the venue told them."""
        lots, until = self.concluded.get(fill.order_id, (0, 0))
        if fill.trade_id.startswith(CONCLUDED):
            self.concluded[fill.order_id] = (lots + fill.lots, fill.ts_recv + CLOCKS_NS)
            return fill.lots
        known = min(lots, fill.lots) if fill.ts_event <= until else 0
        if known:
            self.concluded[fill.order_id] = (lots - known, until)
        return fill.lots - known

    def read(self, record: Record) -> None:
        """Take what a record says about orders and positions."""
        message = record.message
        self.last_ns = max(self.last_ns, record.ts)
        if isinstance(message, OrderFilled):
            self.take(message)
        elif isinstance(message, PositionAdjusted):
            self.learned[message.reason] = record.ts
            self._add(message.instrument_id, message.lots)
        elif isinstance(message, OrderCanceled | OrderExpired | OrderRejected):
            self.unsettled.pop(message.order_id, None)
        for command in message.commands if isinstance(message, Batch) else (message,):
            if isinstance(command, SubmitOrder | AmendOrder):
                self.first_ns = self.first_ns or command.ts
                self.orders[command.order_id] = command.instrument_id
                left = self.unsettled.get(command.order_id, 0)
                self.unsettled[command.order_id] = max(left, command.lots or 1)

    def sold_before(self, folder: Path, report: KillReport) -> None:
        """Count what kill switches sold that the session has not learned of: nothing is sold twice.

        Their orders are named here, so that the venue's fills of them are taken like the session's own; their report
        goes into the new one.
        """
        since = max((ts for reason, ts in self.learned.items() if reason.startswith(SALES)), default=0)
        for order_id, name in OrderLog(folder / KILL_LOG).told_since(since).items():
            self.orders[order_id] = name
            self.unsettled[order_id] = 1
        told = last_report(folder)
        if told is not None and sales_name(told["started_ns"]) not in self.learned:
            report.sold.update({name: (lots, notional) for name, (lots, notional) in told["sold"].items()})

    def _add(self, instrument_id: str, lots: int) -> None:
        self.lots[instrument_id] = self.lots.get(instrument_id, 0) + lots


def holdings_of(records: Iterable[Record]) -> Holdings:
    """Return what a journal's records say is held and ordered."""
    found = Holdings()
    for record in records:
        found.read(record)
    return found


async def fence(folder: Path, pulse: Pulse | None, reason: str) -> str:
    """Make sure that a session does nothing more; return what was done, for the report.

    One that has ended has closed its journal and its connections; its process still has to say what happened.
    """
    if pulse is None or pulse.ended or not pulse.born or born(pulse.pid) != pulse.born:
        return ""
    if pulse.shared and await ask_to_cut_off(folder, reason):
        return f"the session was cut off inside process {pulse.pid}, which runs others, too"
    try:
        os.kill(pulse.pid, signal.SIGKILL)
    except ProcessLookupError:
        return ""
    return f"process {pulse.pid} was ended: it must not send anything while its orders are being cancelled"


async def end_session(
    folder: Path,
    reason: str,
    keys: Callable[[str], Keys],
    pulse: Pulse | None = None,
    *,
    reach: Callable[..., AbstractAsyncContextManager[Link]] = connect,
) -> KillReport:
    """Latch a session, end its process, take back and close everything of it, and write the report."""
    report = KillReport(reason, wall_ns())
    lock(folder, reason)
    fenced = await fence(folder, pulse, reason)
    if fenced:
        report.notes.append(fenced)
    async with _alone(folder):
        await _end(folder, report, keys, reach)
    return report


@asynccontextmanager
async def _alone(folder: Path) -> AsyncIterator[None]:
    """Wait until nobody else ends this session: two who sell what it holds would sell it twice."""
    with (folder / ENDING).open("w") as mark:
        while not first(mark):
            await asyncio.sleep(LOOK_S)
        yield


async def _end(
    folder: Path,
    report: KillReport,
    keys: Callable[[str], Keys],
    reach: Callable[..., AbstractAsyncContextManager[Link]],
) -> None:
    plan = plan_of(read_head(folder))
    held = holdings_of(read_journal(folder / "journal"))
    held.sold_before(folder, report)
    config = plan.config
    if config.mode == "live":
        where = Where(config.url, config.testnet, config.ca_file)
        async with AsyncExitStack() as stack:
            links = {}
            for product in plan.products:
                try:
                    link = await stack.enter_async_context(
                        reach(product, where, keys=keys(product), urgent=True)
                    )
                    await load_instruments(link)
                except LannerError as error:
                    report.errors.append(f"{product}: {error.message()}")
                    report.left.append(f"{product}: the venue cannot be reached")
                    continue
                link.codec.remember(held.orders)
                links[product] = link
            await _Ending(folder, plan, links, held, report).run()
    report.flat = not report.left
    report.seconds = (wall_ns() - report.started_ns) / 1e9
    write_report(folder, report)
    _keep_in_ledger(folder, config, report)


def _keep_in_ledger(folder: Path, config: SessionConfig, report: KillReport) -> None:
    """Have what was done written into the session's ledger; a database that is away holds nothing up."""
    flat = "flat" if report.flat else f"NOT FLAT: {'; '.join(report.left)}"
    text = f"{report.reason}: {done_in_words(report.as_dict())}, {flat}"
    try:
        OrderLog(folder / KILL_LOG).note("risk.kill_report", text[:500], level="critical")
        if config.ledger.enabled:
            kill_keeper(folder, config.ledger).wake()
    except (OSError, LannerError) as error:
        report.notes.append(f"not in the ledger: {error}")


class _Ending:
    """One attempt to bring a session's accounts to nothing."""

    def __init__(
        self, folder: Path, plan: Plan, links: Mapping[str, Link], held: Holdings, report: KillReport
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._links = links
        self._held = held
        self._report = report
        self._sweep = VenueSweep(links, plan.instruments)
        log = OrderLog(folder / KILL_LOG)
        self._hands = {
            product: Hand(link, plan.instruments, log, trusted=True) for product, link in links.items()
        }
        self._stem = f"{wall_ns() // 1_000_000}"
        self._number = 0
        self._closed: set[str] = set()
        self._refused: dict[str, str] = {}

    async def run(self) -> None:
        """Cancel, then close until the venue says that nothing is left or time runs out."""
        await self._sweep.cancel_all(self._report)
        loop = asyncio.get_running_loop()
        end = loop.time() + CONFIRM_S
        while True:
            left = await self._round()
            resting = await self._sweep.cancel_rest(self._report)
            if not (left or resting) or loop.time() > end:
                break
            await asyncio.sleep(LOOK_S)
        await self._sweep.confirm(self._report)
        self._report.left += [*left, *self._sweep.remaining()]
        count_cancelled(self._report, self._sweep, self._held.orders)
        self._report.positions_closed = len(self._closed)

    async def _round(self) -> list[str]:
        """Send against what is held, then ask again what is; return what is left in words."""
        try:
            for name, lots in (await self._open()).items():
                await self._close(name, lots)
            return [
                f"{lots} lots of {name} at the venue{self._refused.get(name, '')}"
                for name, lots in (await self._open()).items()
            ]
        except LannerError as error:
            if error.message() not in self._report.errors:
                self._report.errors.append(error.message())
            return ["the venue's positions could not be read"]

    async def _open(self) -> dict[str, int]:
        """Return the lots that are to be closed, by instrument."""
        found: dict[str, int] = {}
        for position in await self._sweep.positions():
            found[position.instrument_id] = found.get(position.instrument_id, 0) + position.lots
        for product, link in self._links.items():
            own = [i for i in self._plan.instruments.values() if i.is_spot and product_of(i.id) == product]
            if own:
                found.update(await self._open_spot(link, own))
        return {name: lots for name, lots in found.items() if lots}

    async def _open_spot(self, link: Link, instruments: list[Instrument]) -> dict[str, int]:
        found = {}
        account = await ask_account(link)
        balances = {} if account is None else {one.currency: one.available for one in account.balances}
        await self._name_orders(link, [instrument.id for instrument in instruments])
        for instrument in instruments:
            since = max(0, (self._held.first_ns or wall_ns()) - OVERLAP_NS)
            for fill in await ask_fills(link, instrument.id, since):
                if fill.report.order_id in self._held.orders:
                    self._held.take(fill.report)
            there = int(balances.get(instrument.base, instrument.lot * 0) / instrument.lot)
            lots = min(self._held.lots_of(instrument), there)
            if lots > 0 and is_dust(instrument, lots, await self._price(link, instrument.id)):
                self._note(dust_in_words(instrument, lots))
            elif lots > 0:
                found[instrument.id] = lots
        return found

    async def _name_orders(self, link: Link, names: list[str]) -> None:
        """Ask for the orders that the session heard no end of: only so are their fills known for ours.

        Some venues name fills by their own number of the order, which a journal without its answer does not have.
        """
        for order_id in list(self._held.unsettled):
            name = self._held.orders[order_id]
            if name in names and await link.ask(link.codec.find_order(name, order_id)) is not None:
                del self._held.unsettled[order_id]

    async def _price(self, link: Link, name: str) -> float | None:
        """Return the best bid where it can be had: without it only the quantity says what is too little."""
        try:
            quote = await link.ask(link.codec.quote(name))
        except LannerError:
            return None
        px: float = quote.bid_px
        return px if px == px else None

    def _note(self, text: str) -> None:
        if text not in self._report.notes:
            self._report.notes.append(text)

    async def _close(self, name: str, lots: int) -> None:
        instrument = self._plan.instruments[name]
        self._number += 1
        order = Order(
            f"{self._stem}-w{self._number}",
            STRATEGY,
            instrument,
            Side.SELL if lots > 0 else Side.BUY,
            OrderType.MARKET,
            abs(lots),
            wall_ns(),
            reduce_only=not instrument.is_spot,
            intent=STRATEGY,
            tag=STRATEGY,
        )
        self._held.orders[order.order_id] = name
        product = product_of(name)
        self._links[product].codec.remember([order.order_id])
        await self._hands[product].place(order)
        if order.cum_lots:
            self._closed.add(name)
        if instrument.is_spot and order.cum_lots:
            sold, notional = self._report.sold.get(name, (0, 0))
            self._report.sold[name] = (sold + order.cum_lots, notional + order.notional)
            write_report(self._folder, self._report, done=False)
        self._refused.pop(name, None)
        if order.reason and not order.cum_lots:
            self._refused[name] = f": the venue refuses to close it: {order.reason}"
            self._note(f"{name}: {order.reason}")
