"""Logical time: a clock that moves only when an input says so, and timers as data."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from lanner.core.errors import ConfigError

NEVER = 1 << 62
"""A time that no input reaches (year 2116 in nanoseconds)."""


@dataclass(slots=True, frozen=True, order=True)
class TimerEvent:
    """A timer that is due: ``ts`` is the scheduled time, not the time at which it was noticed."""

    ts: int
    sequence: int
    name: str
    owner: str
    period_ns: int
    count: int


class LogicalClock:
    """Keep the engine's time and its timers.

    Periodic timers follow an absolute schedule (start + n · period), so they never drift. ``next_due``
    is public so that a hot loop can compare one integer before it calls ``due``.
    """

    __slots__ = ("_heap", "_live", "_sequence", "next_due", "now")

    def __init__(self, now: int = 0) -> None:
        self.now = now
        self.next_due = NEVER
        self._heap: list[TimerEvent] = []
        self._live: dict[tuple[str, str], int] = {}
        self._sequence = 0

    def set_timer(self, owner: str, name: str, at: int, period_ns: int = 0) -> None:
        """Schedule a timer at an absolute time, once or every ``period_ns``; the same name replaces it."""
        if period_ns < 0 or at < self.now:
            raise ConfigError(
                f"timer {name!r} cannot be set",
                expected=f"a time not before now ({self.now}) and a period >= 0",
                found=f"at={at}, period={period_ns}",
            )
        self._sequence += 1
        self._live[owner, name] = self._sequence
        heapq.heappush(self._heap, TimerEvent(at, self._sequence, name, owner, period_ns, 1))
        self._refresh()

    def cancel_timer(self, owner: str, name: str) -> bool:
        """Forget a timer; tell whether there was one."""
        found = self._live.pop((owner, name), None) is not None
        self._refresh()
        return found

    def has_timer(self, owner: str, name: str) -> bool:
        """Tell whether a timer is set."""
        return (owner, name) in self._live

    def due(self, ts: int) -> TimerEvent | None:
        """Take the earliest timer that is due at ``ts``, set the clock to it and plan its next turn."""
        while self._heap and self._heap[0].ts <= ts:
            event = heapq.heappop(self._heap)
            key = (event.owner, event.name)
            if self._live.get(key) != event.sequence:
                continue
            if event.period_ns:
                again = TimerEvent(
                    event.ts + event.period_ns,
                    event.sequence,
                    event.name,
                    event.owner,
                    event.period_ns,
                    event.count + 1,
                )
                heapq.heappush(self._heap, again)
            else:
                del self._live[key]
            self.now = max(self.now, event.ts)
            self._refresh()
            return event
        self._refresh()
        return None

    def timers(self) -> list[tuple[str, str, int, int]]:
        """List live timers as (owner, name, due time, period), in due order."""
        live = [e for e in self._heap if self._live.get((e.owner, e.name)) == e.sequence]
        return [(e.owner, e.name, e.ts, e.period_ns) for e in sorted(live)]

    def _refresh(self) -> None:
        while (
            self._heap and self._live.get((self._heap[0].owner, self._heap[0].name)) != self._heap[0].sequence
        ):
            heapq.heappop(self._heap)
        self.next_due = self._heap[0].ts if self._heap else NEVER
