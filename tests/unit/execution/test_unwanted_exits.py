"""Exits that nobody wants any more and that the venue did not take back: they are asked back until they are gone."""

from __future__ import annotations

from typing import Any

import pytest

from lanner.model.commands import CancelOrder, SubmitOrder
from lanner.model.enums import OrderType, Side
from lanner.model.features import Feature
from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.model.reports import CancelRejected, OrderAccepted, OrderCanceled, OrderUnanswered
from tests.unit.execution.orders import PERP
from tests.unit.execution.room import TWO_PERCENT, Desk
from tests.unit.execution.test_lost_exits import STOP, held, pass_time
from tests.unit.execution.test_position_stops import PERP as HELD_PERP
from tests.unit.execution.test_position_stops import SPOT, Room


def cancels(commands: list[Any]) -> list[str]:
    return [c.order_id for c in commands if isinstance(c, CancelOrder)]


def refuse(desk: Desk, order: Order) -> None:
    """Let the venue refuse what was asked last."""
    [asked] = [c for c in desk.sends() if isinstance(c, CancelOrder) and c.order_id == order.order_id]
    desk.say(CancelRejected, order, reason="too many requests", request=asked.request)


def lose(desk: Desk, order: Order) -> None:
    """Let a cancel get lost, so that the order is found working."""
    assert cancels(desk.sends()) == [order.order_id]
    desk.say(OrderUnanswered, order, reason="timeout")
    desk.say(OrderAccepted, order)


@pytest.mark.parametrize("not_taken_back", [refuse, lose])
def test_an_exit_of_a_position_that_is_gone_is_asked_back_until_it_is(not_taken_back: Any) -> None:
    desk = Desk()
    stop = held(desk, STOP)["stop"]
    desk.fill(desk.send(10, Side.SELL), 10)
    for _ in range(3):
        not_taken_back(desk, stop)
        pass_time(desk)
    assert cancels(desk.out()) == [stop.order_id]
    desk.say(OrderCanceled, stop)
    pass_time(desk, 5)
    assert desk.out() == []


@pytest.mark.parametrize("not_taken_back", [refuse, lose])
def test_the_sibling_of_an_exit_that_filled_is_asked_back_until_it_is_gone(not_taken_back: Any) -> None:
    desk = Desk()
    held(desk, STOP)  # of another entry
    exits = held(desk)
    stop = exits["stop"]
    desk.fill(exits["take"], 10, 1040)
    not_taken_back(desk, stop)
    pass_time(desk)
    assert cancels(desk.out()) == [stop.order_id]


def test_an_exit_that_was_to_be_replaced_by_a_smaller_one_is_asked_back_again() -> None:
    desk = Desk()
    desk.engine.shared = frozenset({PERP.id})
    desk.engine.abilities.forbid(PERP.id, [Feature.AMEND_TRIGGER])
    stop = held(desk, STOP)["stop"]
    desk.fill(desk.send(4, Side.SELL), 4)
    refuse(desk, stop)
    pass_time(desk)
    assert cancels(desk.out()) == [stop.order_id]


def test_an_exit_that_the_strategy_took_back_in_vain_goes_on_protecting() -> None:
    desk = Desk()
    exits = held(desk, TWO_PERCENT)
    desk.engine.take_back(exits["stop"])
    refuse(desk, exits["stop"])
    pass_time(desk, 5)
    assert desk.out() == [], "it was told, and may ask again"


def test_one_that_the_strategy_took_back_in_vain_goes_when_its_sibling_fills() -> None:
    desk = Desk()
    held(desk, STOP)  # of another entry
    exits = held(desk)
    stop = exits["stop"]
    desk.engine.take_back(stop)
    refuse(desk, stop)
    desk.fill(exits["take"], 10, 1040)
    refuse(desk, stop)
    pass_time(desk)
    assert cancels(desk.out()) == [stop.order_id]


# -- stops of positions --------------------------------------------------------------------------------


@pytest.mark.parametrize("instrument", [HELD_PERP, SPOT])
def test_a_stop_that_was_given_up_is_asked_back_until_it_is_gone(instrument: Instrument) -> None:
    room = Room(instrument=instrument)
    room.price(100)
    room.hold(10)
    room.one.stops.set_stop_loss("2%")
    [stop] = room.accept(room.flush())
    room.one.stops.remove_all()
    [asked] = room.flush()
    assert isinstance(asked, CancelOrder)
    assert room.say(CancelRejected, stop.order_id, "too many requests", asked.request) == []
    assert cancels(room.price(100)) == [stop.order_id]


def test_on_spot_a_refused_cancel_does_not_keep_a_stop_that_goes_off_from_leaving() -> None:
    room = Room(instrument=SPOT)
    room.price(100)
    room.hold(10)
    room.one.stops.set_stop_loss("2%")
    [stop] = room.accept(room.flush())
    room.one.stops.set_take_profit("1%")
    [asked] = room.price(102)
    assert isinstance(asked, CancelOrder)
    room.say(CancelRejected, stop.order_id, "too many requests", asked.request)
    assert cancels(room.price(102)) == [stop.order_id]
    [sale] = room.say(OrderCanceled, stop.order_id)
    assert isinstance(sale, SubmitOrder)
    assert (sale.type, sale.lots) == (OrderType.MARKET, 10)
