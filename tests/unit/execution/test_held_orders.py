"""Orders that wait for another order's fill."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lanner.model.commands import SubmitOrder
from lanner.model.enums import GroupKind, OrderStatus, OrderType, Side
from lanner.model.orders import Order
from lanner.model.reports import OrderAccepted, OrderCanceled, OrderExpired, OrderRejected
from tests.unit.execution.orders import PERP
from tests.unit.execution.room import TWO_PERCENT, Desk

S = OrderStatus


def held(desk: Desk, parent: Order, lots: int = 10, *, scaled: bool = False, **more: Any) -> Order:
    order = Order(
        desk.engine.ids.next("o"),
        "s",
        PERP,
        more.pop("side", Side.SELL),
        more.pop("type", OrderType.MARKET),
        lots,
        desk.clock.now,
        group_kind=GroupKind.OTO,
        parent_id=parent.order_id,
        parent_lots=parent.lots if scaled else 0,
        **more,
    )
    desk.engine.submit(order, more.get("plan"), parent)
    return order


def test_an_order_that_waits_does_not_leave_and_does_not_count_as_open() -> None:
    desk = Desk(max_open_orders=1)
    child = held(desk, desk.send(10))
    assert child.status is S.HELD
    assert len(desk.out()) == 1
    assert child not in desk.engine.open_orders("s")


def test_it_leaves_whole_with_the_first_fill_of_its_parent_and_only_once() -> None:
    desk = Desk()
    parent = desk.send(10)
    child = held(desk, parent, 7)
    desk.say(OrderAccepted, parent)
    assert child.status is S.HELD
    desk.out()
    desk.fill(parent, 1)
    [command] = desk.out()
    assert isinstance(command, SubmitOrder)
    assert (command.order_id, command.lots, child.status) == (child.order_id, 7, S.SUBMITTED)
    desk.fill(parent, 9)
    assert desk.out() == []


@pytest.mark.parametrize(("filled", "sent"), [(10, 6), (5, 3), (4, 2)])
def test_a_scaled_order_waits_for_its_parents_end_and_takes_the_filled_part(filled: int, sent: int) -> None:
    desk = Desk()
    parent = desk.send(10)
    child = held(desk, parent, 6, scaled=True)
    desk.out()
    desk.fill(parent, filled)
    if filled < 10:
        assert child.status is S.HELD
        desk.say(OrderCanceled, parent)
    assert [c.lots for c in desk.out() if isinstance(c, SubmitOrder)] == [sent]


def test_a_parent_that_was_made_larger_gives_a_larger_scaled_order() -> None:
    desk = Desk()
    parent = desk.send(10)
    child = held(desk, parent, 6, scaled=True)
    desk.engine.amend(parent, 20, None, None)
    desk.answer_amends()
    desk.fill(parent, 20)
    assert (child.status, child.lots) == (S.SUBMITTED, 12)


def test_a_scaled_order_of_less_than_a_lot_ends_and_says_why() -> None:
    desk = Desk()
    parent = desk.send(10)
    child = held(desk, parent, 5, scaled=True)
    desk.fill(parent, 1)
    desk.say(OrderCanceled, parent)
    assert child.status is S.CANCELED
    assert "less than one lot" in child.reason


@pytest.mark.parametrize("end", [OrderCanceled, OrderRejected, OrderExpired])
def test_a_parent_that_ends_without_a_fill_takes_its_children_with_it(end: type[Any]) -> None:
    desk = Desk()
    parent = desk.send(10)
    child = held(desk, parent)
    grandchild = held(desk, child)
    desk.out()
    desk.engine.notices.clear()
    desk.say(end, parent, reason="over")
    assert (child.status, grandchild.status) == (S.CANCELED, S.CANCELED)
    assert child.reason == f"its parent {parent.order_id} ended without a fill"
    assert desk.out() == []
    assert len(desk.engine.notices) == 3
    assert not desk.engine.held


def test_a_child_of_a_parent_that_was_denied_ends_at_once() -> None:
    desk = Desk(max_order_notional=Decimal(1))
    parent = desk.send(1_000)
    assert parent.status is S.DENIED
    assert held(desk, parent).status is S.CANCELED


def test_a_child_of_a_parent_that_has_filled_leaves_at_once() -> None:
    desk = Desk()
    parent = desk.send(10)
    desk.fill(parent, 10)
    assert held(desk, parent).status is S.SUBMITTED


def test_a_held_order_is_cancelled_here_and_no_command_leaves() -> None:
    desk = Desk()
    parent = desk.send(10)
    child = held(desk, parent)
    grandchild = held(desk, child)
    desk.out()
    desk.engine.cancel(child)
    assert (child.status, grandchild.status, desk.out()) == (S.CANCELED, S.CANCELED, [])
    desk.engine.cancel(child)
    desk.fill(parent, 10)
    assert desk.out() == []


def test_cancel_all_ends_what_is_held_too() -> None:
    desk = Desk()
    parent = desk.send(10)
    child = held(desk, parent)
    assert desk.engine.cancel_all("s", "ETH-USDT.TEST") == 0
    assert desk.engine.cancel_all("s") == 2
    assert (parent.status, child.status) == (S.PENDING_CANCEL, S.CANCELED)


def test_a_held_order_is_amended_here() -> None:
    desk = Desk()
    parent = desk.send(10)
    child = held(desk, parent, 5, type=OrderType.LIMIT, px_ticks=1100)
    desk.out()
    assert desk.engine.amend(child, 4, 1200, None)
    assert desk.out() == []
    desk.fill(parent, 10)
    assert [(c.lots, c.px_ticks) for c in desk.out() if isinstance(c, SubmitOrder)] == [(4, 1200)]


def test_limits_are_checked_when_a_held_order_leaves() -> None:
    desk = Desk(max_position_notional=Decimal(1))  # ten lots at 100 are worth 1
    parent = desk.send(10)
    child = held(desk, parent, 11, side=Side.BUY)
    grandchild = held(desk, child)
    assert child.status is S.HELD
    desk.fill(parent, 10)
    assert (child.status, child.reject_code) == (S.DENIED, "MAX_POSITION_NOTIONAL")
    assert grandchild.status is S.CANCELED


def test_held_orders_that_are_joined_leave_as_one_group() -> None:
    desk = Desk()
    parent = desk.send(10)
    pair = [held(desk, parent, type=OrderType.LIMIT, px_ticks=1100 + i) for i in range(2)]
    desk.engine.join(pair, "g1", GroupKind.OCO)
    desk.out()
    desk.fill(parent, 10)
    assert {(c.group_id, c.group_kind) for c in desk.sends() if isinstance(c, SubmitOrder)} == {
        ("g1", GroupKind.OCO)
    }
    desk.fill(pair[0], 10)
    assert pair[1].status is S.PENDING_CANCEL


def test_an_order_that_waits_brings_its_own_exits() -> None:
    desk = Desk()
    parent = desk.send(10)
    child = Order("c", "s", PERP, Side.BUY, OrderType.MARKET, 4, 1, parent_id=parent.order_id)
    desk.engine.submit(child, TWO_PERCENT, parent)
    desk.fill(parent, 10)
    desk.fill(child, 4)
    assert {o.intent: o.lots for o in desk.engine.orders.values() if o.parent_id == "c"} == {
        "stop": 4,
        "take": 4,
    }
