"""A session's ledger: it listens on the bus, and nothing that the session does waits for it.

``attach_ledger`` is what everybody who starts a session calls. Beside the ledger's rows it keeps a few notes in the
session's journal: whose orders are, and orders that were denied before they left. With them a journal alone is enough
to make all rows again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lanner.core.errors import LannerError
from lanner.model.enums import OrderStatus
from lanner.model.orders import Order
from lanner.model.reports import FundingPaid, PositionAdjusted
from lanner.storage.journal import Control
from lanner.storage.ledger.fold import WHO, control_event, denied_note
from lanner.storage.ledger.records import EquityPoint, Event, FillSnap, snap
from lanner.storage.ledger.store import Ledger
from lanner.storage.ledger.writer import LedgerState, LedgerWriter, Pace, SessionEnd
from lanner.telemetry.secrets import SecretText

if TYPE_CHECKING:
    from lanner.live.config import LedgerConfig
    from lanner.live.session import Session

CLOSE_S = 15.0
TICK_S = 1.0
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
_LEVELS = {
    "system.fault": "critical",
    "risk.kill_switch": "critical",
    "risk.kill_wanted": "critical",
    "risk.trouble": "error",
    "ledger.down": "error",
    "config.reload_failed": "error",
    "data_engine.error": "warning",
    "data_engine.gap": "warning",
    "system.reconnecting": "warning",
    "system.disconnected": "warning",
}
_FROM_ENGINE = ("risk.", "config.", "control.")
"""Topics on which a journal that is played again speaks."""
_SAME_NS = 1_000_000_000
"""Events of one topic that come faster than this are told once, and counted."""


def attach_ledger(session: Session, config: LedgerConfig | None = None) -> LedgerHandle:
    """Let a session that has not been run yet keep a ledger; call ``close`` when its run is over.

    Without ``config`` the session's own settings count. Raises ``LannerError`` for an address that cannot be right;
    a database that is not there is no error: it is told on the bus, and made up for when it comes back.
    """
    settings = config or session.plan.config.ledger
    return LedgerHandle(session, settings, Ledger(real_url(settings.url), wait_s=settings.wait_s))


def real_url(url: str) -> str:
    """Return a ledger's address; ``env:NAME``, ``file:PATH`` and ``keyring:NAME`` say where it is kept."""
    told = SecretText(url)
    return told.reveal() if told.is_reference else url


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
        self._capital_told = False
        self._events = 0
        self._last_event: dict[str, tuple[int, int]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._shut = False
        self._closed = False
        pace = Pace(config.batch, config.queue, config.flush_ms / 1e3, self._equity_ns)
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
            self._look()
            self._name_late()
            ended = session.engine.clock.now
            equity = tuple(self._points(ended))
        fault = error or session.fault
        return SessionEnd(
            "ended" if fault is None else "failed",
            "" if fault is None else _words(fault),
            ended,
            session.heart.journal.seq,
            equity,
        )

    # -- orders, fills, adjustments ------------------------------------------------------------------------

    def _work(self, topic: str, event: Any) -> None:
        """Take the picture of what changed. A journal that is being played again has been taken before."""
        if self._is_past():
            return
        if self._loop is None:
            self._first()
        self._look()
        if isinstance(event, Order):
            self._order(event)

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
        fills, reports = engine.execution.fills, engine.reports
        put = self._writer.put
        while self._fills < len(fills):
            fill, order = fills[self._fills]
            self._fills += 1
            if fill.ts_recv >= self._from:
                put(FillSnap(fill, order.strategy_id, order.tag or order.intent))
        while self._reports < len(reports):
            report = reports[self._reports]
            self._reports += 1
            if report.ts_recv >= self._from and isinstance(report, FundingPaid | PositionAdjusted):
                put(report)

    def _order(self, order: Order) -> None:
        order_id, status = order.order_id, order.status
        if status is OrderStatus.HELD:
            self._held.add(order_id)
            return
        if order_id in self._held:
            self._held.discard(order_id)
            if status is OrderStatus.CANCELED:
                return  # it never left
        if status is OrderStatus.SUBMITTED or status is OrderStatus.DENIED:
            self._remember(order)
        if order.venue_order_id:
            self._unnamed.pop(order_id, None)
        elif status is not OrderStatus.DENIED:
            self._unnamed[order_id] = order
        self._writer.put(snap(order))

    def _name_late(self) -> None:
        """Take the orders again whose venue told its own number after it had told everything else."""
        for order in self._unnamed.values():
            if order.venue_order_id:
                self._writer.put(snap(order))

    # -- notes in the journal ------------------------------------------------------------------------------

    def _remember(self, order: Order) -> None:
        """Note in the journal whose order it is, after everything of this turn has been written and sent."""
        if not self._notes and self._loop is not None:
            self._loop.call_soon(self._note)
        self._notes.append(order)

    def _note(self) -> None:
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
        text = _words(event) + (f" (and {more} before)" if more else "")
        self._put_event(now, topic, text)

    def _control(self, control: Control, ts: int) -> None:
        """Take what a person or a guard did; it has the name that the journal gives it, too."""
        entry = control_event(control, self._session.heart.journal.seq, ts)
        self._writer.put_event(entry)

    def _put_event(self, ts: int, topic: str, text: str) -> None:
        self._events += 1
        level = _LEVELS.get(topic, "info")
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


def _words(event: Any) -> str:
    """Return an event in few words."""
    if isinstance(event, LannerError):
        text = event.message()
    elif isinstance(event, BaseException):
        text = f"{type(event).__name__}: {event}"
    elif isinstance(event, LedgerState):
        text = event.error or f"{event.written} rows written, {event.dropped} entries dropped on the way"
    elif hasattr(event, "name") and hasattr(event, "state"):
        text = f"{event.name}: {event.state.name.lower()} {getattr(event, 'reason', '')}"
    elif hasattr(event, "as_dict"):
        text = str(event.as_dict())
    else:
        text = str(event)
    return " ".join(text.split())[:500]
