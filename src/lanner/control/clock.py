"""``Clock``: strategies that act at a fixed pace, each tick at its time on an absolute schedule."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from lanner.control.errors import AlreadyRunningError
from lanner.core.errors import ConfigError, NotFoundError
from lanner.net.wallclock import mono_ns, wall_ns

_LOG = logging.getLogger(__name__)
MS = 1_000_000
KEPT = 100_000
"""Of so many ticks the lateness is kept."""


class InvalidIntervalError(ConfigError):
    """A clock cannot tick without an interval."""


class StrategyAlreadyRegisteredError(ConfigError):
    """The same strategy was added twice."""


class StrategyNotFoundError(NotFoundError):
    """A strategy was removed that is not there."""


class ClockStrategy(Protocol):
    """What a clock calls. ``on_start`` and ``on_stop`` may be missing."""

    def on_tick(self, number: int, ts: int) -> None:
        """Act; ``number`` counts from 1, ``ts`` is UNIX time in nanoseconds."""


@dataclass(frozen=True, slots=True)
class ClockStats:
    """How a clock keeps its time: work per tick, and how late ticks began, in nanoseconds."""

    tick_count: int
    avg_tick_ns: int
    max_tick_ns: int
    strategy_count: int
    overruns: int
    faults: int
    jitter_p50_ns: int
    jitter_p99_ns: int
    jitter_max_ns: int


class Clock:
    """Call strategies every ``tick_interval_ms``, in the order in which they were added.

    Tick n is due at start + n · interval, whatever the ticks before it took, so nothing drifts. A tick that takes
    longer than the interval lets the next one begin at once; those that were missed are left out, never made up for in
    a burst. An error of one strategy is logged and counted, and stops nobody.
    """

    def __init__(self, tick_interval_ms: float) -> None:
        self._interval = _checked(round(tick_interval_ms * MS))
        self._strategies: list[ClockStrategy] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._running = False
        self._ticks = self._overruns = self._faults = 0
        self._work = self._longest = self._latest = 0
        self._late: deque[int] = deque(maxlen=KEPT)

    @classmethod
    def from_ns(cls, tick_interval_ns: int) -> Clock:
        """Return a clock by its interval in nanoseconds."""
        clock = cls(1)
        clock._interval = _checked(tick_interval_ns)
        return clock

    @property
    def running(self) -> bool:
        """Tell whether the clock ticks."""
        return self._running

    @property
    def strategy_count(self) -> int:
        """Return how many strategies there are."""
        return len(self._strategies)

    def add_strategy(self, strategy: ClockStrategy) -> None:
        """Add a strategy; while the clock runs it is started here, and called from the next tick on."""
        with self._lock:
            if any(one is strategy for one in self._strategies):
                raise StrategyAlreadyRegisteredError("this strategy is with the clock already")
            self._strategies = [*self._strategies, strategy]
        if self._running:
            self._call(strategy, "on_start")

    def remove_strategy(self, strategy: ClockStrategy) -> None:
        """Remove a strategy; while the clock runs it is stopped here."""
        with self._lock:
            left = [one for one in self._strategies if one is not strategy]
            if len(left) == len(self._strategies):
                raise StrategyNotFoundError("this strategy is not with the clock")
            self._strategies = left
        if self._running:
            self._call(strategy, "on_stop")

    def start(self) -> None:
        """Tick until ``stop`` is called from a strategy or another thread."""
        with self._lock:
            if self._running:
                raise AlreadyRunningError("the clock is running already")
            self._running = True
            self._over.clear()
        try:
            for strategy in self._strategies:
                self._call(strategy, "on_start")
            self._run()
        finally:
            for strategy in self._strategies:
                self._call(strategy, "on_stop")
            self._running = False

    def stop(self) -> None:
        """End after the tick that is being done."""
        self._over.set()

    def stats(self) -> ClockStats:
        """Return how the clock keeps its time."""
        late = sorted(self._late)
        return ClockStats(
            self._ticks,
            self._work // self._ticks if self._ticks else 0,
            self._longest,
            len(self._strategies),
            self._overruns,
            self._faults,
            late[len(late) // 2] if late else 0,
            late[min(len(late) - 1, len(late) * 99 // 100)] if late else 0,
            self._latest,
        )

    def _run(self) -> None:
        due = mono_ns() + self._interval
        while not self._over.wait(max(0, due - mono_ns()) / 1e9):
            began = mono_ns()
            if began < due:
                continue  # woken a moment early
            self._tick(began - due)
            due += self._interval
            behind = mono_ns() - due
            if behind > 0:
                self._overruns += 1
                due += self._interval * (behind // self._interval)

    def _tick(self, late: int) -> None:
        self._ticks += 1
        self._late.append(late)
        self._latest = max(self._latest, late)
        began, now = mono_ns(), wall_ns()
        for strategy in self._strategies:
            self._call(strategy, "on_tick", self._ticks, now)
        took = mono_ns() - began
        self._work += took
        self._longest = max(self._longest, took)

    def _call(self, strategy: ClockStrategy, name: str, *args: int) -> None:
        handler = getattr(strategy, name, None)
        if handler is None:
            return
        try:
            handler(*args)
        except Exception:  # noqa: BLE001 - one strategy must not stop the clock
            self._faults += 1
            _LOG.exception("%s of %s failed", name, type(strategy).__name__)


def _checked(interval_ns: int) -> int:
    if interval_ns <= 0:
        raise InvalidIntervalError("a clock needs an interval", expected="more than 0", found=interval_ns)
    return interval_ns
