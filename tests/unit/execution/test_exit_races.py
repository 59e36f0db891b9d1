"""Exits that fill while a change of them is under way: nothing of an entry stays bare."""

from __future__ import annotations

from decimal import Decimal

from lanner.execution.exits import ExitPlan, Level
from lanner.model.commands import AmendOrder, CancelOrder, SubmitOrder
from lanner.model.enums import OrderStatus, OrderType, Side
from lanner.model.features import Feature
from lanner.model.orders import Order
from lanner.model.reports import (
    AmendRejected,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderUnanswered,
)
from tests.unit.execution.orders import PERP
from tests.unit.execution.room import TWO_PERCENT, Desk

S = OrderStatus


def two_fills(desk: Desk) -> tuple[Order, dict[str, Order]]:
    """Fill an entry of 10 in two parts, so that the amend of its exits from 4 to 10 is under way."""
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.fill(entry, 4)
    exits = desk.exits()
    desk.accept()
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
    desk.accept()
    desk.out()
    desk.fill(entry, 6)
    desk.refuse_amends()
    desk.accept()
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
    desk.accept(desk.exits()["take"])
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
        desk.engine.take_back(order)
        desk.say(OrderCanceled, order)
    assert [c for c in desk.out() if not isinstance(c, CancelOrder | SubmitOrder)] == []
    assert desk.clock.timers() == []
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
    desk.accept()
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


def test_an_exit_grows_only_when_the_venue_has_said_that_it_has_it() -> None:
    desk = Desk()
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.fill(entry, 4)
    stop, take = desk.exits()["stop"], desk.exits()["take"]
    desk.out()
    desk.fill(entry, 6)
    assert desk.out() == [], "an amend could be there before its order"
    desk.accept(stop)
    assert [(c.order_id, c.lots) for c in desk.sends() if isinstance(c, AmendOrder)] == [(stop.order_id, 10)]
    desk.accept(take)
    assert [(c.order_id, c.lots) for c in desk.sends() if isinstance(c, AmendOrder)] == [(take.order_id, 10)]
    assert len([o for o in desk.engine.orders.values() if o.parent_id]) == 2, "never a second exit"


def test_an_exit_grows_again_only_when_the_last_amend_is_answered() -> None:
    desk = Desk()
    entry = desk.send(15, plan=ExitPlan(stop=Level(Decimal("0.02"))))
    desk.fill(entry, 4)
    desk.accept()
    desk.out()
    desk.fill(entry, 6)
    desk.fill(entry, 5)
    [first] = [c for c in desk.out() if isinstance(c, AmendOrder)]
    stop = desk.exits()["stop"]
    desk.say(OrderAmended, stop, lots=10, px_ticks=None, stop_ticks=980, request=first.request)
    assert [c.lots for c in desk.out() if isinstance(c, AmendOrder)] == [15]


def test_an_exit_that_fills_before_it_was_acknowledged_leaves_nothing_bare() -> None:
    desk = Desk()
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.fill(entry, 4)
    stop = desk.exits()["stop"]
    desk.fill(entry, 6)
    desk.out()
    desk.fill(stop, 4, 980)
    assert working(desk) == {"stop": 6, "take": 6}


def test_a_target_moves_with_time_only_when_it_has_answered() -> None:
    desk = Desk()
    minute = 60_000_000_000
    plan = ExitPlan(roi={0: Decimal("0.04"), minute: Decimal("0.02")})
    desk.fill(desk.send(10, plan=plan), 10)
    [target] = desk.exits().values()
    desk.out()
    timer = desk.clock.due(1 + minute)
    assert timer is not None
    desk.engine.on_timer(timer)
    assert desk.out() == []
    desk.accept()
    assert [(c.order_id, c.px_ticks) for c in desk.out() if isinstance(c, AmendOrder)] == [
        (target.order_id, 1020)
    ]


# -- what others close ---------------------------------------------------------------------------------


def test_exits_come_down_with_what_the_strategy_sells_itself() -> None:
    desk = Desk()
    desk.fill(desk.send(10, plan=TWO_PERCENT), 10)
    desk.accept()
    desk.out()
    desk.fill(desk.send(4, Side.SELL), 4)
    desk.answer_amends()
    assert working(desk) == {"stop": 6, "take": 6}
    desk.fill(desk.send(20), 20)
    desk.answer_amends()
    assert working(desk) == {"stop": 6, "take": 6}, "what is bought later has no exits of its own"


def test_the_nearest_stop_keeps_its_size_when_less_is_left_than_all_stops_cover() -> None:
    desk = Desk()
    desk.fill(desk.send(5, plan=ExitPlan(stop=Level(ticks=950))), 5)
    desk.fill(desk.send(5, plan=ExitPlan(stop=Level(ticks=980))), 5)
    desk.accept()
    desk.out()
    desk.fill(desk.send(7, Side.SELL), 7)
    stops = {o.stop_ticks: o for o in desk.engine.orders.values() if o.parent_id}
    sent = desk.sends()
    assert [(c.order_id, c.lots) for c in sent if isinstance(c, AmendOrder)] == [(stops[980].order_id, 3)]
    assert [c.order_id for c in sent if isinstance(c, CancelOrder)] == [stops[950].order_id]


def test_an_exit_that_grows_while_a_part_is_sold_is_brought_down_when_it_has_answered() -> None:
    desk = Desk()
    _, exits = two_fills(desk)
    asked = {c.order_id: c for c in desk.sends() if isinstance(c, AmendOrder)}
    desk.fill(desk.send(3, Side.SELL), 3)
    stop = exits["stop"]
    request = asked[stop.order_id].request
    desk.say(OrderAmended, stop, lots=10, px_ticks=None, stop_ticks=980, request=request)
    assert [(c.order_id, c.lots) for c in desk.sends() if isinstance(c, AmendOrder)] == [(stop.order_id, 7)]


def test_an_exit_that_the_venue_cannot_amend_gets_a_smaller_one_in_its_place_before_it_goes() -> None:
    desk = Desk()
    desk.engine.abilities.forbid(PERP.id, [Feature.AMEND_TRIGGER])
    desk.fill(desk.send(10, plan=TWO_PERCENT), 10)
    desk.accept()
    old = desk.exits()["stop"]
    desk.out()
    desk.fill(desk.send(4, Side.SELL), 4)
    sent = [c for c in desk.sends() if c.order_id != desk.exits()["take"].order_id]
    new = desk.exits()["stop"]
    assert [(type(c), c.order_id) for c in sent][-2:] == [
        (SubmitOrder, new.order_id),
        (CancelOrder, old.order_id),
    ]
    assert (new.lots, new.stop_ticks, new.group_id) == (6, old.stop_ticks, old.group_id)


def test_without_reduce_only_the_smaller_exit_waits_for_the_end_of_the_larger() -> None:
    desk = Desk()
    desk.engine.shared = frozenset({PERP.id})
    desk.engine.abilities.forbid(PERP.id, [Feature.AMEND_TRIGGER])
    desk.fill(desk.send(10, plan=TWO_PERCENT), 10)
    desk.accept()
    old = desk.exits()["stop"]
    desk.fill(desk.send(4, Side.SELL), 4)
    desk.out()
    assert desk.exits()["stop"] is old
    desk.say(OrderCanceled, old)
    assert [(c.type, c.lots) for c in desk.sends() if isinstance(c, SubmitOrder)] == [
        (OrderType.STOP_MARKET, 6)
    ]


# -- stops that the venue refuses ----------------------------------------------------------------------


def test_a_stop_that_is_refused_because_its_price_is_reached_leaves_at_market() -> None:
    desk = Desk()
    desk.fill(desk.send(10, plan=TWO_PERCENT), 10)
    stop = desk.exits()["stop"]
    desk.out()
    desk.say(OrderRejected, stop, reason="would trigger at once", code="WOULD_TRIGGER")
    assert [(c.type, c.lots) for c in desk.sends() if isinstance(c, SubmitOrder)] == [(OrderType.MARKET, 10)]


def test_a_stop_that_is_refused_otherwise_is_sent_again_ever_more_seldom_and_told_twice() -> None:
    desk = Desk()
    desk.fill(desk.send(10, plan=TWO_PERCENT), 10)
    desk.out()
    waits = []
    for tries in range(10):
        desk.say(OrderRejected, desk.exits()["stop"], reason="overloaded", code="RETRY")
        refused = desk.clock.now
        timer = desk.clock.due(refused + 100_000_000_000)
        assert timer is not None
        desk.clock.now = timer.ts
        desk.engine.on_timer(timer)
        [again] = [c for c in desk.sends() if isinstance(c, SubmitOrder)]
        assert (again.type, again.lots, again.stop_ticks) == (OrderType.STOP_MARKET, 10, 980)
        waits.append((timer.ts - refused) // 1_000_000_000)
        if tries >= 5:
            assert watched(desk) == [], "it may rest by now"
    assert waits[:8] == [1, 2, 4, 8, 16, 32, 64, 64]
    assert desk.heard.count("risk.trouble") == 2, "at first, and when its price is watched"
    desk.say(OrderRejected, desk.exits()["stop"], reason="overloaded", code="RETRY")
    assert watched(desk) == [("stop_loss", 98.0)]
    desk.engine.stops.check(("s", PERP.id), 97.9, 97.9, 97.9, desk.clock.now)
    assert [(c.type, c.lots) for c in desk.sends() if isinstance(c, SubmitOrder)] == [(OrderType.MARKET, 10)]


def watched(desk: Desk) -> list[tuple[str, float]]:
    return [(stop.kind.value, stop.level) for stop in desk.engine.stops]


def test_a_stop_that_never_arrived_is_sent_again_however_often() -> None:
    desk = Desk()
    desk.fill(desk.send(10, plan=TWO_PERCENT), 10)
    desk.out()
    for _ in range(8):
        desk.say(OrderRejected, desk.exits()["stop"], reason="never heard of", code="NEVER_ARRIVED")
        timer = desk.clock.due(desk.clock.now + 1_000_000_000)
        assert timer is not None
        desk.engine.on_timer(timer)
        assert len([c for c in desk.sends() if isinstance(c, SubmitOrder)]) == 1


def test_a_stop_that_rests_again_takes_the_place_of_the_one_that_was_watched() -> None:
    desk = Desk()
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.fill(entry, 1)
    desk.out()
    desk.say(OrderRejected, desk.exits()["stop"], reason="too small", code="MIN_NOTIONAL")
    desk.say(OrderCanceled, desk.exits()["take"], reason="")
    assert len(watched(desk)) == 1
    desk.fill(entry, 9)
    assert [c.lots for c in desk.sends() if isinstance(c, SubmitOrder) and c.stop_ticks] == [10]
    assert watched(desk) == []


def test_a_stop_that_can_never_be_taken_is_told_and_not_sent_again() -> None:
    desk = Desk()
    desk.fill(desk.send(10, plan=TWO_PERCENT), 10)
    desk.out()
    desk.say(OrderRejected, desk.exits()["stop"], reason="too small", code="MIN_NOTIONAL")
    assert "risk.trouble" in desk.heard
    assert (desk.sends(), desk.clock.timers()) == ([], [])
    assert watched(desk) == [("stop_loss", 98.0)], "the engine watches its price"


def test_a_refused_stop_is_sent_again_when_what_was_to_leave_meanwhile_did_not() -> None:
    desk = Desk()
    desk.engine.shared = frozenset({PERP.id})
    desk.fill(desk.send(10, plan=TWO_PERCENT), 10)
    desk.out()
    desk.say(OrderRejected, desk.exits()["stop"], reason="overloaded", code="RETRY")
    leaving = desk.send(10, Side.SELL, intent="target")
    desk.out()
    desk.engine.on_timer(desk.clock.due(desk.clock.now + 1_000_000_000))  # type: ignore[arg-type]
    assert [c for c in desk.sends() if isinstance(c, SubmitOrder)] == []
    desk.say(OrderRejected, leaving, reason="overloaded", code="RETRY")
    desk.out()
    desk.engine.on_timer(desk.clock.due(desk.clock.now + 1_000_000_000))  # type: ignore[arg-type]
    assert [c.lots for c in desk.sends() if isinstance(c, SubmitOrder) and c.stop_ticks] == [10]
