"""Ended orders are forgotten in time, and none that anything still needs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lanner.core.errors import NotFoundError
from lanner.execution.exits import ExitPlan, Level
from lanner.execution.retention import FILLS_AT_ONCE, LEAST_FILLS, LOOKS_COMPARED
from lanner.model.enums import GroupKind, OrderStatus, OrderType, Side
from lanner.model.orders import Order, OrderView
from lanner.model.reports import CONCLUDED, OrderCanceled, OrderRejected, OrderUnanswered
from tests.unit.execution.orders import fill
from tests.unit.execution.room import TWO_PERCENT, Desk

SECOND = 10**9
HOUR = 3_600 * SECOND


def desk(most: int = 3, age: int = HOUR, *, compares: bool = False, **limits: Any) -> Desk:
    made = Desk(**limits)
    made.engine.retention.limit(most, age, compares=compares)
    return made


def limit_order(room: Desk, **more: Any) -> Order:
    room.engine.intents = 0  # as after each step
    order = room.send(1, type=OrderType.LIMIT, px_ticks=900, **more)
    room.accept(order)
    return order


def cancelled(room: Desk, count: int = 1, every: int = SECOND) -> list[Order]:
    """Let orders come and go, one each second."""
    made = []
    for _ in range(count):
        room.clock.now += every
        made.append(limit_order(room))
        room.say(OrderCanceled, made[-1])
    return made


def kept(room: Desk) -> list[str]:
    return list(room.engine.orders)


def test_the_newest_ended_orders_are_kept_and_older_ones_go_when_they_are_old_enough() -> None:
    room = desk(most=3, age=10 * SECOND)
    orders = cancelled(room, 10)
    assert len(kept(room)) == 10  # nine seconds have passed
    cancelled(room, 10)
    assert orders[0].order_id not in kept(room)
    assert len(kept(room)) == 10
    cancelled(room, 1, every=HOUR)
    cancelled(room, 5)
    assert len(kept(room)) == 6


def test_a_crowd_of_old_orders_dwindles_as_others_end() -> None:
    room = desk(most=3, age=HOUR)
    cancelled(room, 100, every=1)
    room.clock.now += 2 * HOUR
    cancelled(room, 34)
    assert len(kept(room)) == 34  # young ones only


def test_without_a_limit_everything_is_kept() -> None:
    room = Desk()
    cancelled(room, 50, every=HOUR)
    assert len(kept(room)) == room.engine.retention.order_count == 50


def test_an_order_that_works_or_is_unknown_is_never_forgotten() -> None:
    room = desk(most=1, age=SECOND)
    working, unknown = limit_order(room), limit_order(room)
    cancelled(room, 50, every=HOUR)
    room.say(OrderUnanswered, unknown, reason="silence")
    for _ in range(50):
        room.clock.now += HOUR
        assert room.send(1).status is OrderStatus.DENIED  # the instrument is in quarantine
    assert len(kept(room)) == 3
    assert {working.order_id, unknown.order_id} < set(kept(room))
    assert room.engine.find(unknown.order_id) is unknown
    room.say(OrderCanceled, unknown)
    cancelled(room, 5, every=HOUR)
    assert unknown.order_id not in kept(room)


def test_real_orders_go_only_after_a_comparison_with_the_venue_and_only_those_that_were_old_by_then() -> None:
    room = desk(most=1, age=10 * SECOND, compares=True)
    old = cancelled(room, 5)
    room.clock.now += HOUR
    assert room.engine.retention.wants_comparison
    young = cancelled(room, 5)
    assert len(kept(room)) == 10
    room.engine.retention.compared(young[2].ts_last)  # the venue was asked then; its answers came later
    assert kept(room) == [order.order_id for order in young]
    assert not set(kept(room)) & {order.order_id for order in old}


def test_one_comparison_lets_many_go_but_not_without_bound() -> None:
    room = desk(most=1, age=SECOND, compares=True)
    cancelled(room, LOOKS_COMPARED + 50, every=1)
    room.clock.now += HOUR
    room.engine.retention.compared(room.clock.now)
    assert len(kept(room)) == 50


def test_reports_about_a_forgotten_order_are_ignored_a_fill_told_again_among_them() -> None:
    room = desk(most=1, age=SECOND)
    order = limit_order(room)
    room.fill(order, 1, px=900)
    cancelled(room, 3, every=HOUR)
    assert order.order_id not in kept(room)
    position = room.portfolio.position("s", order.instrument)
    before = position.lots, position.cash_flow
    room.engine.on_report(fill("t1", 1, 900, 1, order.order_id))
    room.say(OrderCanceled, order)
    assert (position.lots, position.cash_flow) == before
    assert room.engine.stray_reports == 2


def test_a_late_fill_keeps_its_order_for_as_long_again() -> None:
    room = desk(most=1, age=HOUR)
    [order] = cancelled(room)
    room.clock.now += HOUR - SECOND
    room.fill(order, 1, px=900)
    cancelled(room, 3, every=2 * SECOND)
    assert order.order_id in kept(room)
    room.clock.now += HOUR
    cancelled(room, 3)
    assert order.order_id not in kept(room)


def test_lots_that_were_concluded_keep_their_order_until_the_venue_can_have_told_them() -> None:
    room = desk(most=1, age=SECOND)
    order = limit_order(room)
    room.engine.on_report(fill(f"{CONCLUDED}-1", 1, 900, room.clock.now, order.order_id))
    cancelled(room, 20)
    assert order.order_id in kept(room)
    cancelled(room, 60)
    assert order.order_id not in kept(room)


def test_a_view_of_a_forgotten_order_can_be_read_and_asked_back_in_vain() -> None:
    room = desk(most=1, age=SECOND)
    [order] = cancelled(room)
    view = OrderView(order)
    cancelled(room, 3, every=HOUR)
    room.out()
    assert room.engine.retention.has_forgotten(view)
    assert room.engine.retention.has_forgotten(order.order_id)
    assert view.status is OrderStatus.CANCELED
    room.engine.cancel(room.engine.find(view))
    assert room.out() == []
    with pytest.raises(NotFoundError, match="ended long ago"):
        room.engine.find(order.order_id)
    with pytest.raises(NotFoundError) as told:
        room.engine.find("r-o999")
    assert told.value.fix is None


def test_what_never_was_an_order_here_is_not_taken_for_a_forgotten_one() -> None:
    room = desk(most=1, age=SECOND)
    cancelled(room, 5, every=HOUR)
    has_forgotten = room.engine.retention.has_forgotten
    assert has_forgotten("r-o1")
    for name in ("r-o6", "r-o0", "r-x1", "q-o1", "o1", "r-o", "", "r-o1x", *kept(room)):
        assert not has_forgotten(name), name


def test_an_adopted_order_is_known_for_a_forgotten_one_by_its_own_name() -> None:
    room = desk(most=1, age=SECOND)
    order = Order("web_17", "s", cancelled(room)[0].instrument, Side.BUY, OrderType.LIMIT, 1, 0, px_ticks=900)
    order.status = OrderStatus.ACCEPTED
    room.engine.take_over(order)
    room.say(OrderCanceled, order)
    cancelled(room, 4, every=HOUR)
    assert "web_17" not in kept(room)
    assert room.engine.retention.has_forgotten("web_17")


def test_entry_and_exits_of_a_bracket_stay_as_long_as_it_protects_something() -> None:
    room = desk(most=1, age=SECOND)
    entry = room.send(10, plan=TWO_PERCENT)
    room.accept(entry)
    room.fill(entry, 10)
    room.accept()
    stop = next(order for order in room.engine.orders.values() if order.intent == "stop")
    room.say(OrderRejected, stop, reason="no", code="MIN_QTY")
    cancelled(room, 20, every=HOUR)
    assert {entry.order_id, stop.order_id} < set(kept(room))
    room.fill(room.send(10, Side.SELL), 10, px=1_001)
    for order in [one for one in room.engine.orders.values() if one.is_open]:
        room.say(OrderCanceled, order)
    cancelled(room, 20, every=HOUR)
    assert not {entry.order_id, stop.order_id} & set(kept(room))


def test_a_stop_that_is_to_be_sent_again_stays_until_its_timer_has_rung() -> None:
    room = desk(most=1, age=SECOND)
    entry = room.send(10, plan=ExitPlan(stop=Level(Decimal("0.02"))))
    room.accept(entry)
    room.fill(entry, 10)
    stop = next(order for order in room.engine.orders.values() if order.intent == "stop")
    room.say(OrderRejected, stop, reason="busy", code="BUSY")
    room.fill(room.send(10, Side.SELL), 10, px=1_001)
    [(_, name, due, _)] = room.clock.timers()
    assert name.endswith(stop.order_id)
    cancelled(room, 20, every=HOUR)  # the clock's owner has not looked yet
    assert stop.order_id in kept(room)
    timer = room.clock.due(due)
    assert timer is not None
    room.engine.on_timer(timer)
    cancelled(room, 4, every=HOUR)
    assert stop.order_id not in kept(room)


def test_the_plan_of_an_entry_that_never_filled_goes_with_it() -> None:
    room = desk(most=1, age=SECOND)
    for _ in range(10):
        room.clock.now += HOUR
        order = limit_order(room, plan=TWO_PERCENT)
        room.say(OrderCanceled, order)
    assert len(room.engine.guards._plans) == len(kept(room)) == 1


def test_joined_orders_stay_while_one_of_them_works() -> None:
    room = desk(most=1, age=SECOND)
    first, second = (
        room.send(1, type=OrderType.LIMIT, px_ticks=900),
        room.send(1, type=OrderType.LIMIT, px_ticks=800),
    )
    room.engine.join([first, second], "g1", GroupKind.OCO)
    room.accept(first, second)
    room.say(OrderCanceled, first)
    cancelled(room, 10, every=HOUR)
    assert first.order_id in kept(room)
    room.say(OrderCanceled, second)
    cancelled(room, 10, every=HOUR)
    assert not {first.order_id, second.order_id} & set(kept(room))
    assert not room.engine._joined


def test_denied_orders_and_orders_that_never_left_are_forgotten_too() -> None:
    room = desk(most=1, age=SECOND, max_order_notional=Decimal(1))
    for _ in range(10):
        room.clock.now += HOUR
        assert room.send(10_000).status is OrderStatus.DENIED
    assert len(kept(room)) == 1
    room = desk(most=1, age=SECOND)
    parent = limit_order(room)
    for _ in range(10):
        room.clock.now += HOUR
        child = Order(
            room.engine.ids.next("o"), "s", parent.instrument, Side.SELL, OrderType.LIMIT, 1, 0, px_ticks=999
        )
        child.parent_id = parent.order_id
        room.engine.submit(child, None, parent)
        room.engine.cancel(child)
    assert len(kept(room)) == 2


def test_the_counts_go_on_over_what_is_forgotten() -> None:
    room, whole = desk(most=2, age=SECOND), Desk()
    for one in (room, whole):
        for number in range(30):
            one.clock.now += HOUR
            order = limit_order(one)
            if number % 3:
                one.fill(order, 1, px=900)
            else:
                one.say(OrderCanceled, order)
    assert len(room.engine.orders) < 5
    assert room.engine.retention.order_count == len(whole.engine.orders) == 30
    past = room.engine.retention.totals
    ended = list(room.engine.orders.values())
    for status in OrderStatus:
        here = past.count(status) + sum(order.status is status for order in ended)
        assert here == sum(order.status is status for order in whole.engine.orders.values())
    [traded] = past.traded.values()
    assert traded.notional + sum(order.notional for order in ended) == 20 * 900


def test_the_oldest_fills_go_in_parcels_and_are_counted() -> None:
    room, whole = desk(most=2), Desk()
    count = LEAST_FILLS + 3 * FILLS_AT_ONCE
    for one in (room, whole):
        for number in range(count // 2):
            one.clock.now += SECOND
            one.engine.intents = 0
            one.fill(one.send(2), 2, px=1_000 + number % 7)
            one.fill(one.send(2, Side.SELL), 2, px=1_003)
    assert LEAST_FILLS <= len(room.engine.fills) < LEAST_FILLS + FILLS_AT_ONCE
    assert room.engine.retention.fill_count == len(whole.engine.fills) == count
    trips = room.engine.retention.totals.trips(room.engine.fills)
    assert trips == whole.engine.retention.totals.trips(whole.engine.fills)
    assert trips[0] == count // 2
    assert 0 < trips[2] < trips[1] < trips[0]
    assert room.engine.retention.totals.trips(room.engine.fills) == trips  # looking changes nothing
