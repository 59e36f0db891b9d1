"""``AlertManager``: decides which alerts pass and hands them to the channels; it never waits for one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from lanner.net.wallclock import mono_ns, wall_ns
from lanner.telemetry.alerts import Alert, AlertCategory, AlertDetails, AlertLevel
from lanner.telemetry.channels.channel import Channel
from lanner.telemetry.channels.make import make_channel
from lanner.telemetry.courier import Courier
from lanner.telemetry.secrets import Redactor
from lanner.telemetry.settings import AlertsConfig, ChannelConfig, level_of

HOUR_NS = 3_600_000_000_000
CLOSE_S = 5.0
_MANY_IDS = 4096

OnLoss = Callable[[Alert, str], None]

_TRADE_LEVELS = {
    AlertCategory.TRADE_LIQUIDATION: AlertLevel.EMERGENCY,
    AlertCategory.TRADE_FAILED: AlertLevel.WARNING,
    AlertCategory.TRADE_STOP_LOSS: AlertLevel.WARNING,
}


class AlertManager:
    """Take alerts from any thread and pass them on in the order throttle, level, quiet hours, channels.

    ``clock`` tells UNIX nanoseconds in place of the system's. ``on_loss(alert, why)`` hears of each alert that did not
    reach somebody, from any thread; it must neither wait nor send alerts.

    Emergencies are held back by nothing but the throttling of their own id.
    """

    def __init__(
        self,
        config: AlertsConfig | None = None,
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        clock: Callable[[], int] | None = None,
        redactor: Redactor | None = None,
        on_loss: OnLoss | None = None,
        source: str = "",
        leave_out: frozenset[str] = frozenset(),
    ) -> None:
        """Make the enabled channels of the settings; ``leave_out`` names types that are not wanted here.

        Without settings there are none, and without a ``folder`` no log file. ``source`` is that of alerts which
        name none.
        """
        self.config = config or without_channels(AlertsConfig())
        self.redactor = redactor or Redactor()
        self.source = source
        self._now = clock
        self._on_loss = on_loss
        self._least = level_of(self.config.min_level)
        self._least_quiet = level_of(self.config.quiet_hours_min_level)
        self._lock = threading.Lock()
        self._passed_at: dict[str, int] = {}
        self._held: dict[str, int] = {}
        self._hour: deque[int] = deque()
        self._history: deque[Alert] = deque(maxlen=self.config.max_history_size)
        self._by_level = dict.fromkeys(AlertLevel, 0)
        self._counts = {"throttled": 0, "below_level": 0, "muted": 0, "over_hourly_limit": 0}
        self._is_over = False
        self._routes: list[tuple[Callable[[AlertLevel], bool], Courier]] = []
        wanted = {
            name: told
            for name, told in self.config.channels.items()
            if told.enabled and told.type not in leave_out and (told.type != "log" or folder is not None)
        }
        made = {
            name: make_channel(name, told, folder or Path(), self.redactor, environment)
            for name, told in wanted.items()
        }
        for name, channel in made.items():
            self._add(channel, wanted[name], self._route_of(name))

    def _clock(self) -> int:
        return wall_ns() if self._now is None else self._now()

    # -- channels --------------------------------------------------------------------------------------------

    def add_channel(
        self, channel: Channel, *, min_level: AlertLevel = AlertLevel.INFO, **limits: Any
    ) -> None:
        """Add a channel of one's own; ``limits`` are those of ``Courier``: per_minute, attempts, queue."""
        courier = Courier(channel, clean=self.redactor, on_loss=self._lost, **limits)
        self._routes.append((lambda level: level >= min_level, courier))

    def _add(self, channel: Channel, told: ChannelConfig, wanted: Callable[[AlertLevel], bool]) -> None:
        courier = Courier(
            channel,
            per_minute=told.rate,
            attempts=told.attempts,
            queue=told.queue,
            clean=self.redactor,
            on_loss=self._lost,
        )
        self._routes.append((wanted, courier))

    def _route_of(self, name: str) -> Callable[[AlertLevel], bool]:
        return lambda level: self.config.goes_to(level, name)

    def _lost(self, channel: str, alert: Alert, why: str) -> None:
        if self._on_loss is not None:
            self._on_loss(alert, f"{channel}: {why}")

    # -- alerts ----------------------------------------------------------------------------------------------

    def send_alert(self, alert: Alert) -> bool:
        """Pass an alert on, or hold it back; tell which."""
        now = self._clock()
        with self._lock:
            held = self._held_back(alert, now)
            if not held:
                alert = self._pass(alert, now)
        if held and self._on_loss is not None and held != "below_level":
            self._on_loss(alert, held.replace("_", " "))
        return not held

    def _held_back(self, alert: Alert, now: int) -> str:
        """Return which rule holds an alert back, counted, or nothing."""
        window = self.config.throttle_window_ms * 1_000_000
        before = self._passed_at.get(alert.id)
        reason = ""
        if before is not None and now - before < window:
            reason = "throttled"
            self._held[alert.id] = self._held.get(alert.id, 0) + 1
        elif alert.level < self._least:
            reason = "below_level"
        elif alert.level < self._least_quiet and self.config.is_quiet(now // HOUR_NS % 24):
            reason = "muted"
        elif alert.level < AlertLevel.EMERGENCY and self._is_full(now):
            reason = "over_hourly_limit"
        if reason:
            self._counts[reason] += 1
        if reason == "over_hourly_limit" and not self._is_over:
            self._say_full(now)
        return reason

    def _is_full(self, now: int) -> bool:
        while self._hour and self._hour[0] <= now - HOUR_NS:
            self._hour.popleft()
        most = self.config.max_alerts_per_hour
        full = bool(most) and len(self._hour) >= most
        self._is_over = self._is_over and full
        return full

    def _pass(self, alert: Alert, now: int) -> Alert:
        clean, key = self.redactor, alert.id
        alert = replace(
            alert,
            id=clean(key),
            title=clean(alert.title),
            message=clean(alert.message),
            repeats=self._held.pop(key, 0),
        )
        self._hand_out(alert)
        self._hour.append(now)
        if len(self._passed_at) >= _MANY_IDS:
            self._forget(now)
        self._passed_at[key] = now
        return alert

    def _hand_out(self, alert: Alert) -> None:
        for wanted, courier in self._routes:
            if wanted(alert.level):
                courier.put(alert)
        self._by_level[alert.level] += 1
        self._history.append(alert)

    def _say_full(self, now: int) -> None:
        """Say once that from now on there is silence, because silence looks like peace."""
        self._is_over = True
        self._hand_out(
            Alert(
                "alerts.hourly_limit",
                AlertLevel.WARNING,
                AlertCategory.SYSTEM_PERFORMANCE,
                f"More than {self.config.max_alerts_per_hour} alerts within an hour",
                "Until there are fewer, only emergencies are sent; the others are in the log.",
                now,
                "AlertManager",
            )
        )

    def _forget(self, now: int) -> None:
        """Let go of ids that no longer hold anything back."""
        window = self.config.throttle_window_ms * 1_000_000
        self._passed_at = {id_: at for id_, at in self._passed_at.items() if now - at < window}
        if len(self._passed_at) >= _MANY_IDS:
            self._passed_at = dict(list(self._passed_at.items())[_MANY_IDS // 2 :])
        self._held = {id_: count for id_, count in self._held.items() if id_ in self._passed_at}

    def alert(
        self,
        level: AlertLevel,
        category: AlertCategory,
        title: str,
        message: str = "",
        *,
        id: str = "",
        source: str = "",
        details: AlertDetails | None = None,
    ) -> bool:
        """Pass an alert on from its parts; without an ``id`` category, source and title are its key."""
        source = source or self.source
        key = id or f"{category}:{source}:{title}"
        return self.send_alert(Alert(key, level, category, title, message, self._clock(), source, details))

    def info(self, category: AlertCategory, title: str, message: str = "", **more: Any) -> bool:
        """Tell something that is good to know; ``more`` as for ``alert``."""
        return self.alert(AlertLevel.INFO, category, title, message, **more)

    def warning(self, category: AlertCategory, title: str, message: str = "", **more: Any) -> bool:
        """Tell something that somebody should look at today."""
        return self.alert(AlertLevel.WARNING, category, title, message, **more)

    def critical(self, category: AlertCategory, title: str, message: str = "", **more: Any) -> bool:
        """Tell something that somebody should look at now."""
        return self.alert(AlertLevel.CRITICAL, category, title, message, **more)

    def emergency(self, category: AlertCategory, title: str, message: str = "", **more: Any) -> bool:
        """Tell something for which people are woken up."""
        return self.alert(AlertLevel.EMERGENCY, category, title, message, **more)

    def risk_alert(
        self, category: AlertCategory, message: str, details: AlertDetails | None = None, **more: Any
    ) -> bool:
        """Tell what the risk rules found; it is always critical."""
        more = {"source": "RiskEngine", **more}
        return self.critical(category, _words(category), message, details=details, **more)

    def trade_alert(
        self, category: AlertCategory, message: str, details: AlertDetails | None = None, **more: Any
    ) -> bool:
        """Tell what became of a trade; its level follows from the category."""
        level = _TRADE_LEVELS.get(category, AlertLevel.INFO)
        return self.alert(level, category, _words(category), message, details=details, **more)

    # -- looking back ----------------------------------------------------------------------------------------

    def get_recent_alerts(self, n: int = 100) -> list[Alert]:
        """Return the last alerts that passed, newest first."""
        with self._lock:
            return list(self._history)[::-1][: max(0, n)]

    def clear_history(self) -> None:
        """Forget the alerts of before; counts and throttling stay."""
        with self._lock:
            self._history.clear()

    def get_stats(self) -> dict[str, Any]:
        """Return counts by level, of what was held back, and of each channel."""
        with self._lock:
            counts = {
                "total": sum(self._by_level.values()),
                "by_level": {level.word: count for level, count in self._by_level.items()},
                **self._counts,
                "history_size": len(self._history),
                "channel_count": len(self._routes),
            }
        channels = {courier.channel.name: courier.stats() for _, courier in self._routes}
        return {**counts, "channels": channels}

    # -- the end ---------------------------------------------------------------------------------------------

    def flush(self, timeout_s: float = CLOSE_S) -> bool:
        """Wait until every channel is idle; tell whether that came about in time."""
        end = mono_ns() + int(timeout_s * 1e9)
        idle = [courier.flush(max(0.0, (end - mono_ns()) / 1e9)) for _, courier in self._routes]
        return all(idle)

    def close(self, timeout_s: float = CLOSE_S) -> bool:
        """End the channels; what is queued may leave until the time is up. Tell whether all came to their end."""
        for _, courier in self._routes:
            courier.end(timeout_s)
        gone = [courier.join() for _, courier in self._routes]
        return all(gone)


def without_channels(config: AlertsConfig) -> AlertsConfig:
    """Return settings that lead nowhere: what is sent is counted and remembered."""
    return config.model_copy(update={"channels": {}, "routing": {}})


def _words(category: AlertCategory) -> str:
    return category.value.replace("_", " ").capitalize()
