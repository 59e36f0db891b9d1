"""Heartbeats on a clock of our own."""

from __future__ import annotations

import pytest

from lanner.net.pulse import Beat, Pulse

SECOND = 1_000_000_000


def beats(pulse: Pulse, heard: list[int], step_s: float = 2.5) -> list[Beat]:
    return [pulse.tick(int((index + 1) * step_s * SECOND), count) for index, count in enumerate(heard)]


def test_a_peer_silent_for_more_than_two_heartbeats_is_dead_and_not_a_tick_earlier() -> None:
    pulse = Pulse(10, pings=False, now_ns=0)
    said = beats(pulse, [0] * 9)
    assert said[:8] == [Beat.NOTHING] * 8  # at 20 s exactly it is not "more than"
    assert said[8] is Beat.DEAD


def test_any_frame_keeps_a_peer_alive() -> None:
    pulse = Pulse(10, pings=False, now_ns=0)
    assert Beat.DEAD not in beats(pulse, [index // 7 for index in range(100)])


def test_pings_go_out_once_a_heartbeat_even_when_timers_are_late() -> None:
    pulse = Pulse(10, pings=True, now_ns=0)
    said = beats(pulse, list(range(40)), step_s=2.51)
    assert said.count(Beat.PING) == 10
    assert said[3] is Beat.PING


def test_without_pings_of_ours_none_are_asked_for() -> None:
    assert Beat.PING not in beats(Pulse(10, pings=False, now_ns=0), list(range(40)))


def test_our_own_sleep_is_no_evidence_against_the_peer() -> None:
    pulse = Pulse(10, pings=False, now_ns=0)
    assert pulse.tick(int(2.5 * SECOND), 1) is Beat.NOTHING
    assert pulse.tick(300 * SECOND, 1) is Beat.NOTHING  # the process was stopped for five minutes
    later = [pulse.tick(int((300 + 2.5 * index) * SECOND), 1) for index in range(1, 10)]
    assert later[-1] is Beat.DEAD
    assert Beat.DEAD not in later[:-1]


def test_ticks_come_four_times_a_heartbeat() -> None:
    assert Pulse(30, pings=True, now_ns=0).tick_s == pytest.approx(7.5)
