"""The clock: its schedule, its strategies, its numbers."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from lanner.control.clock import (
    Clock,
    InvalidIntervalError,
    StrategyAlreadyRegisteredError,
    StrategyNotFoundError,
)
from lanner.control.errors import AlreadyRunningError
from lanner.net.wallclock import mono_ns

MS = 1_000_000


@dataclass
class Counter:
    """Count ticks and end the clock after some of them."""

    clock: Clock
    last: int = 10**9
    seen: list[int] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    slow_at: int = 0
    slow_s: float = 0.0

    def on_start(self) -> None:
        self.calls.append("start")

    def on_tick(self, number: int, ts: int) -> None:
        self.seen.append(number)
        self.at.append(mono_ns())
        if number == self.slow_at:
            threading.Event().wait(self.slow_s)
        if number >= self.last:
            self.clock.stop()

    def on_stop(self) -> None:
        self.calls.append("stop")


def test_ticks_are_numbered_from_one_and_strategies_are_started_and_stopped() -> None:
    clock = Clock(2)
    one, two = Counter(clock, last=5), Counter(clock)
    clock.add_strategy(one)
    clock.add_strategy(two)
    clock.start()
    assert one.seen == two.seen == [1, 2, 3, 4, 5]
    assert one.calls == ["start", "stop"]
    assert clock.stats().tick_count == 5
    assert not clock.running


def test_a_tick_that_takes_too_long_is_not_made_up_for_in_a_burst() -> None:
    clock = Clock.from_ns(10 * MS)
    counter = Counter(clock, last=6, slow_at=2, slow_s=0.055)
    clock.add_strategy(counter)
    clock.start()
    gaps = [later - sooner for sooner, later in zip(counter.at, counter.at[1:], strict=False)]
    assert gaps[1] >= 50 * MS
    assert sum(gap < 3 * MS for gap in gaps[2:]) <= 1
    assert clock.stats().overruns >= 1


def test_an_error_of_one_strategy_stops_nobody() -> None:
    class Broken:
        def on_tick(self, number: int, ts: int) -> None:
            raise ValueError("no")

    clock = Clock(1)
    counter = Counter(clock, last=3)
    clock.add_strategy(Broken())
    clock.add_strategy(counter)
    clock.start()
    assert counter.seen == [1, 2, 3]
    assert clock.stats().faults == 3


def test_strategies_come_and_go_while_it_runs() -> None:
    clock = Clock(1)
    late = Counter(clock, last=10**9)

    class Host:
        def on_tick(self, number: int, ts: int) -> None:
            if number == 2:
                clock.add_strategy(late)
            elif number == 5:
                clock.remove_strategy(late)
            elif number == 7:
                clock.stop()

    clock.add_strategy(Host())
    clock.start()
    assert late.seen == [3, 4, 5][: len(late.seen)]
    assert len(late.seen) >= 2
    assert late.calls == ["start", "stop"]
    assert clock.strategy_count == 1


def test_mistakes_have_names() -> None:
    with pytest.raises(InvalidIntervalError):
        Clock(0)
    clock = Clock(1)
    counter = Counter(clock, last=1)
    clock.add_strategy(counter)
    with pytest.raises(StrategyAlreadyRegisteredError):
        clock.add_strategy(counter)
    with pytest.raises(StrategyNotFoundError):
        clock.remove_strategy(Counter(clock))
    refused: list[Exception] = []

    class Again:
        def on_tick(self, number: int, ts: int) -> None:
            try:
                clock.start()
            except AlreadyRunningError as error:
                refused.append(error)

    clock.add_strategy(Again())
    clock.start()
    assert refused


def test_lateness_is_measured() -> None:
    clock = Clock(2)
    clock.add_strategy(Counter(clock, last=50))
    clock.start()
    stats = clock.stats()
    assert 0 <= stats.jitter_p50_ns <= stats.jitter_p99_ns <= stats.jitter_max_ns
    assert stats.max_tick_ns >= stats.avg_tick_ns > 0
