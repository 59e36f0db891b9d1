"""Clock offsets from probes whose truth is known."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from lanner.net.errors import ConnectFailed, NetError, Unanswered
from lanner.net.timesync import ClockOffset, Probe

MS = 1_000_000


def probe(offset_ms: float, out_ms: float = 10, back_ms: float = 10) -> Probe:
    sent = 1_700_000_000_000 * MS
    arrives = sent + int(out_ms * MS)
    return Probe((arrives + int(offset_ms * MS)) / MS, sent, arrives + int(back_ms * MS))


def offsets(*probes: Probe | NetError, **settings: object) -> ClockOffset:
    waiting = list(probes)

    async def ask() -> Probe:
        found = waiting.pop(0)
        if isinstance(found, NetError):
            raise found
        return found

    return ClockOffset(ask, probes=len(probes), clock=lambda: 5_000 * MS, **settings)  # type: ignore[arg-type]


async def test_the_offset_is_the_median_so_that_one_slow_answer_does_not_matter() -> None:
    clock = offsets(*(probe(ms) for ms in (119, 120, 121)), probe(120, back_ms=3_000), probe(120, out_ms=900))
    assert await clock.measure() / MS == pytest.approx(120, abs=1)
    assert clock.now_ms() == 5_119 or clock.now_ms() == 5_120
    assert clock.round_trip_ns == pytest.approx(20 * MS, abs=1000)


async def test_noise_of_the_way_leaves_an_error_of_half_its_unevenness() -> None:
    rng = Random(3)
    clock = offsets(*(probe(-300, rng.uniform(5, 25), rng.uniform(5, 25)) for _ in range(9)))
    assert await clock.measure() / MS == pytest.approx(-300, abs=10)


@pytest.mark.parametrize(("offset_ms", "alarms"), [(499, 0), (501, 1), (-501, 1), (-499, 0)])
async def test_the_alarm_goes_above_half_a_second_either_way(offset_ms: int, alarms: int) -> None:
    heard: list[int] = []
    clock = offsets(*[probe(offset_ms)] * 3, on_alarm=heard.append)
    await clock.measure()
    assert len(heard) == alarms


async def test_probes_that_fail_cost_only_themselves() -> None:
    clock = offsets(ConnectFailed("no"), probe(50), ConnectFailed("no"))
    assert await clock.measure() == 50 * MS
    assert clock.failures == 2


async def test_silence_is_waited_for_once_only() -> None:
    nobody = offsets(Unanswered("silence"), probe(50), probe(50))
    with pytest.raises(Unanswered):
        await nobody.measure()
    assert nobody.failures == 1
    some = offsets(probe(50), Unanswered("silence"), probe(90))
    assert await some.measure() == 50 * MS


async def test_when_all_probes_fail_the_last_offset_stays() -> None:
    clock = offsets(probe(50), ConnectFailed("no"))
    clock._probes = 1
    await clock.measure()
    with pytest.raises(ConnectFailed):
        await clock.measure()
    assert clock.offset_ns == 50 * MS


async def test_measuring_goes_on_in_the_background_and_survives_failures() -> None:
    count = 0

    async def ask() -> Probe:
        nonlocal count
        count += 1
        if count == 2:
            raise ConnectFailed("no")
        if count == 3:
            raise RuntimeError("odd")
        return probe(count)

    clock = ClockOffset(ask, probes=1, every_s=0.01)
    await clock.start()
    while count < 5:
        await asyncio.sleep(0.005)
    await clock.stop()
    assert clock.offset_ns >= 4 * MS
