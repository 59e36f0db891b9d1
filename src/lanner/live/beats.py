"""The times of a session: the alarm for what is due next, and what happens at a fixed pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from lanner.core.clock import NEVER
from lanner.live.paper import PaperVenues
from lanner.net.wallclock import wall_ns

if TYPE_CHECKING:
    from lanner.live.session import Session


class Beats:
    """Keep one session's time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_due = NEVER

    def start(self) -> None:
        """Begin what happens at a fixed pace."""
        session = self._session
        config = session.plan.config
        if config.tick_ms is not None:
            session.spawn(self._beat(config.tick_ms / 1e3, self._tick))
        session.spawn(self._beat(config.heartbeat_ms / 1e3, self._heartbeat))
        session.spawn(self._beat(min(1.0, config.journal.checkpoint_s), session.checkpoints.look))
        session.spawn(self._beat(1.0, session.heart.journal.sync_if_due))
        if config.reload.watch:
            session.spawn(session.reload.keep())

    def stop(self) -> None:
        """Let the alarm be."""
        if self._alarm is not None:
            self._alarm.cancel()

    def set_alarm(self) -> None:
        """Wake up when the next timer is due, or the next thing arrives that travels in a simulated venue."""
        due = self._session.engine.clock.next_due
        if isinstance(self._session.venues, PaperVenues):
            due = min(due, self._session.venues.next_due)
        if self._alarm is not None:
            if self._alarm_due == due:
                return
            self._alarm.cancel()
            self._alarm = None
        if due < NEVER:
            self._alarm_due = due
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(max(0.0, (due - wall_ns()) / 1e9), self._wake)

    def _wake(self) -> None:
        self._alarm = None
        self._session.guarded(self.pass_time)

    def pass_time(self) -> None:
        """Let everything that is due by now happen."""
        session = self._session
        now = session.now()
        if isinstance(session.venues, PaperVenues):
            session.venues.pass_time(now)
        elif session.engine.clock.next_due <= now:
            session.send(session.heart.advance(now))
        self.set_alarm()

    async def _beat(self, period_s: float, act: Callable[[], None]) -> None:
        await keep_pace(period_s, lambda: self._session.guarded(act))

    def _tick(self) -> None:
        session = self._session
        if not session.engine.paused:
            session.counts.ticks += 1
            session.bus.publish("system.tick", session.counts.ticks)
        self.pass_time()

    def _heartbeat(self) -> None:
        session = self._session
        session.counts.heartbeats += 1
        for product, link in session.links.items():
            session.health.offset_ms[product] = link.clock.offset_ns / 1e6
        session.bus.publish("system.heartbeat", session.counts.heartbeats)
        session.changed()


async def keep_pace(period_s: float, act: Callable[[], None]) -> None:
    """Act at a fixed pace, on an absolute schedule that never drifts; what was missed is left out, not made up for."""
    time = asyncio.get_running_loop().time
    due = time() + period_s
    while True:
        await asyncio.sleep(max(0.0, due - time()))
        act()
        due += period_s
        behind = time() - due
        if behind > 0:
            due += period_s * (behind // period_s)
