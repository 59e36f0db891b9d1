"""Exits that fill while a change of them is under way: nothing of an entry stays bare."""

from __future__ import annotations

from lanner.model.commands import AmendOrder, CancelOrder, SubmitOrder
from lanner.model.enums import OrderStatus, OrderType
from lanner.model.orders import Order
from lanner.model.reports import (
    AmendRejected,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderUnanswered,
)
from tests.unit.execution.room import TWO_PERCENT, Desk

S = OrderStatus


def two_fills(desk: Desk) -> tuple[Order, dict[str, Order]]:
    """Fill an entry of 10 in two parts, so that the amend of its exits from 4 to 10 is under way."""
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.fill(entry, 4)
    exits = desk.exits()
    desk.out()
    desk.fill(entry, 6)
    return entry, exits


def working(desk: Desk) -> dict[str, int]:
    return {
        o.intent: o.leaves_lots
        for o in desk.engine.orders.values()
        if o.parent_id and o.is_open and o.status is not S.PENDING_CANCEL
    }


def test_an_exit_that_fills_whole_while_it_is_to_grow_leaves_nothing_bare() -> None:
    desk = Desk()
    _, exits = two_fills(desk)
    asked = [c for c in desk.out() if isinstance(c, AmendOrder)]
    desk.fill(exits["take"], 4, 1040)
    new = [c for c in desk.out() if isinstance(c, SubmitOrder)]
    assert [(c.lots, c.stop_ticks, c.px_ticks) for c in new] == [(6, 980, None), (6, None, 1040)]
    desk.say(OrderCanceled, exits["stop"], reason="one-cancels-other: its sibling filled")
    for command in asked:
        desk.say(AmendRejected, desk.engine.orders[command.order_id], reason="gone", request=command.request)
    assert desk.out() == [], "once is enough"
    assert working(desk) == {"stop": 6, "take": 6}
    desk.fill(desk.exits()["stop"], 6, 980)
    assert desk.lots == 0


def test_exits_that_the_venue_does_not_let_grow_get_others_beside_them() -> None:
    desk = Desk()
    entry, exits = two_fills(desk)
    desk.refuse_amends()
    new = [c for c in desk.out() if isinstance(c, SubmitOrder)]
    assert [(c.lots, c.group_id == exits["stop"].group_id) for c in new] == [(6, False), (6, False)]
    assert {o.leaves_lots for o in exits.values()} == {4}
    second = desk.exits()
    desk.fill(second["take"], 6, 1040)
    assert [c for c in desk.out() if isinstance(c, SubmitOrder)] == [], "the first four are still covered"
    desk.fill(exits["stop"], 4, 980)
    assert (desk.lots, entry.status) == (0, S.FILLED)


def test_an_entry_that_fills_on_after_a_refusal_grows_the_newest_exits() -> None:
    desk = Desk()
    entry = desk.send(15, plan=TWO_PERCENT)
    desk.fill(entry, 4)
    desk.out()
    desk.fill(entry, 6)
    desk.refuse_amends()
    desk.out()
    desk.fill(entry, 5)
    assert [c.lots for c in desk.out() if isinstance(c, AmendOrder)] == [11, 11]


def test_an_exit_that_grew_beyond_what_is_left_is_brought_down() -> None:
    desk = Desk()
    _, exits = two_fills(desk)
    asked = {c.order_id: c for c in desk.out() if isinstance(c, AmendOrder)}
    take, stop = exits["take"], exits["stop"]
    desk.fill(take, 2, 1040)  # before the venue has the amends
    desk.say(OrderAmended, stop, lots=2, px_ticks=None, stop_ticks=980)
    for order in (stop, take):
        desk.say(
            OrderAmended,
            order,
            lots=10,
            px_ticks=order.px_ticks,
            stop_ticks=order.stop_ticks,
            request=asked[order.order_id].request,
        )
    assert [(c.order_id, c.lots) for c in desk.out() if isinstance(c, AmendOrder)] == [(stop.order_id, 8)]
    assert take.leaves_lots == 8


def test_exits_without_an_answer_are_sized_once_they_are_found() -> None:
    desk = Desk()
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.fill(entry, 4)
    stop = desk.exits()["stop"]
    desk.say(OrderUnanswered, stop, reason="timeout")
    desk.out()
    desk.fill(entry, 6)
    assert [c.order_id for c in desk.out() if isinstance(c, AmendOrder)] == [desk.exits()["take"].order_id]
    desk.say(OrderAccepted, stop)
    assert [(c.order_id, c.lots) for c in desk.out() if isinstance(c, AmendOrder)] == [(stop.order_id, 10)]


def test_a_target_that_the_strategy_halved_leaves_the_stop_for_the_rest() -> None:
    desk = Desk()
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.fill(entry, 10)
    take = desk.exits()["take"]
    desk.engine.amend(take, 5, None, None)
    desk.answer_amends()
    desk.fill(take, 5, 1040)
    new = [c for c in desk.out() if isinstance(c, SubmitOrder)]
    assert [(c.lots, c.stop_ticks) for c in new] == [(5, 980)]


def test_exits_that_the_strategy_cancelled_are_not_sent_again() -> None:
    desk = Desk()
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.fill(entry, 10)
    for order in desk.exits().values():
        desk.engine.cancel(order)
        desk.say(OrderCanceled, order)
    assert [c for c in desk.out() if not isinstance(c, CancelOrder | SubmitOrder)] == []
    assert working(desk) == {}


def test_the_rest_of_a_stop_that_found_no_more_liquidity_follows_at_market() -> None:
    desk = Desk()
    desk.fill(desk.send(10, plan=TWO_PERCENT), 10)
    stop = desk.exits()["stop"]
    desk.out()
    desk.fill(stop, 4, 980)
    desk.say(OrderExpired, stop, reason="the liquidity in reach is used up")
    [rest] = [c for c in desk.out() if isinstance(c, SubmitOrder)]
    assert (rest.type, rest.lots, rest.group_id) == (OrderType.MARKET, 6, stop.group_id)
    desk.fill(desk.engine.orders[rest.order_id], 6, 970)
    assert desk.lots == 0
    assert [c.order_id for c in desk.out()] == [desk.exits()["take"].order_id]  # type: ignore[union-attr]


def test_a_stop_that_found_nothing_is_followed_a_second_later() -> None:
    desk = Desk()
    desk.fill(desk.send(10, plan=TWO_PERCENT), 10)
    stop, now = desk.exits()["stop"], desk.clock.now
    desk.out()
    desk.say(OrderExpired, stop, reason="the liquidity in reach is used up")
    assert desk.out() == []
    timer = desk.clock.due(2_000_000_000)
    assert timer is not None
    assert timer.ts == now + 1_000_000_000
    desk.engine.on_timer(timer)
    [rest] = desk.out()
    assert isinstance(rest, SubmitOrder)
    assert (rest.type, rest.lots) == (OrderType.MARKET, 10)


def test_a_stop_is_not_followed_when_the_position_went_otherwise() -> None:
    desk = Desk()
    desk.fill(desk.send(10, plan=TWO_PERCENT), 10)
    desk.say(OrderExpired, desk.exits()["stop"], reason="the liquidity in reach is used up")
    desk.fill(desk.exits()["take"], 10, 1040)
    desk.out()
    timer = desk.clock.due(2_000_000_000)
    if timer is not None:
        desk.engine.on_timer(timer)
    assert desk.out() == []


def test_a_refused_amend_is_made_up_for_when_its_siblings_answer_comes_last() -> None:
    desk = Desk()
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.out()
    desk.fill(entry, 4)
    desk.out()
    desk.fill(entry, 6)
    amends = {command.order_id: command for command in desk.sends() if isinstance(command, AmendOrder)}
    stop, take = desk.exits()["stop"], desk.exits()["take"]
    desk.say(AmendRejected, stop, reason="a trigger cannot be changed", request=amends[stop.order_id].request)
    assert desk.sends() == [], "the target may still be refused as well"
    desk.say(
        OrderAmended,
        take,
        lots=10,
        px_ticks=take.px_ticks,
        stop_ticks=None,
        request=amends[take.order_id].request,
    )
    more = [command for command in desk.sends() if isinstance(command, SubmitOrder)]
    assert [(command.type, command.lots) for command in more][:1] == [(OrderType.STOP_MARKET, 6)]
