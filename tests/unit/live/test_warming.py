"""Keeping the way of an order warm."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from lanner.live.build import make_plan
from lanner.live.config import SessionConfig
from lanner.live.warming import Warming
from lanner.net.wallclock import mono_ns
from lanner.venues.rehearsal import keep_warm
from tests.unit.live.days import COIN, NAME


def test_each_turn_decides_an_order_and_takes_it_back_and_nothing_is_left_of_it() -> None:
    config = SessionConfig(mode="live", strategy="dual_ma", instruments=[NAME], warm_ms=5)
    warming = Warming(make_plan(config, {NAME: COIN}))
    seen = []
    warming._engine.bus.subscribe("order.*", lambda topic, order: seen.append(topic))
    for _ in range(3):
        warming.turn()
    assert seen == ["order.submitted", "order.accepted", "order.cancelled"] * 3
    engine = warming._engine
    assert not engine.execution.orders
    assert not list(engine.execution.open_orders("Idle"))
    assert not engine.reports


def test_a_sessions_own_limits_do_not_keep_it_from_being_warmed() -> None:
    risk = {"strategies": {"dual_ma": {"max_daily_loss": 10}}, "max_orders_per_minute": 1, "on_deny": "stop"}
    config = SessionConfig(mode="live", strategy="dual_ma", instruments=[NAME], warm_ms=5, risk=risk)
    warming = Warming(make_plan(config, {NAME: COIN}))
    seen = []
    warming._engine.bus.subscribe("order.*", lambda topic, order: seen.append(topic))
    for _ in range(3):
        warming.turn()
    assert seen == ["order.submitted", "order.accepted", "order.cancelled"] * 3


async def test_with_busy_poll_turns_come_faster_than_the_timers_of_a_loop() -> None:
    turns: list[int] = []
    keeper = asyncio.create_task(keep_warm([lambda: turns.append(mono_ns())], 0.0001, busy_poll=True))
    async with asyncio.timeout(30):
        while len(turns) < 200:
            await asyncio.sleep(0.001)
    keeper.cancel()
    pauses = sorted(b - a for a, b in pairwise(turns))
    assert pauses[0] >= 100_000
    assert pauses[len(pauses) // 10] < 1_000_000  # where nothing else wanted the processor
