"""What an engine tells at a fixed pace: ``system.tick`` and ``system.heartbeat``, on an absolute schedule."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from lanner.live.beats import keep_pace

if TYPE_CHECKING:
    from lanner.core.bus import MessageBus


class Metronome:
    """Beat on the loop that runs; ``resting`` tells when ticks are left out. Counts are of one run."""

    def __init__(self, bus: MessageBus, resting: Callable[[], bool]) -> None:
        self.ticks = self.heartbeats = 0
        self._bus = bus
        self._resting = resting
        self._beats: dict[str, asyncio.Task[None]] = {}

    def pace(self, name: str, interval_ms: int | None) -> None:
        """Change the pace of ``tick`` or ``heartbeat``; None ends it."""
        running = self._beats.pop(name, None)
        if running is not None:
            running.cancel()
        if interval_ms is not None:
            act = self._tick if name == "tick" else self._heartbeat
            self._beats[name] = asyncio.ensure_future(keep_pace(interval_ms / 1e3, act))

    async def stop(self) -> None:
        """End all beats."""
        beats, self._beats = list(self._beats.values()), {}
        for beat in beats:
            beat.cancel()
        await asyncio.gather(*beats, return_exceptions=True)

    def _tick(self) -> None:
        if not self._resting():
            self.ticks += 1
            self._bus.publish("system.tick", self.ticks)

    def _heartbeat(self) -> None:
        self.heartbeats += 1
        self._bus.publish("system.heartbeat", self.heartbeats)
