"""Alerts and the log of a session: subscribers on its bus, never on its path."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.core.errors import LannerError
from lanner.live.alerting.facts import ENGINE_TOPICS, RULES, Fact, Rule, foreign_order, order_filled, short
from lanner.live.alerting.lookout import LOOK_S, Lookout
from lanner.live.event_words import words_of
from lanner.model.orders import OrderView
from lanner.model.signals import StrategyAlert
from lanner.net.wallclock import mono_ns, wall_ns
from lanner.telemetry import Alert, AlertCategory, AlertLevel, AlertManager, Redactor, SessionLog
from lanner.telemetry.log import LOG_FILE
from lanner.telemetry.manager import CLOSE_S, without_channels
from lanner.telemetry.settings import level_of

if TYPE_CHECKING:
    from lanner.core.bus import Handler
    from lanner.live.config import SessionConfig
    from lanner.live.session import Session
    from lanner.model.accounts import VenueOrder

ALERT_STATS = "alerts.stats"
"""The endpoint of a session's bus that tells ``AlertManager.get_stats``."""
NO_CONSOLE = frozenset({"console"})
_FIRST_LOOK_S = 0.1
_QUIET = AlertLevel.DEBUG


def open_log(folder: Path, config: SessionConfig, redactor: Redactor | None = None) -> SessionLog | None:
    """Open the log file of a session, None where the settings want none; its ``strategy_line`` is a session's sink."""
    told = config.log
    if not told.enabled:
        return None
    return SessionLog(
        folder / LOG_FILE,
        level=level_of(told.level),
        max_mb=told.max_mb,
        keep=told.keep,
        redactor=redactor,
    )


def attach_alerts(
    session: Session, config: SessionConfig, *, log: SessionLog | None = None, console: bool = True
) -> SessionAlerts:
    """Watch a session's bus, and turn what happens into alerts and lines of its log, until ``close``.

    To be called before the session runs, in its thread. Raise ``LannerError`` for a channel that cannot be used.
    """
    try:
        return SessionAlerts(session, config, log, console=console)
    except BaseException:
        if log is not None:
            log.close()
        raise


class SessionAlerts:
    """The alerts of one session; ``manager`` is for whoever wants to send some of his own."""

    def __init__(
        self, session: Session, config: SessionConfig, log: SessionLog | None, *, console: bool
    ) -> None:
        self._session = session
        self._log = log
        self._since = wall_ns()
        self._enabled = config.alerts.enabled
        self._fills = config.alerts.fills
        settings = config.alerts
        if not settings.enabled:
            settings = without_channels(settings)
        self.manager = AlertManager(
            settings,
            folder=session.folder,
            source=session.id,
            redactor=None if log is None else log.redactor,
            on_loss=self._lost,
            leave_out=frozenset() if console else NO_CONSOLE,
        )
        self._lookout = Lookout(session, config.alerts)
        self._handlers: list[tuple[str, Handler]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._planned_ns = 0
        self._closed = False
        self._subscribe()
        session.bus.register(ALERT_STATS, lambda _: self.manager.get_stats())
        self._start_timer()

    # -- what the bus says -----------------------------------------------------------------------------------

    def _subscribe(self) -> None:
        rules: dict[str, Rule] = {
            **RULES,
            "order.filled": partial(order_filled, fills=self._fills),
            "exchange.foreign_order": self._foreign,
        }
        for topic, rule in rules.items():
            self._listen(topic, partial(self._take, rule))
        self._listen("system.shutdown", self._shutdown)
        if self._log is not None:
            for topic in ("order.cancelled", "order.expired", "data_engine.healed"):
                self._listen(topic, self._note)

    def _listen(self, topic: str, handler: Handler) -> None:
        self._session.bus.subscribe(topic, handler)
        self._handlers.append((topic, handler))

    def _take(self, rule: Rule, topic: str, event: Any) -> None:
        if self._timer is None:
            self._start_timer()
        if self._is_past(topic, event):
            return
        fact = rule(event)
        if fact is None:
            self._note(topic, event)
        else:
            self._tell(fact, topic)

    def _foreign(self, order: VenueOrder) -> Fact | None:
        """Tell of others' orders on the session's own instruments; liquidations concern the whole account."""
        fact = foreign_order(order)
        is_ours = order.instrument_id in self._session.plan.instruments
        return fact if is_ours or fact is None or fact.level > AlertLevel.WARNING else None

    def _is_past(self, topic: str, event: Any) -> bool:
        """Tell whether the engine is being rebuilt from its journal: what it says then was told on its day."""
        if isinstance(event, StrategyAlert):
            return event.ts < self._since
        return topic.startswith(ENGINE_TOPICS) and self._session.engine.clock.now < self._since

    def _note(self, topic: str, event: Any) -> None:
        if self._log is None or self._is_past(topic, event):
            return
        if isinstance(event, OrderView):
            order = event
            self._log.write(
                AlertLevel.INFO,
                topic,
                order.reason,
                order=order.order_id,
                strategy=order.strategy_id,
                instrument=order.instrument_id,
                side=order.side.name,
                qty=str(order.qty),
                filled=str(order.cum_qty),
            )
        else:
            self._log.write(AlertLevel.INFO, topic, short(words_of(event)))

    def _shutdown(self, topic: str, event: Any) -> None:
        self._look()
        fault = self._session.fault
        level = AlertLevel.INFO if fault is None else AlertLevel.WARNING
        why = "" if fault is None else f"{type(fault).__name__}: {fault}"
        title = f"Session {self._session.id} ended"
        self._tell(Fact("stopped", level, AlertCategory.STRATEGY_STOPPED, title, why), topic)

    def _tell(self, fact: Fact, topic: str) -> None:
        title, message = short(fact.title), short(fact.message)
        if self._log is not None:
            self._log.write(fact.level, topic, f"{title}: {message}" if message else title, key=fact.key)
        if self._enabled:
            self.manager.alert(
                fact.level,
                fact.category,
                title,
                message,
                id=f"{self._session.id}:{short(fact.key)}",
                details=fact.details,
            )

    def _lost(self, alert: Alert, why: str) -> None:
        if self._log is not None:
            level = _QUIET if why in ("throttled", "muted") else AlertLevel.WARNING
            self._log.write(level, "alert.not_sent", alert.title, why=why, alert_level=alert.level.word)

    # -- what nobody says ------------------------------------------------------------------------------------

    def _start_timer(self) -> None:
        """Begin to look, as soon as there is a loop to do it in."""
        if self._closed:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        started = bool(self._session.health.started_ns)
        pause = LOOK_S if started else _FIRST_LOOK_S
        self._planned_ns = mono_ns() + int(pause * 1e9)
        self._timer = loop.call_later(pause, self._on_time)

    def _on_time(self) -> None:
        late_s = max(0.0, (mono_ns() - self._planned_ns) / 1e9)
        self._look(late_s)
        self._start_timer()

    def _look(self, late_s: float = 0.0) -> None:
        try:
            for fact in self._lookout.look(wall_ns(), late_s):
                self._tell(fact, f"lookout.{fact.key.partition(':')[0]}")
        except Exception as error:  # noqa: BLE001 - a watcher must never end what it watches
            if self._log is not None:
                self._log.write(AlertLevel.WARNING, "alert.fault", f"{type(error).__name__}: {error}")

    # -- the end ---------------------------------------------------------------------------------------------

    async def aclose(self, error: BaseException | None = None, timeout_s: float = CLOSE_S) -> bool:
        """Close without holding up the loop; ``error`` is what kept the session from running, if anything did."""
        if isinstance(error, Exception) and self._session.fault is None:
            text = error.message() if isinstance(error, LannerError) else f"{type(error).__name__}: {error}"
            title = f"Session {self._session.id} could not go on"
            fact = Fact("failed", AlertLevel.CRITICAL, AlertCategory.SYSTEM_ERROR, title, text)
            self._tell(fact, "session.failed")
        self._leave()
        return await asyncio.to_thread(self._finish, timeout_s)

    def close(self, timeout_s: float = CLOSE_S) -> bool:
        """Stop watching, and give what is under way so long to leave; tell whether all of it could."""
        self._leave()
        return self._finish(timeout_s)

    def _leave(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for topic, handler in self._handlers:
            self._session.bus.unsubscribe(topic, handler)
        if self._handlers:
            self._session.bus.unregister(ALERT_STATS)
        self._handlers.clear()

    def _finish(self, timeout_s: float) -> bool:
        whole = self.manager.close(timeout_s)
        if self._log is not None:
            self._log.close()
        return whole
