"""The kill switch: nothing new, everything back, everything closed, and proof of it from the venue.

``lock`` is the latch: a file in the session's folder that stops the session from trading until somebody resumes it with
a reason. It is written first, so that a process that dies in the middle does not trade when it comes back.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Container, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.core.errors import LannerError, RiskRefusedError
from lanner.engine.emergency import dust_of, held_in_words, is_flat, refusal_in_words
from lanner.model.enums import OrderStatus
from lanner.net.wallclock import wall_ns
from lanner.risk.gate import TradingState
from lanner.storage.files import write_atomic
from lanner.venues.errors import Reason, VenueError
from lanner.venues.registry import product_of

if TYPE_CHECKING:
    from lanner.live.session import Session
    from lanner.model.accounts import VenueOrder, VenuePosition
    from lanner.model.instruments import Instrument
    from lanner.venues.link import Link

LATCH = "killed.json"
PERMISSION = "resumed.json"
CONFIRM_S = 20.0
LOOK_S, LOOK_MOST_S = 0.25, 2.0
PATIENT_S = 1.0
"""From looks so far apart on, the venue is asked for what the engine has not heard of."""


@dataclass(slots=True)
class KillReport:
    """What the kill switch did and what the venue says now. ``flat`` is the venue's word, not ours.

    ``orders_cancelled`` were the session's, ``foreign_cancelled`` other programs' on its instruments.
    ``sold`` are lots, and ticks × lots, of spot instruments sold beside the session's engine, which must learn of it.
    """

    reason: str
    started_ns: int
    orders_cancelled: int = 0
    foreign_cancelled: int = 0
    positions_closed: int = 0
    flat: bool = False
    seconds: float = 0.0
    left: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sold: dict[str, tuple[int, int]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)


def lock(folder: Path, reason: str) -> None:
    """Set the latch."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LATCH
    (folder / PERMISSION).unlink(missing_ok=True)
    if not path.exists():
        write_atomic(path, json.dumps({"reason": reason, "ts": wall_ns()}).encode())


def locked(folder: Path) -> str:
    """Return why a session is latched, or nothing."""
    try:
        return str(json.loads((folder / LATCH).read_bytes())["reason"]) or "no reason told"
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError, KeyError, TypeError):
        return "the latch cannot be read"


def refuse_latched(folder: Path) -> None:
    """Raise ``RiskRefusedError`` where the kill switch ended a session and nobody has said why it may go on."""
    reason = locked(folder)
    if reason:
        raise RiskRefusedError(
            f"session {folder.name} was stopped by its kill switch: {reason}",
            fix=f"When you know why: `lanner resume {folder.name} --reason …`.",
        )


def unlock(folder: Path) -> None:
    """Take the latch off; what it was set for stays as the permission to trade again."""
    if (folder / LATCH).exists():
        (folder / LATCH).replace(folder / PERMISSION)


def take_permission(folder: Path) -> bool:
    """Tell once whether somebody took the latch off: a halted session must not go on by itself."""
    path = folder / PERMISSION
    found = path.exists()
    path.unlink(missing_ok=True)
    return found


class VenueSweep:
    """Take back and look, at the venue itself, over HTTP: it works beside a stuck engine and without one.

    ``cancelled`` are the orders that were there and are gone, by the venue's number. ``left`` says by product what the
    venue still has, or that nobody knows; a product without an entry has not been looked at.
    """

    def __init__(self, links: Mapping[str, Link], instruments: Mapping[str, Instrument]) -> None:
        self.cancelled: dict[str, VenueOrder] = {}
        self.left: dict[str, list[str]] = {}
        self._links = links
        self._instruments = instruments

    def _own(self, product: str) -> list[str]:
        return [name for name in self._instruments if product_of(name) == product]

    async def cancel_all(self, report: KillReport) -> None:
        """Take back every order on our instruments, ours or not, and go on until the venue says there is none."""
        for product, link in self._links.items():
            await self._take_back(product, link, report, CONFIRM_S)

    async def cancel_rest(self, report: KillReport) -> list[str]:
        """Try once more where orders are left, or where the venue could not be asked; return what is left in words."""
        for product, link in self._links.items():
            if self.left.get(product):
                await self._take_back(product, link, report, 0.0)
        return self.remaining()

    async def confirm(self, report: KillReport) -> None:
        """Look at all venues once more, for orders that were on their way when everything was taken back."""
        for product, link in self._links.items():
            try:
                if await self._working(product, link):
                    await self._take_back(product, link, report, CONFIRM_S)
                else:
                    self.left[product] = []
            except LannerError as error:
                self._unknown(product, error, report)

    def remaining(self) -> list[str]:
        """Return in words what is left at the venues."""
        return [words for told in self.left.values() for words in told]

    async def _take_back(self, product: str, link: Link, report: KillReport, within_s: float) -> None:
        try:
            before = await self._working(product, link)
            await self._cancel(product, link, report)
            left = await self._none_left(product, link, report, within_s)
        except LannerError as error:
            self._unknown(product, error, report)
            return
        names = {order.venue_order_id for order in left}
        self.cancelled |= {o.venue_order_id: o for o in before if o.venue_order_id not in names}
        self.left[product] = [f"order {order.venue_order_id} on {order.instrument_id}" for order in left]

    def _unknown(self, product: str, error: LannerError, report: KillReport) -> None:
        _note_once(report.errors, f"{product}: {error.message()}")
        self.left[product] = [f"{product}: orders unknown"]

    async def _cancel(self, product: str, link: Link, report: KillReport) -> None:
        for call in link.codec.cancel_all(self._own(product)):
            try:
                await link.ask(call)
            except LannerError as error:
                if not _is_gone(error):
                    _note_once(report.errors, f"{product}: {error.message()}")

    async def _none_left(
        self, product: str, link: Link, report: KillReport, within_s: float
    ) -> list[VenueOrder]:
        """Look until there are no orders; ask again for those that stay."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        while True:
            left = await self._working(product, link)
            if not left or loop.time() > end:
                return left
            await asyncio.sleep(LOOK_S)
            for order in await self._working(product, link):
                try:
                    await link.ask(link.codec.cancel_order(order.instrument_id, order.venue_order_id))
                except LannerError as error:
                    if not _is_gone(error):
                        _note_once(report.errors, f"{order.venue_order_id}: {error.message()}")

    async def _working(self, product: str, link: Link) -> list[VenueOrder]:
        own = set(self._own(product))
        orders = await link.ask(link.codec.open_orders())
        return [order for order in orders if order.instrument_id in own]

    async def positions(self) -> list[VenuePosition]:
        """Return what the venue says is held in our perpetuals."""
        found = []
        for product, link in self._links.items():
            own = set(self._own(product))
            for call in link.codec.account():
                state = await link.ask(call)
                found += [p for p in state.positions if p.lots and p.instrument_id in own]
        return found


def _note_once(texts: list[str], text: str) -> None:
    if text not in texts:
        texts.append(text)


def _is_gone(error: LannerError) -> bool:
    """Tell whether a cancel was refused because there is nothing to cancel."""
    return isinstance(error, VenueError) and error.reason == Reason.UNKNOWN_ORDER


async def kill_session(session: Session, reason: str, *, close: bool = True) -> KillReport:
    """Run the kill switch of a session and say what the venue confirms; without ``close`` positions are kept."""
    lock(session.folder, reason)
    report = KillReport(reason, wall_ns())
    session.bus.publish("risk.kill_switch", reason)
    working = working_of(session)
    session.control("halt", reason)
    for link in session.links.values():
        link.urgent = True
    sweep = VenueSweep(session.links, session.plan.instruments) if session.is_live else None
    if sweep is not None:
        await sweep.cancel_all(report)
    before = _held(session)
    if close:
        await _close_everything(session, report, sweep)
    elif before:
        report.left.append(f"{before} positions, kept because the settings say so")
    report.notes += [note for note in dust_of(session.engine) if note not in report.notes]
    report.positions_closed = before - _held(session)
    own = cancelled_of(session, working)
    if sweep is not None:
        await sweep.confirm(report)
        report.left += sweep.remaining()
        count_cancelled(report, sweep, session.engine.execution.orders, own)
    else:
        report.orders_cancelled = len(own)
    report.flat = not report.left
    report.seconds = (wall_ns() - report.started_ns) / 1e9
    session.bus.publish("risk.kill_report", report)
    return report


def working_of(session: Session) -> list[str]:
    """Return the ids of the orders that may still fill."""
    return [order.order_id for order in session.engine.execution.working_orders()]


def cancelled_of(session: Session, names: list[str]) -> set[str]:
    """Return which of these orders are cancelled now: those that the halt itself took back among them."""
    orders = session.engine.execution.orders
    return {name for name in names if name in orders and orders[name].status is OrderStatus.CANCELED}


def count_cancelled(
    report: KillReport, sweep: VenueSweep, known: Container[str], own: Collection[str] = ()
) -> None:
    """Count what was taken back: the session's orders, each once, and those of others."""
    ours = {order.order_id for order in sweep.cancelled.values() if order.order_id in known}
    report.orders_cancelled = len(ours.union(own))
    report.foreign_cancelled = sum(order.order_id not in known for order in sweep.cancelled.values())


def _held(session: Session) -> int:
    return sum(bool(position.lots) for position in session.engine.portfolio.positions.values())


def _at_the_venue(session: Session, position: VenuePosition) -> str:
    why = refusal_in_words(session.engine, position.instrument_id)
    return f"{position.lots} lots of {position.instrument_id} at the venue{why}"


async def _close_everything(session: Session, report: KillReport, sweep: VenueSweep | None) -> None:
    """Close what is held, and look until engine and venue both say that nothing is left."""
    loop = asyncio.get_running_loop()
    end = loop.time() + CONFIRM_S
    wait_s = LOOK_S
    while session.engine.execution.gate.state is TradingState.HALTED or session.fault is not None:
        session.control("flatten", report.reason)
        await asyncio.sleep(wait_s)
        wait_s = min(1.5 * wait_s, LOOK_MOST_S)
        left = [] if is_flat(session.engine) else held_in_words(session.engine)
        if sweep is not None:
            left += await sweep.cancel_rest(report)
        if sweep is not None and (not left or wait_s > PATIENT_S):  # news of what was closed may be lost
            try:
                left += [_at_the_venue(session, position) for position in await sweep.positions()]
                if left:
                    await session.reconcile("the kill switch")
            except LannerError as error:
                _note_once(report.errors, error.message())
                left.append("the venue's positions could not be read")
        if not left or loop.time() > end or session.fault is not None:
            report.left += left if sweep is None else [one for one in left if one not in sweep.remaining()]
            return
    report.left.append("trading was resumed while positions were being closed")
