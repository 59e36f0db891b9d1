"""The kill switch: nothing new, everything back, everything closed, and proof of it from the venue.

``lock`` is the latch: a file in the session's folder that stops the session from trading until somebody resumes it with
a reason. It is written first, so that a process that dies in the middle does not trade when it comes back.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.core.errors import LannerError, RiskRefusedError
from lanner.engine.emergency import dust_of, is_flat
from lanner.model.enums import OrderStatus
from lanner.net.wallclock import wall_ns
from lanner.venues.errors import Reason, VenueError
from lanner.venues.registry import product_of

if TYPE_CHECKING:
    from lanner.live.session import Session
    from lanner.model.accounts import VenueOrder, VenuePosition
    from lanner.model.instruments import Instrument
    from lanner.venues.link import Link

LATCH = "killed.json"
PERMISSION = "resumed.json"
REPORT = "kill-report.json"
CONFIRM_S = 20.0
LOOK_S = 0.25


@dataclass(slots=True)
class KillReport:
    """What the kill switch did and what the venue says now. ``flat`` is the venue's word, not ours.

    ``sold`` are lots, and ticks × lots, of spot instruments sold beside the session's engine, which must learn of it.
    """

    reason: str
    started_ns: int
    orders_cancelled: int = 0
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
        draft = path.with_suffix(".part")
        draft.write_text(json.dumps({"reason": reason, "ts": wall_ns()}))
        draft.replace(path)


def locked(folder: Path) -> str:
    """Return why a session is latched, or nothing."""
    path = folder / LATCH
    if not path.exists():
        return ""
    try:
        return str(json.loads(path.read_text())["reason"]) or "no reason told"
    except (OSError, ValueError, KeyError):
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
    """Take back and look, at the venue itself, over HTTP: it works beside a stuck engine and without one."""

    def __init__(self, links: Mapping[str, Link], instruments: Mapping[str, Instrument]) -> None:
        self._links = links
        self._instruments = instruments

    def _own(self, product: str) -> list[str]:
        return [name for name in self._instruments if product_of(name) == product]

    async def cancel_all(self, report: KillReport) -> None:
        """Take back every order on our instruments, ours or not, and go on until the venue says there is none."""
        for product, link in self._links.items():
            try:
                before = await self._working(product, link)
                await self._cancel(product, link, report)
                left = await self._none_left(product, link, report)
            except LannerError as error:
                report.errors.append(f"{product}: {error.message()}")
                report.left.append(f"{product}: orders unknown")
                continue
            report.orders_cancelled += len(before) - len(left)
            report.left += [f"order {order.venue_order_id} on {order.instrument_id}" for order in left]

    async def _cancel(self, product: str, link: Link, report: KillReport) -> None:
        for call in link.codec.cancel_all(self._own(product)):
            try:
                await link.ask(call)
            except LannerError as error:
                if not _is_gone(error):
                    report.errors.append(f"{product}: {error.message()}")

    async def _none_left(self, product: str, link: Link, report: KillReport) -> list[VenueOrder]:
        """Look until there are no orders; ask again for those that stay."""
        loop = asyncio.get_running_loop()
        end = loop.time() + CONFIRM_S
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
                        report.errors.append(f"{order.venue_order_id}: {error.message()}")

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
    report.orders_cancelled = max(report.orders_cancelled, cancelled_of(session, working))
    report.flat = not report.left
    report.seconds = (wall_ns() - report.started_ns) / 1e9
    session.bus.publish("risk.kill_report", report)
    return report


def working_of(session: Session) -> list[str]:
    """Return the ids of the orders that may still fill."""
    return [order.order_id for order in session.engine.execution.orders.values() if order.is_open]


def cancelled_of(session: Session, names: list[str]) -> int:
    """Return how many of these orders are cancelled now: those that the halt itself took back among them."""
    orders = session.engine.execution.orders
    return sum(orders[name].status is OrderStatus.CANCELED for name in names)


def _held(session: Session) -> int:
    return sum(bool(position.lots) for position in session.engine.portfolio.positions.values())


async def _close_everything(session: Session, report: KillReport, sweep: VenueSweep | None) -> None:
    """Close what is held, and look until engine and venue both say that nothing is left."""
    loop = asyncio.get_running_loop()
    end = loop.time() + CONFIRM_S
    while True:
        session.control("flatten", report.reason)
        await asyncio.sleep(LOOK_S)
        left = [] if is_flat(session.engine) else ["the engine still has positions or orders"]
        if not left and sweep is not None:
            try:
                left = [f"{p.lots} lots of {p.instrument_id} at the venue" for p in await sweep.positions()]
                if left:
                    await session.reconcile("the kill switch")
            except LannerError as error:
                report.errors.append(error.message())
                left = ["the venue's positions could not be read"]
        if not left or loop.time() > end or session.fault is not None:
            report.left += left
            return
