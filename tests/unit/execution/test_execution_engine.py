"""The execution engine: what leaves, what is kept in step with fills, and what is taken back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lanner.core.errors import InvalidOrderError, NotFoundError
from lanner.execution.exits import ExitPlan, Level, check_levels
from lanner.model.commands import AmendOrder, CancelOrder, SubmitOrder
from lanner.model.enums import GroupKind, OrderStatus, OrderType, Side
from lanner.model.orders import OrderView
from lanner.model.reports import (
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderRejected,
    OrderUnanswered,
)
from tests.unit.execution.orders import PERP, fill
from tests.unit.execution.room import TWO_PERCENT, Desk

S = OrderStatus
MINUTE = 60_000_000_000


# -- what leaves -----------------------------------------------------------------------------------


def test_an_order_is_registered_before_it_leaves() -> None:
    desk = Desk()
    order = desk.send(10, type=OrderType.LIMIT, px_ticks=990, post_only=True)
    [command] = desk.out()
    assert isinstance(command, SubmitOrder)
    assert (command.order_id, command.lots, command.px_ticks, command.post_only) == ("r-o1", 10, 990, True)
    assert desk.engine.find("r-o1") is order
    assert order.status is S.SUBMITTED
    assert list(desk.engine.open_orders("s")) == [order]
    assert desk.heard == ["order.submitted"]


def test_a_denied_order_never_leaves_and_its_strategy_hears_why() -> None:
    desk = Desk(max_order_notional=Decimal(1))
    order = desk.send(1_000, plan=TWO_PERCENT)
    assert order.status is S.DENIED
    assert "above the limit of 1" in order.reason
    assert desk.out() == []
    assert list(desk.engine.open_orders("s")) == []
    assert desk.engine.notices == [("s", OrderView(order))]
    assert desk.heard == ["order.denied"]


def test_more_intents_than_a_step_allows_are_denied() -> None:
    desk = Desk(max_intents_per_step=3)
    orders = [desk.send(1) for _ in range(5)]
    assert [o.status for o in orders] == [S.SUBMITTED] * 3 + [S.DENIED] * 2
    assert "too many intents in one step (limit 3)" in orders[4].reason
    assert len(desk.out()) == 3


def test_open_orders_are_counted_until_they_are_final() -> None:
    desk = Desk(max_open_orders=2)
    first, second = desk.send(1), desk.send(1)
    assert desk.send(1).status is S.DENIED
    desk.say(OrderUnanswered, first)
    assert desk.send(1).status is S.DENIED, "an order without an answer still counts"
    desk.fill(first, 1)
    desk.say(OrderRejected, second, reason="no")
    assert desk.send(1).status is S.SUBMITTED
    assert desk.send(1).status is S.SUBMITTED
    assert desk.send(1).status is S.DENIED


def test_an_unknown_order_is_not_found_by_name() -> None:
    with pytest.raises(NotFoundError, match="no order 'nobody'"):
        Desk().engine.find("nobody")


# -- cancels and amends ----------------------------------------------------------------------------


def test_cancelling_twice_or_too_late_is_harmless() -> None:
    desk = Desk()
    order = desk.send(5)
    desk.out()
    desk.engine.cancel(order)
    desk.engine.cancel(order)
    assert [type(c) for c in desk.out()] == [CancelOrder]
    desk.say(OrderCanceled, order)
    desk.engine.cancel(order)
    assert desk.out() == []
    assert order.status is S.CANCELED


def test_cancel_all_takes_back_what_works_of_one_instrument_or_all() -> None:
    desk = Desk()
    orders = [desk.send(1) for _ in range(3)]
    desk.fill(orders[0], 1)
    desk.out()
    assert desk.engine.cancel_all("s", "ETH-USDT.TEST") == 0
    assert desk.engine.cancel_all("s", PERP.id) == 2
    assert [c.order_id for c in desk.sends()] == [orders[1].order_id, orders[2].order_id]
    assert desk.engine.cancel_all("somebody else") == 0


@pytest.mark.parametrize("end", [OrderCanceled, OrderRejected])
def test_a_change_of_an_order_that_is_over_comes_too_late_and_breaks_nothing(end: type[Any]) -> None:
    desk = Desk()
    order = desk.send(5)
    desk.say(end, order, reason="x")
    desk.out()
    assert not desk.engine.amend(order, 6, None, None)
    assert (desk.out(), order.lots, order.is_final) == ([], 5, True)


def test_a_change_of_an_order_that_was_asked_back_or_is_in_doubt_is_not_sent() -> None:
    desk = Desk()
    back, unsure = desk.send(5), desk.send(5)
    desk.engine.cancel(back)
    desk.say(OrderUnanswered, unsure, reason="no answer")
    desk.out()
    for order, status in ((back, OrderStatus.PENDING_CANCEL), (unsure, OrderStatus.UNKNOWN)):
        assert not desk.engine.amend(order, 6, None, None)
        assert (desk.out(), order.lots, order.status) == ([], 5, status)


def test_reports_about_orders_of_nobody_are_counted_and_ignored() -> None:
    desk = Desk()
    desk.engine.on_report(fill("t", 1, order_id="stranger"))
    assert (desk.engine.stray_reports, desk.engine.fills, desk.lots) == (1, [], 0)


# -- fills -----------------------------------------------------------------------------------------


def test_a_fill_moves_the_position_and_is_told_before_the_order() -> None:
    desk = Desk()
    order = desk.send(5, tag="mine")
    desk.say(OrderAccepted, order)
    desk.engine.notices.clear()
    desk.fill(order, 3, 1001)
    (_, told), (_, view) = desk.engine.notices
    assert isinstance(told, Fill)
    assert (told.px, told.qty, told.position_qty, told.tag) == (
        Decimal("100.1"),
        Decimal("0.003"),
        Decimal("0.003"),
        "mine",
    )
    assert view == OrderView(order)
    assert order.status is S.PARTIALLY_FILLED
    assert desk.heard[-2:] == [f"position.{PERP.id}", "order.partially_filled"]


def test_a_trade_told_twice_moves_the_position_once() -> None:
    desk = Desk()
    order = desk.send(5)
    for _ in range(2):
        desk.engine.on_report(fill("same", 3, order_id=order.order_id))
    assert (desk.lots, len(desk.engine.fills)) == (3, 1)


def test_a_late_fill_of_a_cancelled_order_still_moves_the_position() -> None:
    desk = Desk()
    order = desk.send(5)
    desk.say(OrderCanceled, order)
    desk.fill(order, 2)
    assert (order.status, desk.lots) == (S.CANCELED, 2)
    desk.fill(order, 3)
    assert (order.status, desk.lots) == (S.FILLED, 5)
    assert desk.send(1).status is S.SUBMITTED


# -- brackets --------------------------------------------------------------------------------------


def test_exits_are_sent_when_the_entry_fills_at_distances_from_the_average_price() -> None:
    desk = Desk()
    entry = desk.send(10, plan=TWO_PERCENT)
    assert desk.exits() == {}
    desk.out()
    desk.fill(entry, 10, 1000)
    stop, take = desk.exits()["stop"], desk.exits()["take"]
    assert (stop.type, stop.side, stop.stop_ticks, stop.lots) == (OrderType.STOP_MARKET, Side.SELL, 980, 10)
    assert (take.type, take.side, take.px_ticks, take.lots) == (OrderType.LIMIT, Side.SELL, 1040, 10)
    commands = desk.out()
    assert {c.group_id for c in commands if isinstance(c, SubmitOrder)} == {stop.group_id} != {""}
    for order in (stop, take):
        assert (order.reduce_only, order.parent_id, order.group_kind) == (
            True,
            entry.order_id,
            GroupKind.BRACKET,
        )


def test_exits_of_a_short_lie_on_the_other_side() -> None:
    desk = Desk()
    desk.fill(desk.send(10, Side.SELL, TWO_PERCENT), 10, 1000)
    assert (desk.exits()["stop"].stop_ticks, desk.exits()["take"].px_ticks) == (1020, 960)
    assert desk.exits()["stop"].side is Side.BUY


def test_exits_are_sized_to_a_partial_fill_and_amended_up_with_the_next() -> None:
    desk = Desk()
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.fill(entry, 3)
    assert {o.lots for o in desk.exits().values()} == {3}
    desk.accept()
    desk.out()
    desk.fill(entry, 7)
    assert {(c.order_id, c.lots) for c in desk.out() if isinstance(c, AmendOrder)} == {
        (o.order_id, 10) for o in desk.exits().values()
    }
    assert len(desk.exits()) == 2


def test_an_exit_that_filled_in_part_is_amended_to_cover_what_is_still_held() -> None:
    desk = Desk()
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.fill(entry, 5)
    stop, take = desk.exits()["stop"], desk.exits()["take"]
    desk.accept()
    desk.fill(take, 3, 1040)
    desk.answer_amends()
    desk.fill(entry, 5)
    desk.answer_amends()
    assert desk.lots == 7
    assert (take.leaves_lots, stop.leaves_lots) == (7, 7)


def test_an_entry_that_goes_on_filling_after_its_target_was_hit_is_protected_anew() -> None:
    desk = Desk()
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.fill(entry, 4)
    first = desk.exits()
    desk.fill(first["take"], 4, 1040)
    desk.out()
    desk.fill(entry, 6, 1000)
    again = desk.exits()
    assert {name: (o.lots, o.status) for name, o in again.items()} == {
        "stop": (6, S.SUBMITTED),
        "take": (6, S.SUBMITTED),
    }
    assert again["stop"].group_id != first["stop"].group_id
    desk.fill(again["stop"], 6, 980)
    assert desk.lots == 0


def test_an_exit_grows_only_by_its_own_entry_when_there_are_others() -> None:
    desk = Desk()
    desk.fill(desk.send(50), 50)
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.fill(entry, 5)
    take = desk.exits()["take"]
    desk.accept()
    desk.fill(take, 3, 1040)
    desk.answer_amends()
    desk.fill(entry, 5)
    desk.answer_amends()
    assert (desk.exits()["stop"].leaves_lots, take.leaves_lots) == (7, 7)


def test_each_late_fill_of_a_cancelled_entry_adds_to_its_exits() -> None:
    desk = Desk()
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.say(OrderCanceled, entry)
    desk.fill(entry, 2)
    desk.accept()
    desk.out()
    desk.fill(entry, 3)
    desk.answer_amends()
    assert {o.lots for o in desk.exits().values()} == {5}


def test_a_cancelled_entry_leaves_exits_for_what_was_filled() -> None:
    desk = Desk()
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.fill(entry, 4)
    desk.say(OrderCanceled, entry)
    assert {o.lots for o in desk.exits().values()} == {4}
    assert all(o.is_open for o in desk.exits().values())


def test_an_entry_that_never_filled_leaves_no_exits() -> None:
    desk = Desk()
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.say(OrderRejected, entry, reason="no money")
    assert desk.exits() == {}


def test_a_late_fill_of_a_cancelled_entry_is_protected_too() -> None:
    desk = Desk()
    entry = desk.send(10, plan=TWO_PERCENT)
    desk.say(OrderCanceled, entry)
    desk.fill(entry, 2)
    assert {name: o.lots for name, o in desk.exits().items()} == {"stop": 2, "take": 2}


@pytest.mark.parametrize("lots", [10, 15])
def test_exits_are_withdrawn_when_the_position_is_gone_or_turned(lots: int) -> None:
    desk = Desk()
    desk.fill(desk.send(10, plan=TWO_PERCENT), 10)
    exits = desk.exits()
    desk.out()
    desk.fill(desk.send(lots, Side.SELL), lots)
    cancelled = {c.order_id for c in desk.out() if isinstance(c, CancelOrder)}
    assert cancelled == {o.order_id for o in exits.values()}


def test_exits_stay_while_part_of_the_position_is_left() -> None:
    desk = Desk()
    desk.fill(desk.send(10, plan=TWO_PERCENT), 10)
    desk.out()
    desk.fill(desk.send(4, Side.SELL), 4)
    assert not [c for c in desk.out() if isinstance(c, CancelOrder)]


def test_the_exit_that_closes_the_position_takes_the_other_with_it() -> None:
    desk = Desk()
    desk.fill(desk.send(10, plan=TWO_PERCENT), 10)
    stop, take = desk.exits()["stop"], desk.exits()["take"]
    desk.out()
    desk.fill(take, 10, 1040)
    assert desk.lots == 0
    assert [c.order_id for c in desk.out() if isinstance(c, CancelOrder)] == [stop.order_id]


def test_two_entries_have_their_own_exits() -> None:
    desk = Desk()
    desk.fill(desk.send(4, plan=TWO_PERCENT), 4, 1000)
    desk.fill(desk.send(6, plan=TWO_PERCENT), 6, 2000)
    stops = [o for o in desk.engine.orders.values() if o.intent == "stop"]
    assert [(o.lots, o.stop_ticks) for o in stops] == [(4, 980), (6, 1960)]


def test_a_trailing_exit_carries_its_distance() -> None:
    desk = Desk()
    desk.fill(desk.send(4, plan=ExitPlan(trail_frac=0.01)), 4)
    trail = desk.exits()["trail"]
    assert (trail.type, trail.trail_frac, trail.reduce_only) == (OrderType.TRAILING_STOP, 0.01, True)


# -- targets that move with time -------------------------------------------------------------------

ROI = ExitPlan(roi={0: Decimal("0.04"), 10 * MINUTE: Decimal("0.02"), 30 * MINUTE: Decimal("0.01")})


def run_timers(desk: Desk, ts: int) -> None:
    while (timer := desk.clock.due(ts)) is not None:
        desk.engine.on_timer(timer)


def test_a_time_staged_target_steps_down_by_timer() -> None:
    desk = Desk()
    desk.fill(desk.send(10, plan=ROI), 10)
    [target] = desk.exits().values()
    desk.accept()
    assert (target.intent, target.px_ticks, target.lots) == ("roi", 1040, 10)
    run_timers(desk, 10 * MINUTE)
    desk.answer_amends()
    assert target.px_ticks == 1040, "ten minutes after the entry have not passed yet"
    for ts, px in ((1 + 10 * MINUTE, 1020), (1 + 30 * MINUTE, 1010)):
        run_timers(desk, ts)
        desk.answer_amends()
        assert target.px_ticks == px
    assert desk.clock.timers() == []


def test_a_first_stage_that_starts_later_sends_its_target_then() -> None:
    desk = Desk()
    desk.fill(desk.send(10, plan=ExitPlan(roi={5 * MINUTE: Decimal("0.02")})), 10)
    assert desk.exits() == {}
    run_timers(desk, 1 + 5 * MINUTE)
    assert desk.exits()["roi"].px_ticks == 1020


def test_the_timer_goes_with_the_position() -> None:
    desk = Desk()
    desk.fill(desk.send(10, plan=ROI), 10)
    assert len(desk.clock.timers()) == 1
    desk.fill(desk.send(10, Side.SELL), 10)
    assert desk.clock.timers() == []
    run_timers(desk, 100 * MINUTE)
    assert not [c for c in desk.out() if isinstance(c, AmendOrder)]


# -- one cancels the other -------------------------------------------------------------------------


def test_joined_orders_leave_as_one_group() -> None:
    desk = Desk()
    pair = [desk.send(1), desk.send(1)]
    desk.engine.join(pair, "g1", GroupKind.OCO)
    assert [(c.group_id, c.group_kind) for c in desk.out() if isinstance(c, SubmitOrder)] == [
        ("g1", GroupKind.OCO)
    ] * 2


def test_the_fill_of_one_cancels_the_others_and_an_end_without_fill_does_not() -> None:
    desk = Desk()
    first, second, third = (desk.send(1) for _ in range(3))
    desk.out()
    desk.engine.join([first, second, third], "g1", GroupKind.OCO)
    desk.say(OrderCanceled, first)
    assert desk.out() == []
    desk.fill(second, 1)
    assert [c.order_id for c in desk.sends()] == [third.order_id]


# -- levels ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "side", "message"),
    [
        (ExitPlan(stop=Level(ticks=1000)), Side.BUY, "stop is on the wrong side.*below the entry"),
        (ExitPlan(stop=Level(ticks=999)), Side.SELL, "stop is on the wrong side.*above the entry"),
        (ExitPlan(take=Level(ticks=999)), Side.BUY, "target is on the wrong side.*above the entry"),
        (ExitPlan(take=Level(ticks=1000)), Side.SELL, "target is on the wrong side.*below the entry"),
        (ExitPlan(stop=Level(Decimal(0))), Side.BUY, "stop distance is out of range"),
        (ExitPlan(stop=Level(Decimal(1))), Side.BUY, "stop distance is out of range"),
        (ExitPlan(take=Level(Decimal("-0.1"))), Side.BUY, "target distance is out of range"),
        (ExitPlan(take=Level(Decimal(1))), Side.SELL, "target distance is out of range"),
    ],
)
def test_levels_that_make_no_sense_are_refused(plan: ExitPlan, side: Side, message: str) -> None:
    with pytest.raises(InvalidOrderError, match=message):
        check_levels(plan, side, 1000)


def test_levels_that_make_sense_pass() -> None:
    check_levels(ExitPlan(stop=Level(ticks=999), take=Level(ticks=1001)), Side.BUY, 1000)
    check_levels(ExitPlan(stop=Level(ticks=1001), take=Level(ticks=999)), Side.SELL, 1000)
    check_levels(ExitPlan(stop=Level(Decimal("0.5")), take=Level(Decimal(3))), Side.BUY, 1000)
