"""Pacing and order of what waits to be sent."""

from __future__ import annotations

import pytest

from lanner.net.outbox import Outbox, Pacer

SECOND = 1_000_000_000


def schedule(per_s: float, count: int) -> list[int]:
    """Return when each of `count` messages leaves if each goes as soon as it may."""
    pacer, now, times = Pacer(per_s), 0, []
    for _ in range(count):
        now += pacer.wait_ns(now)
        pacer.sent(now)
        times.append(now)
    return times


@pytest.mark.parametrize("per_s", [1, 5, 33])
def test_no_second_holds_more_than_the_pace_allows(per_s: int) -> None:
    times = schedule(per_s, 10 * per_s)
    assert all(later - now > SECOND for now, later in zip(times, times[per_s:], strict=False))
    assert times[per_s - 1] == 0  # a burst of one second's worth goes at once
    assert times[-1] < 10 * 1.06 * SECOND


def test_a_pace_below_one_a_second_spreads_messages() -> None:
    assert schedule(0.5, 3) == [0, int(2.1 * SECOND), int(4.2 * SECOND)]


def test_urgent_messages_stand_before_all_others_and_keep_their_own_order() -> None:
    box = Outbox()
    for payload, urgent in [(b"a", False), (b"b", False), (b"C", True), (b"D", True), (b"e", False)]:
        box.put(payload, binary=False, urgent=urgent)
    assert box.size == len(box) == 5
    assert b"".join(box.take()[0] for _ in range(5)) == b"CDabe"
    assert box.size == 0


def test_clearing_tells_how_much_was_lost() -> None:
    box = Outbox()
    box.put(b"abc", False, False)
    box.put(b"def", True, True)
    assert (box.clear(), len(box), box.size) == (2, 0, 0)
