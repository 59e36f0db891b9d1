"""Keeping the way of an order warm."""

from __future__ import annotations

from lanner.live.build import make_plan
from lanner.live.config import SessionConfig
from lanner.live.warming import Warming
from tests.unit.live.days import COIN, NAME


def test_each_turn_decides_an_order_and_takes_it_back_and_nothing_is_left_of_it() -> None:
    config = SessionConfig(mode="live", strategy="dual_ma", instruments=[NAME], warm_ms=5)
    warming = Warming(make_plan(config, {NAME: COIN}), 0.005)
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
    warming = Warming(make_plan(config, {NAME: COIN}), 0.005)
    seen = []
    warming._engine.bus.subscribe("order.*", lambda topic, order: seen.append(topic))
    for _ in range(3):
        warming.turn()
    assert seen == ["order.submitted", "order.accepted", "order.cancelled"] * 3
