"""Rate limits on a clock of our own, against a plain list of what was spent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lanner.net.windows import CELLS, SLOTS, Window

SECOND = 1_000_000_000


def window(limit: int = 100, interval_s: float = 60.0) -> Window:
    return Window(limit, interval_s, memoryview(bytearray(8 * CELLS)).cast("q"))


@given(
    st.lists(st.tuples(st.integers(0, 20 * SECOND), st.integers(1, 40)), min_size=1, max_size=150),
    st.integers(0, 10_000 * SECOND),
)
def test_no_window_of_the_interval_ever_holds_more_than_the_limit(
    steps: list[tuple[int, int]], now: int
) -> None:
    limited = window()
    spent: list[tuple[int, int]] = []
    for wait, weight in steps:
        now += wait
        due = limited.wait_ns(now, weight)
        now += due
        assert limited.wait_ns(now, weight) == 0, "what was promised holds"
        limited.spend(now, weight)
        spent.append((now, weight))
        assert sum(weight for at, weight in spent if at > now - 60 * SECOND) <= 100


@given(st.lists(st.tuples(st.integers(0, 20 * SECOND), st.integers(1, 40)), min_size=1, max_size=100))
def test_nobody_waits_longer_than_one_slot_beyond_need(steps: list[tuple[int, int]]) -> None:
    limited, now = window(), 1_000 * SECOND
    spent: list[tuple[int, int]] = []
    for wait, weight in steps:
        now += wait
        due = limited.wait_ns(now, weight)
        if due:
            # One slot (and one more for where in its slot the token was spent) before, it did not fit.
            before = now + due - 2 * limited.slot_ns
            held = sum(weight for at, weight in spent if at > before - 60 * SECOND)
            assert held + weight > 100
        now += due
        limited.spend(now, weight)
        spent.append((now, weight))


def test_the_venues_higher_count_is_believed_and_corrected_by_its_next() -> None:
    limited = window()
    limited.spend(0, 10)
    limited.feed(SECOND, 95)
    assert (limited.used(SECOND), limited.foreign(SECOND)) == (95, 85)
    assert limited.wait_ns(SECOND, 6) > 0
    limited.feed(2 * SECOND, 40)
    assert limited.used(2 * SECOND) == 40
    limited.feed(3 * SECOND, 3)
    assert limited.used(3 * SECOND) == 10, "what we spent ourselves we know better"


def test_strangers_weight_leaves_after_one_interval() -> None:
    limited = window()
    limited.feed(0, 100)
    due = limited.wait_ns(0, 1)
    assert 60 * SECOND <= due <= 61 * SECOND
    assert limited.wait_ns(due, 100) == 0


def test_everything_is_free_again_after_a_long_pause() -> None:
    limited = window()
    limited.spend(0, 100)
    assert limited.used(10_000 * SECOND) == 0


def test_a_clock_that_steps_back_gives_nothing_away() -> None:
    limited = window()
    limited.spend(1_000 * SECOND, 80)
    assert limited.used(990 * SECOND) == 80
    assert limited.used(100 * SECOND) == 80
    assert limited.wait_ns(100 * SECOND, 30) <= (60 + 60 / SLOTS) * SECOND
    assert limited.used(162 * SECOND) == 0


def test_a_share_leaves_the_rest_for_others() -> None:
    limited = window()
    limited.spend(0, 85)
    assert limited.wait_ns(0, 10, share=0.9) > 0
    assert limited.wait_ns(0, 10) == 0
