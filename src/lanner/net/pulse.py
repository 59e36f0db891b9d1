"""When to ping and when to give a silent peer up: a machine without a clock."""

from __future__ import annotations

from enum import IntEnum

TICKS_PER_HEARTBEAT = 4


class Beat(IntEnum):
    """What a tick asks for."""

    NOTHING = 0
    PING = 1
    DEAD = 2


class Pulse:
    """Watch one connection. ``tick`` wants to be called every ``tick_s`` with a clock that never steps.

    It compares counts of received frames, so that the receive path need not read a second clock.
    """

    __slots__ = ("_heard", "_heard_ns", "_heartbeat_ns", "_pinged_ns", "_pings", "_ticked_ns", "tick_s")

    def __init__(self, heartbeat_s: float, *, pings: bool, now_ns: int) -> None:
        self._heartbeat_ns = int(heartbeat_s * 1e9)
        self.tick_s = heartbeat_s / TICKS_PER_HEARTBEAT
        self._pings = pings
        self._heard = 0
        self._heard_ns = now_ns
        self._pinged_ns = now_ns
        self._ticked_ns = now_ns

    def tick(self, now_ns: int, heard: int) -> Beat:
        """Say what is to be done now; ``heard`` is the number of frames of any kind received so far."""
        # When we ourselves slept through ticks, the peer's words may still wait in the socket: no evidence.
        overslept = now_ns - self._ticked_ns > self._heartbeat_ns
        self._ticked_ns = now_ns
        if heard != self._heard or overslept:
            self._heard = heard
            self._heard_ns = now_ns
        elif now_ns - self._heard_ns > 2 * self._heartbeat_ns:
            return Beat.DEAD
        # Half a tick early is on time: timers fire late, and lateness must not add up.
        due_ns = self._heartbeat_ns - self._heartbeat_ns // (2 * TICKS_PER_HEARTBEAT)
        if self._pings and now_ns - self._pinged_ns >= due_ns:
            self._pinged_ns = now_ns
            return Beat.PING
        return Beat.NOTHING
