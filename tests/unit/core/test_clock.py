"""The logical clock: timers on an absolute schedule, cancelled, replaced, and fired in order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.core.clock import NEVER, LogicalClock, TimerEvent
from lanner.core.errors import ConfigError


def drain(clock: LogicalClock, ts: int) -> list[TimerEvent]:
    fired = []
    while (event := clock.due(ts)) is not None:
        fired.append(event)
    return fired


def test_a_periodic_timer_keeps_its_schedule_however_late_it_is_noticed() -> None:
    clock = LogicalClock()
    clock.set_timer("s", "tick", 100, 100)
    assert [(e.ts, e.count) for e in drain(clock, 100)] == [(100, 1)]
    assert [(e.ts, e.count) for e in drain(clock, 457)] == [(200, 2), (300, 3), (400, 4)]
    assert clock.next_due == 500


def test_the_clock_stands_at_the_scheduled_time_while_a_timer_is_handled() -> None:
    clock = LogicalClock(5)
    clock.set_timer("s", "a", 10)
    clock.set_timer("s", "b", 30)
    assert clock.due(100) is not None
    assert clock.now == 10
    assert clock.due(100) is not None
    assert clock.now == 30
    assert clock.due(100) is None


def test_a_timer_never_turns_the_clock_back() -> None:
    clock = LogicalClock(5)
    clock.set_timer("s", "a", 10)
    clock.now = 50
    assert [e.ts for e in drain(clock, 50)] == [10]
    assert clock.now == 50


def test_a_timer_that_fires_once_is_gone() -> None:
    clock = LogicalClock()
    clock.set_timer("s", "once", 10)
    assert len(drain(clock, 1_000)) == 1
    assert clock.timers() == []
    assert clock.next_due == NEVER
    assert not clock.cancel_timer("s", "once")


def test_timers_due_at_one_time_fire_in_the_order_in_which_they_were_set() -> None:
    clock = LogicalClock()
    for name in ("z", "a", "m"):
        clock.set_timer("s", name, 10)
    clock.set_timer("s", "early", 9)
    assert [e.name for e in drain(clock, 10)] == ["early", "z", "a", "m"]


def test_a_cancelled_timer_does_not_fire_and_does_not_count_as_next() -> None:
    clock = LogicalClock()
    clock.set_timer("s", "a", 10, 10)
    clock.set_timer("s", "b", 25)
    assert clock.cancel_timer("s", "a")
    assert clock.next_due == 25
    assert [e.name for e in drain(clock, 100)] == ["b"]


def test_the_same_name_of_another_owner_is_another_timer() -> None:
    clock = LogicalClock()
    clock.set_timer("one", "t", 10)
    clock.set_timer("two", "t", 20)
    clock.cancel_timer("one", "t")
    assert [(e.owner, e.ts) for e in drain(clock, 100)] == [("two", 20)]


@pytest.mark.parametrize(("first", "second"), [(10, 50), (50, 10)])
def test_setting_a_timer_again_replaces_it(first: int, second: int) -> None:
    clock = LogicalClock()
    clock.set_timer("s", "t", first, 7)
    clock.set_timer("s", "t", second)
    assert clock.timers() == [("s", "t", second, 0)]
    assert clock.next_due == second
    assert [e.ts for e in drain(clock, 100)] == [second]


def test_a_timer_set_while_timers_fire_takes_its_turn() -> None:
    clock = LogicalClock()
    clock.set_timer("s", "a", 10)
    clock.set_timer("s", "c", 30)
    fired = []
    while (event := clock.due(40)) is not None:
        fired.append(event.name)
        if event.name == "a":
            clock.set_timer("s", "b", 20)
    assert fired == ["a", "b", "c"]


@pytest.mark.parametrize(("at", "period"), [(9, 0), (10, -1)])
def test_a_timer_in_the_past_or_with_a_negative_period_is_refused(at: int, period: int) -> None:
    clock = LogicalClock(10)
    with pytest.raises(ConfigError, match=r"timer 't' cannot be set.*not before now \(10\)"):
        clock.set_timer("s", "t", at, period)


Action = tuple[str, str, int, int]
actions = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.sampled_from("abc"), st.integers(0, 20), st.integers(0, 6)),
        st.tuples(st.just("cancel"), st.sampled_from("abc"), st.just(0), st.just(0)),
        st.tuples(st.just("go"), st.just(""), st.integers(0, 15), st.just(0)),
    ),
    max_size=30,
)


@given(actions)
def test_timers_fire_as_a_plain_table_of_timers_would(plan: list[Action]) -> None:
    clock = LogicalClock()
    table: dict[str, tuple[int, int, int]] = {}
    now = sequence = 0
    for what, name, number, period in plan:
        if what == "set":
            sequence += 1
            clock.set_timer("s", name, now + number, period)
            table[name] = (now + number, sequence, period)
        elif what == "cancel":
            assert clock.cancel_timer("s", name) is (table.pop(name, None) is not None)
        else:
            now += number
            expected = []
            while table and min(table.values())[0] <= now:
                due = min(table, key=table.__getitem__)
                at, order, every = table[due]
                expected.append((at, due))
                if every:
                    table[due] = (at + every, order, every)
                else:
                    del table[due]
            assert [(e.ts, e.name) for e in drain(clock, now)] == expected
            clock.now = now
        assert clock.next_due == min((at for at, _, _ in table.values()), default=NEVER)
