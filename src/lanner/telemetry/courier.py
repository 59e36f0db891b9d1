"""One channel's own thread: a bounded queue, a rate, attempts with growing pauses, and counts of what came of it.

Nobody waits for it. What is gravest leaves first; when the queue is full, the least grave alert is dropped and counted.
"""

from __future__ import annotations

import heapq
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from lanner.net.wallclock import mono_ns, wall_ns
from lanner.telemetry.alerts import Alert, AlertCategory, AlertLevel
from lanner.telemetry.channels.channel import Channel, DeliveryError

FIRST_PAUSE_S = 0.25
SUMMARY_S = 60.0
"""How long after the first alert that was over the rate a summary of them is sent."""
SUMMARY_ID = "alerts.not_sent"

OnLoss = Callable[[str, Alert, str], None]


@dataclass(slots=True)
class CourierStats:
    """What became of a channel's alerts; ``limited`` were over the rate, ``dropped`` found the queue full."""

    sent: int = 0
    failed: int = 0
    retries: int = 0
    dropped: int = 0
    limited: int = 0
    queued: int = 0
    last_error: str = ""


class TokenBucket:
    """So many tokens a minute, all of them at once if need be."""

    def __init__(self, per_minute: int | None) -> None:
        self._most = per_minute
        self._tokens = float(per_minute or 0)
        self._at = mono_ns()

    def take(self) -> bool:
        """Take a token if there is one."""
        if self._most is None:
            return True
        now = mono_ns()
        self._tokens = min(float(self._most), self._tokens + (now - self._at) / 60e9 * self._most)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class Courier:
    """Carry alerts through one channel.

    ``clean`` strikes secrets out of what a fault says. ``on_loss(channel, alert, why)`` hears of each alert that was
    not delivered, in the courier's thread or in the caller's.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        per_minute: int | None = None,
        attempts: int = 3,
        queue: int = 200,
        clean: Callable[[str], str] = str,
        on_loss: OnLoss | None = None,
        summary_s: float = SUMMARY_S,
    ) -> None:
        self.channel = channel
        self._bucket = TokenBucket(per_minute)
        self._attempts = attempts
        self._most = queue
        self._clean = clean
        self._on_loss = on_loss
        self._summary_s = summary_s
        self._stats = CourierStats()
        self._heap: list[tuple[int, int, Alert]] = []
        self._number = 0
        self._busy = False
        self._limited: Counter[AlertLevel] = Counter()
        self._limited_since = 0
        self._ending_at: int | None = None
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"alerts-{channel.name}", daemon=True)
        self._thread.start()

    # -- the caller's side -----------------------------------------------------------------------------------

    def put(self, alert: Alert) -> None:
        """Hand an alert over; never waits for the channel."""
        lost: Alert | None = None
        with self._change:
            if self._ending_at is not None:
                lost = alert
            else:
                self._number += 1
                heapq.heappush(self._heap, (-alert.level, self._number, alert))
                if len(self._heap) > self._most:
                    lost = self._drop_least()
                self._change.notify_all()
            if lost is not None:
                self._stats.dropped += 1
        if lost is not None:
            self._lose(
                lost, "the channel is closed" if lost is alert and self._ending_at else "the queue is full"
            )

    def _drop_least(self) -> Alert:
        """Take the youngest of the least grave alerts out."""
        entry = max(self._heap)
        self._heap.remove(entry)
        heapq.heapify(self._heap)
        return entry[2]

    def stats(self) -> dict[str, Any]:
        """Return a copy of the counts."""
        with self._change:
            self._stats.queued = len(self._heap) + self._busy
            return asdict(self._stats)

    def flush(self, timeout_s: float) -> bool:
        """Wait until nothing is under way; tell whether that came about in time."""
        with self._change:
            return self._change.wait_for(lambda: not self._heap and not self._busy, timeout_s)

    def end(self, timeout_s: float) -> None:
        """Begin to close: what is queued may still leave until then."""
        with self._change:
            if self._ending_at is None:
                self._ending_at = mono_ns() + int(timeout_s * 1e9)
            self._change.notify_all()

    def join(self) -> bool:
        """Wait for the end that ``end`` announced; tell whether the thread is gone."""
        end = self._ending_at or mono_ns()
        self._thread.join(max(0.0, (end - mono_ns()) / 1e9) + 0.2)
        return not self._thread.is_alive()

    # -- the thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            alert = self._next()
            if alert is None:
                return
            try:
                self._handle(alert)
            finally:
                with self._change:
                    self._busy = False
                    self._change.notify_all()

    def _next(self) -> Alert | None:
        """Wait for something to send; None ends the thread."""
        with self._change:
            while True:
                if self._late():
                    self._give_up()
                    return None
                if self._heap:
                    self._busy = True
                    return heapq.heappop(self._heap)[2]
                if self._limited and (self._ending_at is not None or self._summary_in() <= 0):
                    self._busy = True
                    return self._summary()
                if self._ending_at is not None:
                    return None
                self._change.wait(max(0.01, self._summary_in()) if self._limited else None)

    def _late(self) -> bool:
        return self._ending_at is not None and mono_ns() >= self._ending_at

    def _give_up(self) -> None:
        for _, _, alert in self._heap:
            self._stats.dropped += 1
            self._lose(alert, "the session ended before it could be sent")
        self._heap.clear()

    def _handle(self, alert: Alert) -> None:
        is_summary = alert.id == SUMMARY_ID
        if not self._bucket.take() and alert.level < AlertLevel.EMERGENCY and not is_summary:
            if not self._limited:
                self._limited_since = mono_ns()
            self._limited[alert.level] += 1
            with self._change:
                self._stats.limited += 1
            self._lose(alert, "over the channel's rate")
            return
        self._deliver(alert)

    def _deliver(self, alert: Alert) -> None:
        pause = FIRST_PAUSE_S
        for attempt in range(1, self._attempts + 1):
            try:
                self.channel.deliver(alert)
            except Exception as error:  # noqa: BLE001 - a channel is foreign code: whatever it raises stays here
                last = self._failed(error, attempt)
                if last or not self._rest(max(pause, getattr(error, "retry_after_s", 0.0))):
                    break
                pause *= 4
            else:
                with self._change:
                    self._stats.sent += 1
                return
        with self._change:
            self._stats.failed += 1
            why = self._stats.last_error
        self._lose(alert, why)

    def _failed(self, error: Exception, attempt: int) -> bool:
        """Note a failed attempt; tell whether it was the last."""
        known = isinstance(error, DeliveryError)
        text = self._clean(str(error) if known else f"{type(error).__name__}: {error}")
        last = attempt == self._attempts or (isinstance(error, DeliveryError) and error.lasting)
        with self._change:
            self._stats.last_error = text[:500]
            self._stats.retries += not last
        return last

    def _rest(self, seconds: float) -> bool:
        """Pause before another attempt; False when the end comes first."""
        until = mono_ns() + int(seconds * 1e9)
        with self._change:
            while mono_ns() < until:
                if self._ending_at is not None and self._ending_at <= until:
                    return False
                self._change.wait((until - mono_ns()) / 1e9)
        return not self._late()

    # -- what was over the rate ------------------------------------------------------------------------------

    def _summary_in(self) -> float:
        return self._summary_s - (mono_ns() - self._limited_since) / 1e9

    def _summary(self) -> Alert:
        parts = ", ".join(
            f"{count} {level.word}" for level, count in sorted(self._limited.items(), reverse=True)
        )
        total, gravest = self._limited.total(), max(self._limited)
        self._limited.clear()
        return Alert(
            SUMMARY_ID,
            gravest,
            AlertCategory.SYSTEM_PERFORMANCE,
            f"{total} alerts were not sent",
            f"Over the rate of channel {self.channel.name}: {parts}. They are in the log.",
            wall_ns(),
            "AlertManager",
        )

    def _lose(self, alert: Alert, why: str) -> None:
        if self._on_loss is not None:
            self._on_loss(self.channel.name, alert, why)
