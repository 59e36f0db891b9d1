"""Batches: what is asked for together travels together."""

from __future__ import annotations

import pytest

from lanner.core.errors import NotFoundError
from lanner.model.commands import AmendOrder, Batch, CancelOrder, SubmitOrder
from lanner.model.enums import GroupKind, OrderStatus, OrderType
from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from tests.unit.execution.room import Desk

ELSEWHERE = Instrument.perp("BTCUSDT-PERP.OTHER", tick="0.1", lot="0.001", max_leverage=10)


def test_submits_cancels_and_amends_of_a_block_leave_as_one_batch_in_their_order() -> None:
    desk = Desk()
    old, kept = (desk.send(1, type=OrderType.LIMIT, px_ticks=900) for _ in range(2))
    desk.out()
    with desk.engine.batch():
        desk.engine.cancel(old)
        desk.engine.amend(kept, 2, None, None)
        new = desk.send(3)
    [batch] = desk.out()
    assert isinstance(batch, Batch)
    assert [type(c) for c in batch.commands] == [CancelOrder, AmendOrder, SubmitOrder]
    assert [c.order_id for c in batch.commands] == [old.order_id, kept.order_id, new.order_id]
    assert batch.kind is SubmitOrder


def test_what_was_asked_for_before_the_block_leaves_before_it_and_alone() -> None:
    desk = Desk()
    desk.send(1)
    with desk.engine.batch():
        desk.send(2)
        with desk.engine.batch():
            desk.send(3)
        desk.send(4)
    desk.send(5)
    out = desk.out()
    assert [type(c) for c in out] == [SubmitOrder, Batch, SubmitOrder]
    assert [c.lots for c in out[1].commands if isinstance(c, SubmitOrder)] == [2, 3, 4]  # type: ignore[union-attr]


def test_each_venue_gets_its_own_batch_and_a_single_command_goes_as_it_is() -> None:
    desk = Desk()
    with desk.engine.batch():
        desk.send(1)
        other = Order("x", "s", ELSEWHERE, desk.engine.orders["r-o1"].side, OrderType.MARKET, 1, 1)
        desk.engine.submit(other)
        desk.send(2)
    first, second = desk.out()
    assert isinstance(first, Batch)
    assert [c.order_id for c in first.commands] == ["r-o1", "r-o2"]
    assert isinstance(second, SubmitOrder)
    assert second.order_id == "x"


def test_an_empty_block_sends_nothing() -> None:
    desk = Desk()
    with desk.engine.batch():
        pass
    assert desk.out() == []


def test_a_member_that_is_denied_does_not_hold_up_the_others() -> None:
    desk = Desk(max_open_orders=2)
    with desk.engine.batch():
        orders = [desk.send(1) for _ in range(3)]
    assert [o.status for o in orders] == [OrderStatus.SUBMITTED] * 2 + [OrderStatus.DENIED]
    [batch] = desk.out()
    assert isinstance(batch, Batch)
    assert len(batch.commands) == 2


def test_a_member_that_cannot_be_built_raises_where_it_stands_and_undoes_nothing() -> None:
    desk = Desk()

    def block() -> None:
        with desk.engine.batch():
            desk.send(1)
            desk.send(2)
            desk.engine.cancel(desk.engine.find("of nobody"))

    with pytest.raises(NotFoundError, match="of nobody"):
        block()
    [batch] = desk.out()
    assert isinstance(batch, Batch)
    assert len(batch.commands) == 2
    desk.send(1)
    assert isinstance(desk.out()[0], SubmitOrder), "the block is over"


def test_orders_of_a_batch_can_still_be_joined_in_the_same_step() -> None:
    desk = Desk()
    with desk.engine.batch():
        pair = [desk.send(1), desk.send(1)]
    desk.engine.join(pair, "g1", GroupKind.OCO)
    [batch] = desk.out()
    assert isinstance(batch, Batch)
    assert {c.group_id for c in batch.commands if isinstance(c, SubmitOrder)} == {"g1"}
