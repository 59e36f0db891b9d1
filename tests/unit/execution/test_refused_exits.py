"""Exits of brackets that the venue refuses: what may pass comes back, what lasts is told once and watched here."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lanner.execution.exits import ExitPlan, Level
from lanner.execution.stops import STUCK_NS
from lanner.model.commands import SubmitOrder
from lanner.model.enums import OrderStatus, OrderType, Side
from lanner.model.orders import Order
from lanner.model.reports import OrderAccepted, OrderCanceled, OrderExpired, OrderRejected, OrderTriggered
from tests.unit.execution.orders import PERP
from tests.unit.execution.room import TWO_PERCENT, Desk
from tests.unit.execution.test_exit_races import watched
from tests.unit.execution.test_lost_exits import STOP, covered, in_two_groups, pass_time, submits

TAKE = ExitPlan(take=Level(Decimal("0.04")))
MINUTE = 60_000_000_000


def bought(desk: Desk, plan: ExitPlan = TWO_PERCENT, lots: int = 10) -> dict[str, Order]:
    """Hold what an entry with exits bought, and whose exits have not been answered."""
    desk.fill(desk.send(lots, plan=plan), lots)
    desk.out()
    return desk.exits()


def refuse(desk: Desk, order: Order, code: str = "RATE_LIMITED") -> None:
    desk.say(OrderRejected, order, reason="no", code=code)


def price(desk: Desk, px: float) -> list[tuple[OrderType, int]]:
    desk.portfolio.marks[PERP.id] = px
    desk.engine.stops.on_prices(PERP.id, px, px, px, desk.clock.now)
    return submits(desk.out())


# -- targets -------------------------------------------------------------------------------------------


def test_a_target_that_was_refused_for_a_passing_reason_comes_back() -> None:
    desk = Desk()
    exits = bought(desk)
    desk.accept(exits["stop"])
    refuse(desk, exits["take"])
    assert desk.heard.count("risk.trouble") == 1
    pass_time(desk, 0.9)
    assert desk.out() == []
    pass_time(desk, 0.2)
    again = desk.exits()["take"]
    assert submits(desk.out()) == [(OrderType.LIMIT, 10)]
    assert (again.px_ticks, again.reduce_only, again.group_id) == (1040, True, exits["stop"].group_id)
    desk.accept(again)
    pass_time(desk, 200)
    assert (desk.out(), watched(desk)) == ([], [])


def test_a_target_is_refused_for_the_first_time_again_once_the_venue_has_taken_it() -> None:
    desk = Desk()
    bought(desk, TAKE)
    for _ in range(4):
        refuse(desk, desk.exits()["take"])
        pass_time(desk, 100)
    desk.accept(desk.exits()["take"])
    desk.say(OrderCanceled, desk.exits()["take"], reason="dropped")
    pass_time(desk, 2)
    desk.out()
    refuse(desk, desk.exits()["take"])
    pass_time(desk, 1.1)
    assert submits(desk.out()) == [(OrderType.LIMIT, 10)]


def test_a_target_that_is_refused_again_and_again_is_watched_and_still_tried_about_once_a_minute() -> None:
    desk = Desk()
    bought(desk, TAKE)
    sent = 0
    while desk.clock.now < 20 * MINUTE:
        refuse(desk, desk.exits()["take"])
        sent += 1
        if sent > 5:
            assert watched(desk) == [("take_profit", 104.0)]
        pass_time(desk, 64)
        assert submits(desk.out()) == [(OrderType.LIMIT, 10)]
    assert desk.heard.count("risk.trouble") == 2, "at first, and when the engine takes over"
    refuse(desk, desk.exits()["take"])
    assert price(desk, 103.9) == []
    assert price(desk, 104.0) == [(OrderType.MARKET, 10)], "whoever watches it, a target is a target"
    pass_time(desk, 200)
    assert submits(desk.out()) == [], "its exit is under way"


@pytest.mark.parametrize("code", ["MIN_NOTIONAL", "QTY_LIMITS", "QTY_GRID", "PRICE_GRID"])
def test_a_target_that_was_refused_for_a_lasting_reason_is_told_once_and_watched(code: str) -> None:
    desk = Desk()
    exits = bought(desk)
    desk.accept(exits["stop"])
    refuse(desk, exits["take"], code)
    pass_time(desk, 3_600)
    assert (desk.out(), desk.heard.count("risk.trouble")) == ([], 1)
    assert watched(desk) == [("take_profit", 104.0)]
    assert price(desk, 104.1) == [(OrderType.MARKET, 10)]


def test_a_refused_target_does_not_come_back_when_its_stop_has_filled() -> None:
    desk = Desk()
    exits = bought(desk)
    desk.accept(exits["stop"])
    refuse(desk, exits["take"], "REDUCE_ONLY")
    desk.fill(exits["stop"], 10, 980)
    pass_time(desk, 100)
    assert (desk.out(), watched(desk), desk.lots) == ([], [], 0)


def test_a_refused_target_of_an_earlier_group_comes_back_into_it() -> None:
    desk = Desk()
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.fill(entry, 4)
    desk.out()
    first = desk.exits()
    desk.accept(first["stop"])
    desk.engine.guards.orders.begin_group(desk.engine.guards.cover.of(("s", PERP.id))[0])
    refuse(desk, first["take"])
    pass_time(desk, 1.1)
    assert submits(desk.out()) == [(OrderType.LIMIT, 4)]
    assert desk.exits()["take"].group_id == first["take"].group_id


def test_a_refused_target_that_the_strategy_halved_comes_back_with_its_size() -> None:
    desk = Desk()
    exits = bought(desk)
    desk.accept(*exits.values())
    desk.engine.amend(exits["take"], 5, None, None)
    desk.answer_amends()
    desk.say(OrderCanceled, exits["take"], reason="dropped")
    pass_time(desk, 1.1)
    desk.out()
    refuse(desk, desk.exits()["take"])
    pass_time(desk, 1.1)
    assert submits(desk.out()) == [(OrderType.LIMIT, 5)]


def test_a_staged_target_that_the_venue_refuses_is_watched_where_time_has_brought_it() -> None:
    desk = Desk()
    plan = ExitPlan(roi={0: Decimal("0.04"), 10 * MINUTE: Decimal("0.01")})
    exits = bought(desk, plan)
    refuse(desk, exits["roi"], "MIN_NOTIONAL")
    assert watched(desk) == [("take_profit", 104.0)]
    pass_time(desk, 601)
    assert watched(desk) == [("take_profit", 101.0)]
    assert price(desk, 101.0) == [(OrderType.MARKET, 10)]


# -- what is to leave at once --------------------------------------------------------------------------


def test_what_follows_a_stop_and_can_never_be_taken_is_an_alarm_and_not_a_loop() -> None:
    desk = Desk()
    stop = bought(desk, STOP)["stop"]
    desk.accept(stop)
    desk.say(OrderTriggered, stop)
    desk.fill(stop, 7, 980)
    desk.say(OrderExpired, stop, reason="no more liquidity")
    follow = desk.exits()["stop"]
    assert submits(desk.out()) == [(OrderType.MARKET, 3)]
    refuse(desk, follow, "QTY_LIMITS")
    sent = 0
    while desk.clock.now < 60 * MINUTE:
        for command in desk.sends():
            assert isinstance(command, SubmitOrder)
            assert (command.type, command.lots, command.side) == (OrderType.MARKET, 3, Side.SELL)
            refuse(desk, desk.engine.orders[command.order_id], "QTY_LIMITS")
            sent += 1
        pass_time(desk, 1)
    assert 3 <= sent <= 8
    assert desk.heard.count("risk.stop.uncloseable") == 1
    [(_, stuck)] = desk.engine.stops.uncloseable()
    assert (stuck.lots, stuck.pause_ns >= STUCK_NS) == (3, True)


def test_what_follows_a_stop_of_an_earlier_group_and_can_never_be_taken_is_no_loop_either() -> None:
    desk = Desk()
    _, first, second = in_two_groups(desk)
    desk.say(OrderTriggered, first)
    desk.say(OrderExpired, first, reason="no liquidity")
    pass_time(desk, 1.1)
    sent = 0
    while desk.clock.now < 30 * MINUTE:
        for command in desk.sends():
            refuse(desk, desk.engine.orders[command.order_id], "QTY_LIMITS")
            sent += 1
        pass_time(desk, 1)
    assert 2 <= sent <= 8
    assert desk.heard.count("risk.stop.uncloseable") == 1
    assert (second.status, covered(desk)) == (OrderStatus.ACCEPTED, 6)


def test_a_refused_stop_rests_again_once_the_venue_takes_it_however_late() -> None:
    desk = Desk()
    bought(desk, STOP)
    while desk.clock.now < 30 * MINUTE:
        refuse(desk, desk.exits()["stop"], "OTHER")
        pass_time(desk, 64)
        desk.out()
    again = desk.exits()["stop"]
    desk.say(OrderAccepted, again)
    pass_time(desk, 200)
    assert (desk.out(), watched(desk), covered(desk)) == ([], [], 10)
