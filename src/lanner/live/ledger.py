"""A session's ledger: it listens on the bus, and nothing that the session does waits for it.

``attach_ledger`` is what everybody who starts a session calls. Beside the ledger's rows it keeps a few notes in the
session's journal: whose orders are, and orders that were denied before they left. With them a journal alone is enough
to make all rows again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lanner.core.errors import ConfigError, LannerError
from lanner.live.event_words import level_of_event, words_of
from lanner.live.overrides import settings_from
from lanner.model.enums import OrderStatus
from lanner.model.orders import Order, OrderView
from lanner.model.reports import FundingPaid, PositionAdjusted
from lanner.storage.journal import Control
from lanner.storage.ledger.address import address_of
from lanner.storage.ledger.byhand import KILL_LOG, LogKeeper
from lanner.storage.ledger.byhand import SESSION as MANUAL
from lanner.storage.ledger.fold import UNTOLD, WHO, control_event, denied_note
from lanner.storage.ledger.records import EquityPoint, Event, FillSnap, snap
from lanner.storage.ledger.store import Ledger
from lanner.storage.ledger.writer import LedgerState, LedgerWriter, Pace, SessionEnd
from lanner.telemetry.secrets import SecretText

if TYPE_CHECKING:
    from pathlib import Path

    from lanner.live.config import LedgerConfig
    from lanner.live.session import Session

CLOSE_S = 15.0
TICK_S = 1.0
SILENT = 2.0
"""How many times ``ledger.wait_s`` a database may leave a question without an answer."""
_WORK = ("order.*", "position.*", "account.*", "live_engine.*")
_NEWS = (
    "system.fault",
    "system.connected",
    "system.reconnecting",
    "system.disconnected",
    "system.shutdown",
    "risk.*",
    "data_engine.*",
    "exchange.connection",
    "execution_engine.*",
    "config.*",
    "control.*",
    "alert.*",
    "ledger.*",
)
_FROM_ENGINE = ("risk.", "config.", "control.")
"""Topics on which a journal that is played again speaks."""
MOST_UNNAMED = 1_000
"""So many orders are waited for whose venue has not told its own number; those that it refused never get one."""
COMPARED = "execution_engine.recovery_complete"
_SAME_NS = 1_000_000_000
"""Events of one topic that come faster than this are told once, and counted."""


def attach_ledger(session: Session, config: LedgerConfig | None = None) -> LedgerHandle:
    """Let a session that has not been run yet keep a ledger; call ``close`` when its run is over.

    Without ``config`` the session's own settings count. Raises ``LannerError`` for an address that cannot be right;
    a database that is not there is no error: it is told on the bus, and made up for when it comes back.
    """
    if session.id == MANUAL:
        raise ConfigError(
            f"a session cannot be called {MANUAL!r}",
            found=session.id,
            fix="Orders by hand have this name in the ledger; take another.",
        )
    settings = config or session.plan.config.ledger
    return LedgerHandle(session, settings, Ledger(real_url(settings.url), wait_s=settings.wait_s))


def real_url(url: str) -> str:
    """Return a ledger's address; ``env:NAME``, ``file:PATH`` and ``keyring:NAME`` say where it is kept."""
    told = SecretText(url)
    return told.reveal() if told.is_reference else url


def kill_keeper(folder: Path, config: LedgerConfig) -> LogKeeper:
    """Return what keeps the orders of a kill switch from outside in the ledger of the session that it ended.

    Settings that come out of a journal have no passwords; an address in the environment counts first.
    """
    told = settings_from(os.environ).get("ledger.url")
    address = address_of(real_url(str(told[1]) if told is not None and told[1] else config.url))
    return LogKeeper(folder / KILL_LOG, folder.name, lambda: Ledger(address, wait_s=config.wait_s))


class LedgerHandle:
    """What listens for one session; see the module."""

    def __init__(self, session: Session, config: LedgerConfig, ledger: Ledger) -> None:
        self._session = session
        self._config = config
        self._since = session.now()
        self._continued = session.heart.journal.seq
        self._from = self._since if self._continued else 0
        self._equity_ns = int(config.equity_s * 1e9)
        self._sampled = self._since // self._equity_ns
        self._fills = 0
        self._reports = 0
        self._held: set[str] = set()
        self._unnamed: dict[str, Order] = {}
        self._notes: list[Order] = []
        self._fresh: list[tuple[Order, OrderStatus] | None] = []
        self._capital_told = False
        self._events = 0
        self._last_event: dict[str, tuple[int, int]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._shut = False
        self._closed = False
        pace = Pace(
            config.batch, config.queue, config.flush_ms / 1e3, self._equity_ns, SILENT * config.wait_s
        )
        self._writer = LedgerWriter(ledger, session.folder, pace, self._tell)
        self._listening: list[tuple[str, Callable[[str, Any], None]]] = [
            *((topic, self._work) for topic in _WORK),
            *((topic, self._news) for topic in _NEWS),
        ]
        for topic, handler in self._listening:
            session.bus.subscribe(topic, handler)
        if config.enabled:
            session.health.ledger = "up"
            self._writer.start()

    @property
    def state(self) -> LedgerState:
        """Return how the ledger stands."""
        return self._writer.state

    def close(self, error: BaseException | None = None, *, timeout_s: float = CLOSE_S) -> LedgerState:
        """Write what is left and the session's end; return how the ledger stands.

        ``error`` is what ended the session's run. Blocks for at most ``timeout_s``; a second call changes nothing.
        """
        end = self._last_words(error)
        return self.state if end is None else self._writer.finish(end, timeout_s)

    async def aclose(self, error: BaseException | None = None, *, timeout_s: float = CLOSE_S) -> LedgerState:
        """Do the same as ``close`` while the loop goes on."""
        end = self._last_words(error)
        if end is None:
            return self.state
        return await asyncio.to_thread(self._writer.finish, end, timeout_s)

    def _last_words(self, error: BaseException | None) -> SessionEnd | None:
        """Stop listening and hand over what is new; None where nothing is to be written."""
        if self._closed:
            return None
        self._closed = self._shut = True
        session = self._session
        for topic, handler in self._listening:
            session.bus.unsubscribe(topic, handler)
        if self._timer is not None:
            self._timer.cancel()
        if not self._config.enabled:
            return None
        ended = session.now()
        equity: tuple[EquityPoint, ...] = ()
        if session.engine.started and not self._is_past():
            self._take_pictures()
            self._look()
            self._name_late()
            ended = session.engine.clock.now
            equity = tuple(self._points(ended))
        fault = error or session.fault
        return SessionEnd(
            "ended" if fault is None else "failed",
            "" if fault is None else words_of(fault),
            ended,
            session.heart.journal.seq,
            equity,
        )

    # -- orders, fills, adjustments ------------------------------------------------------------------------

    def _work(self, topic: str, event: Any) -> None:
        """Note what changed, and take its picture after the orders of this turn have left.

        A journal that is being played again has been taken before.
        """
        if self._is_past():
            return
        if self._loop is None:
            self._first()
        is_order = isinstance(event, OrderView)
        order = self._session.engine.execution.find(event) if is_order else None
        if not self._fresh and self._loop is not None:
            self._loop.call_soon(self._take_pictures)
        self._fresh.append(None if order is None else (order, order.status))
        if self._loop is None:
            self._take_pictures()

    def _take_pictures(self) -> None:
        fresh, self._fresh = self._fresh, []
        if not fresh:
            return
        self._look()
        for changed in fresh:
            if changed is not None:
                self._order(*changed)
        if self._loop is not None:
            self._note()

    def _is_past(self) -> bool:
        return self._continued > 0 and self._session.engine.clock.now < self._since

    def _first(self) -> None:
        """Begin to look at the clock, on the session's own loop, and to count where the past ends."""
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._timer = self._loop.call_later(0.0, self._tick)
        if not self.state.up:
            self._tell("ledger.down", self.state)

    def _look(self) -> None:
        """Take fills and adjustments that are new."""
        engine = self._session.engine
        execution, reports = engine.execution, engine.reports
        fills = execution.fills
        gone = execution.retention.fill_count - len(fills)
        put = self._writer.put
        self._fills = max(self._fills, gone)
        while self._fills < gone + len(fills):
            fill, order = fills[self._fills - gone]
            self._fills += 1
            if fill.ts_recv >= self._from:
                put(FillSnap(fill, order.strategy_id, order.tag or order.intent))
        lost = engine.news.gone
        self._reports = max(self._reports, lost)
        while self._reports < lost + len(reports):
            report = reports[self._reports - lost]
            self._reports += 1
            if report.ts_recv >= self._from and isinstance(report, FundingPaid | PositionAdjusted):
                put(report)

    def _order(self, order: Order, status: OrderStatus) -> None:
        """Take an order that had come to a status; its picture shows what it is now."""
        order_id = order.order_id
        if status is OrderStatus.HELD:
            self._held.add(order_id)
            return
        if order_id in self._held:
            self._held.discard(order_id)
            if status is OrderStatus.CANCELED:
                return  # it never left
        if status is OrderStatus.SUBMITTED or status is OrderStatus.DENIED:
            self._notes.append(order)
        if order.venue_order_id:
            self._unnamed.pop(order_id, None)
        elif status is not OrderStatus.DENIED:
            self._unnamed[order_id] = order
            if len(self._unnamed) > MOST_UNNAMED:
                del self._unnamed[next(iter(self._unnamed))]
        self._writer.put(snap(order))

    def _name_late(self) -> None:
        """Take the orders again whose venue told its own number after it had told everything else."""
        for order in self._unnamed.values():
            if order.venue_order_id:
                self._writer.put(snap(order))

    # -- notes in the journal ------------------------------------------------------------------------------

    def _note(self) -> None:
        """Note in the journal whose orders the new ones are; everything of the turn has been written and sent."""
        orders, self._notes = self._notes, []
        if self._shut or not orders:
            return
        sent = [order for order in orders if order.status is not OrderStatus.DENIED]
        denied = [order for order in orders if order.status is OrderStatus.DENIED]
        details: dict[str, Any] = {}
        if not self._capital_told:
            capital = self._session.engine.portfolio.capital
            details["capital"] = {name: str(amount) for name, amount in capital.items()}
        if sent:
            details["orders"] = [
                (o.order_id, o.strategy_id, o.intent, o.tag, o.parent_id, o.ts_init) for o in sent
            ]
        if denied:
            details["denied"] = [denied_note(order) for order in denied]
        try:
            self._session.heart.note(WHO, **details)
        except LannerError:
            return  # the journal takes nothing more: the session's next input ends it
        self._capital_told = True

    # -- time ----------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Take the equity where a point of the grid has passed."""
        if self._shut or self._loop is None:
            return
        if self._continued and not self._is_past():
            self._writer.cover(self._continued)
            self._continued = 0
        self._writer.look()
        now = self._session.now()
        step = now // self._equity_ns
        if step > self._sampled and self._session.engine.cache.marks:
            self._sampled = step
            for point in self._points(step * self._equity_ns):
                self._writer.put(point)
        ahead_s = (self._equity_ns - now % self._equity_ns) / 1e9
        self._timer = self._loop.call_later(min(TICK_S, ahead_s), self._tick)

    def _points(self, ts: int) -> list[EquityPoint]:
        """Return what the account is worth, and the strategies where there are several."""
        portfolio = self._session.engine.portfolio
        points = [EquityPoint("", ts, portfolio.total_equity())]
        if len(portfolio.capital) > 1:
            points += [EquityPoint(name, ts, portfolio.equity(name)) for name in portfolio.capital]
        return points

    # -- events --------------------------------------------------------------------------------------------

    def _news(self, topic: str, event: Any) -> None:
        if topic == "system.shutdown":
            self._shut = True
        if topic.startswith(_FROM_ENGINE) and self._is_past():
            return
        if self._loop is None:
            self._first()
        now = self._session.now()
        if isinstance(event, Control):
            self._control(event, now)
            return
        last, more = self._last_event.get(topic, (0, 0))
        if now - last < _SAME_NS and topic.startswith("data_engine."):
            self._last_event[topic] = (last, more + 1)
            return
        self._last_event[topic] = (now, 0)
        if topic == COMPARED and not event:
            return  # nothing differs: most comparisons
        text = words_of(event) + (f" (and {more} before)" if more else "")
        self._put_event(now, topic, text, level_of_event(topic, event))

    def _control(self, control: Control, ts: int) -> None:
        """Take what a person or a guard did; it has the name that the journal gives it, too."""
        if control.action in UNTOLD:
            return
        entry = control_event(control, self._session.heart.journal.seq, ts)
        self._writer.put_event(entry)

    def _put_event(self, ts: int, topic: str, text: str, level: str) -> None:
        self._events += 1
        self._writer.put_event(Event(f"{ts}-{self._events}", ts, level, topic, text))

    def _tell(self, topic: str, state: LedgerState) -> None:
        """Publish how the ledger is on the session's bus, from the session's own thread."""
        if self._loop is not None and not self._shut:
            try:
                self._loop.call_soon_threadsafe(self._publish, topic, state)
            except RuntimeError:
                return  # the loop is closed: nobody listens any more

    def _publish(self, topic: str, state: LedgerState) -> None:
        self._session.health.ledger = "up" if topic == "ledger.up" else f"down: {state.error}"
        self._session.bus.publish(topic, state)
