"""Turns, priorities, bans and shared budgets."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lanner.core.errors import ConfigError
from lanner.net.errors import RateLimited
from lanner.net.ratelimit import Priority, RateLimiter
from lanner.net.wallclock import wall_ns

SECOND = 1_000_000_000


class HandClock:
    def __init__(self) -> None:
        self.now = 1_700_000_000 * SECOND

    def __call__(self) -> int:
        return self.now


def test_tokens_are_taken_from_all_buckets_or_from_none() -> None:
    limiter = RateLimiter({"weight": (100, 60.0), "orders": (2, 10.0)}, clock=HandClock())
    for _ in range(2):
        assert limiter.try_acquire({"weight": 10, "orders": 1}) == 0
    assert limiter.try_acquire({"weight": 10, "orders": 1}) > 0
    used = {bucket.name: bucket.used for bucket in limiter.status().buckets}
    assert used == {"weight": 20, "orders": 2}


def test_the_wait_that_is_told_is_enough() -> None:
    clock = HandClock()
    limiter = RateLimiter({"weight": (100, 60.0)}, clock=clock)
    limiter.try_acquire({"weight": 100})
    wait_s = limiter.try_acquire({"weight": 1})
    assert 60 <= wait_s <= 61
    clock.now += int(wait_s * 1e9) + 1
    assert limiter.try_acquire({"weight": 1}) == 0


def test_a_reserve_is_kept_for_cancels_and_stops() -> None:
    limiter = RateLimiter({"weight": (100, 60.0)}, reserve=0.1, clock=HandClock())
    assert limiter.try_acquire({"weight": 90}, Priority.READ) == 0
    assert limiter.try_acquire({"weight": 1}, Priority.NEW) > 0
    assert limiter.try_acquire({"weight": 10}, Priority.CANCEL) == 0


def test_mistakes_in_costs_are_told_at_once() -> None:
    limiter = RateLimiter({"weight": (100, 60.0)}, reserve=0.1)
    with pytest.raises(ConfigError, match="no rate-limit bucket 'wait'"):
        limiter.try_acquire({"wait": 1})
    with pytest.raises(ConfigError, match="never fits"):
        limiter.try_acquire({"weight": 95})
    assert limiter.try_acquire({"weight": 95}, Priority.CANCEL) == 0


def test_a_ban_stops_every_priority_until_its_end_and_is_never_shortened() -> None:
    clock = HandClock()
    limiter = RateLimiter({}, clock=clock)
    limiter.block(clock.now + 120 * SECOND, "status 418")
    limiter.block(clock.now + 5 * SECOND, "status 429")
    assert limiter.try_acquire({}, Priority.CANCEL) == pytest.approx(120)
    assert limiter.status().reason == "status 418"
    clock.now += 120 * SECOND
    assert limiter.try_acquire({}, Priority.READ) == 0
    assert limiter.status().reason == ""


async def in_order_of_service(limiter: RateLimiter, wishes: list[tuple[str, Priority, int]]) -> list[str]:
    served: list[str] = []

    async def one(name: str, priority: Priority, weight: int) -> None:
        await limiter.acquire({"weight": weight}, priority)
        served.append(name)

    tasks = []
    for wish in wishes:
        tasks.append(asyncio.create_task(one(*wish)))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    return served


async def test_waiters_are_served_by_priority_then_by_arrival() -> None:
    limiter = RateLimiter({"weight": (4, 0.8)})
    limiter.try_acquire({"weight": 4})
    served = await in_order_of_service(
        limiter,
        [
            ("read", Priority.READ, 2),
            ("new 1", Priority.NEW, 1),
            ("amend", Priority.AMEND, 1),
            ("new 2", Priority.NEW, 1),
            ("stop", Priority.STOP, 1),
            ("cancel", Priority.CANCEL, 1),
        ],
    )
    assert served == ["cancel", "stop", "amend", "new 1", "new 2", "read"]


async def test_a_heavy_waiter_is_not_starved_by_light_ones_of_its_kind() -> None:
    limiter = RateLimiter({"weight": (4, 0.8)})
    limiter.try_acquire({"weight": 3})
    served = await in_order_of_service(limiter, [("heavy", Priority.READ, 4), ("light", Priority.READ, 1)])
    assert served == ["heavy", "light"]


async def test_a_waiter_that_gives_up_lets_the_next_one_through() -> None:
    limiter = RateLimiter({"weight": (10, 30.0)})
    limiter.try_acquire({"weight": 5})
    heavy = asyncio.create_task(limiter.acquire({"weight": 10}, Priority.READ))
    await asyncio.sleep(0)
    light = asyncio.create_task(limiter.acquire({"weight": 5}, Priority.READ))
    await asyncio.sleep(0)
    assert limiter.status().waiting["READ"] == 2
    heavy.cancel()
    async with asyncio.timeout(20):  # of the 30 s of the window
        await light
    assert limiter.status().buckets[0].used == 10


async def test_waiting_too_long_is_an_error_that_tells_how_long() -> None:
    limiter = RateLimiter({"weight": (1, 60.0)})
    await limiter.acquire({"weight": 1})
    with pytest.raises(RateLimited) as caught:
        await limiter.acquire({"weight": 1}, timeout_s=5)
    assert 30 < caught.value.wait_s <= 61


async def test_a_queue_that_outlasts_the_patience_is_an_error_too() -> None:
    limiter = RateLimiter({"weight": (1, 1.0)})
    await limiter.acquire({"weight": 1})
    first = asyncio.create_task(limiter.acquire({"weight": 1}, Priority.NEW))
    await asyncio.sleep(0)
    with pytest.raises(RateLimited):
        await limiter.acquire({"weight": 1}, Priority.NEW, timeout_s=1.25)
    await first


async def test_real_time_never_sees_more_than_the_limit_in_any_window() -> None:
    limiter = RateLimiter({"weight": (10, 1.0)})
    times: list[float] = []

    async def one() -> None:
        await limiter.acquire({"weight": 1})
        times.append(time.monotonic())

    await asyncio.gather(*(one() for _ in range(30)))
    times.sort()
    # a machine that is busy takes note of a turn later than it was given
    assert min(later - now for now, later in zip(times, times[10:], strict=False)) > 0.5
    assert times[-1] - times[0] >= 1.9


def test_taking_a_turn_costs_microseconds() -> None:
    limiter = RateLimiter({"weight": (10**9, 60.0), "orders": (10**9, 10.0), "day": (10**9, 86400.0)})
    costs = {"weight": 1, "orders": 1, "day": 1}
    best = min(_timed(limiter, costs) for _ in range(20))
    assert best < 50e-6


def _timed(limiter: RateLimiter, costs: dict[str, int]) -> float:
    began = time.perf_counter()
    for _ in range(200):
        limiter.try_acquire(costs, Priority.NEW)
    return (time.perf_counter() - began) / 200


SPENDER = """
import sys
from lanner.net.ratelimit import RateLimiter
limiter = RateLimiter({"weight": (1000, 600.0)}, shared=sys.argv[1])
taken = 0
while limiter.try_acquire({"weight": 1}) == 0:
    taken += 1
print(taken)
"""


def test_processes_share_one_budget_to_the_last_token(tmp_path: Path) -> None:
    path = str(tmp_path / "budget")
    spenders = [
        subprocess.Popen([sys.executable, "-c", SPENDER, path], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    taken = [int(spender.communicate(timeout=60)[0]) for spender in spenders]
    assert sum(taken) == 1000


def test_a_ban_met_by_one_user_of_a_shared_budget_stops_the_others_and_outlives_them(tmp_path: Path) -> None:
    first = RateLimiter({"weight": (10, 60.0)}, shared=tmp_path / "b")
    second = RateLimiter({"weight": (10, 60.0)}, shared=tmp_path / "b")
    first.block(wall_ns() + 100 * SECOND, "status 418")
    assert second.try_acquire({}, Priority.CANCEL) > 99
    first.close()
    second.close()
    other_limits = RateLimiter({"weight": (20, 60.0)}, shared=tmp_path / "b")
    assert other_limits.try_acquire({}) > 99
    other_limits.close()


def test_one_budget_cannot_be_shared_under_different_limits(tmp_path: Path) -> None:
    first = RateLimiter({"weight": (10, 60.0)}, shared=tmp_path / "b")
    with pytest.raises(ConfigError, match="same limits"):
        RateLimiter({"weight": (20, 60.0)}, shared=tmp_path / "b")
    first.close()
    RateLimiter({"weight": (20, 60.0)}, shared=tmp_path / "b").close()


async def test_a_waiter_notices_room_that_another_process_leaves(tmp_path: Path) -> None:
    first = RateLimiter({"weight": (10, 2.0)}, shared=tmp_path / "b")
    second = RateLimiter({"weight": (10, 2.0)}, shared=tmp_path / "b")
    first.try_acquire({"weight": 10})
    await asyncio.wait_for(second.acquire({"weight": 10}), 60)
    assert first.try_acquire({"weight": 1}) > 0
    first.close()
    second.close()


def test_accounts_of_one_address_share_its_weight_and_not_each_others_orders(tmp_path: Path) -> None:
    def of(account: str) -> RateLimiter:
        return RateLimiter(
            {"weight": (10, 60.0), "orders": (3, 10.0)},
            shared=tmp_path / "address",
            apart=["orders"],
            shared_apart=tmp_path / account,
        )

    first, again, other = of("a"), of("a"), of("b")
    assert first.try_acquire({"weight": 1, "orders": 2}) == 0
    assert again.try_acquire({"weight": 1, "orders": 2}) > 0
    assert other.try_acquire({"weight": 1, "orders": 3}) == 0
    used = {bucket.name: bucket.used for bucket in again.status().buckets}
    assert used == {"weight": 2, "orders": 2}
    other.block(wall_ns() + 100 * SECOND, "status 418")
    assert first.try_acquire({}, Priority.CANCEL) > 99
    for limiter in (first, again, other):
        limiter.close()
