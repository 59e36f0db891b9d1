"""A stop that leaves at a limit has gone off, and the price is gone again: nothing else may wait for it."""

from __future__ import annotations

from typing import Any

import pytest

from lanner.model.commands import CancelOrder, Command, SubmitOrder
from lanner.model.enums import OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.reports import OrderCanceled
from tests.unit.execution.test_position_stops import PERP, SPOT, Room
from tests.unit.execution.test_stops_beside_brackets import ALONE, bracket, of_kind, room_of

WATCHED = pytest.mark.parametrize(
    ("instrument", "resident"), [(SPOT, True), (PERP, False)], ids=["spot", "stops kept by the engine"]
)


def with_a_limit_out(
    instrument: Instrument, resident: bool, lots: int = 10, **take: Any
) -> tuple[Room, SubmitOrder]:
    """Hold something, of which a limit take profit went off and rests; the price has not come to it."""
    room = Room(instrument=instrument, resident=resident)
    room.hold(lots)
    room.price(100)
    side = 1 if lots > 0 else -1
    room.one.stops.set_stop_loss(100 - 2 * side)
    room.one.stops.set_take_profit(100 + 1 * side, order_type="limit", **take)
    room.settle()
    room.accept(room.flush())
    (limit,) = settled(room, room.price(100 + 1 * side))
    assert limit.type is OrderType.LIMIT
    return room, limit


def settled(room: Room, commands: list[Command]) -> list[SubmitOrder]:
    """Let the venue take all that leaves, and what follows from that; return the orders."""
    made = room.accept(commands)
    while room.out:
        waiting, room.out = room.out, []
        made += room.accept(waiting)
    return made


@WATCHED
def test_a_stop_loss_leaves_although_a_limit_take_profit_went_off_before(
    instrument: Instrument, resident: bool
) -> None:
    room, limit = with_a_limit_out(instrument, resident)
    out = room.price(97.9)
    assert of_kind(out, CancelOrder) == [limit.order_id]
    (exit_order,) = settled(room, out)
    assert (exit_order.side, exit_order.type, exit_order.lots) == (Side.SELL, OrderType.MARKET, 10)
    assert settled(room, room.fill(exit_order.order_id, 10, 97.9)) == []
    assert (room.resting, room.one.stops.active()) == ([], [])


def test_a_short_position_leaves_its_limit_for_the_stop_loss_as_well() -> None:
    room, limit = with_a_limit_out(PERP, False, -10)
    out = room.price(102.1)
    assert of_kind(out, CancelOrder) == [limit.order_id]
    (exit_order,) = settled(room, out)
    assert (exit_order.side, exit_order.type, exit_order.lots) == (Side.BUY, OrderType.MARKET, 10)


def test_on_spot_nothing_is_sold_twice_while_the_limit_is_being_taken_back() -> None:
    room, limit = with_a_limit_out(SPOT, True)
    assert of_kind(room.price(97.9), SubmitOrder) == []
    room.fill(limit.order_id, 4, 101)
    assert of_kind(room.price(97.8), SubmitOrder) == []
    (exit_order,) = room.say(OrderCanceled, limit.order_id)
    assert isinstance(exit_order, SubmitOrder)
    assert (exit_order.type, exit_order.lots) == (OrderType.MARKET, 6)


@WATCHED
def test_a_time_stop_leaves_at_market_where_a_limit_waits(instrument: Instrument, resident: bool) -> None:
    room, limit = with_a_limit_out(instrument, resident)
    room.one.stops.set_time_stop(after="60s")
    out = room.price(100, 61)
    assert of_kind(out, CancelOrder) == [limit.order_id]
    (exit_order,) = settled(room, out)
    assert (exit_order.type, exit_order.lots) == (OrderType.MARKET, 10)


def test_a_limit_goes_on_with_what_a_part_at_market_leaves() -> None:
    room, limit = with_a_limit_out(PERP, False)
    room.one.stops.set_time_stop(after="60s", action="reduce")
    made = settled(room, room.price(100, 61))
    assert [(one.type, one.lots) for one in made] == [(OrderType.MARKET, 5), (OrderType.LIMIT, 5)]
    assert limit.order_id not in [one.order_id for one in made]


def test_a_limit_for_a_part_stays_where_there_is_room_for_both() -> None:
    room, _ = with_a_limit_out(PERP, False, partial_close_pct=0.5)
    room.one.stops.set_time_stop(after="60s", action="reduce")
    out = room.price(100, 61)
    assert of_kind(out, CancelOrder) == []
    (exit_order,) = settled(room, out)
    assert (exit_order.type, exit_order.lots) == (OrderType.MARKET, 5)
    assert room.resting == [("take_profit", 5), ("time_stop", 5)]


def test_a_stop_loss_with_a_limit_goes_before_a_take_profit_with_one() -> None:
    room = Room(resident=False)
    room.hold(10)
    room.price(100)
    room.one.stops.set_take_profit(101, order_type="limit")
    room.one.stops.set_stop_loss(98, order_type="limit")
    (high,) = settled(room, room.price(101))
    out = room.price(97.9)
    assert of_kind(out, CancelOrder) == [high.order_id]
    (low,) = settled(room, out)
    assert (low.type, low.px_ticks, low.lots) == (OrderType.LIMIT, 980, 10)
    assert room.price(97) == [], "the limit nearer to the market stays"


def test_a_stop_loss_rests_on_at_the_venue_when_a_limit_take_profit_fills_in_part() -> None:
    room = Room()
    room.hold(10)
    room.price(100)
    room.one.stops.set_stop_loss(98)
    room.one.stops.set_take_profit(101, order_type="limit")
    loss, limit = settled(room, room.flush())
    out = room.fill(limit.order_id, 4, 101)
    assert of_kind(out, CancelOrder) == [loss.order_id]
    (smaller,) = settled(room, out)
    assert (smaller.type, smaller.stop_ticks, smaller.lots) == (OrderType.STOP_MARKET, 980, 6)
    assert room.resting == [("stop_loss", 6), ("take_profit", 6)]


@ALONE
def test_a_brackets_stop_comes_back_when_the_price_reaches_it_before_a_limit(instrument: Instrument) -> None:
    room = room_of(instrument)
    exits = bracket(room, 10, stop="2%")
    room.one.stops.set_take_profit(101, order_type="limit")
    room.settle()
    out = room.price(101)
    assert of_kind(out, CancelOrder) == [exits["stop"].order_id]
    (limit,) = settled(room, out)
    assert settled(room, room.price(98.1)) == []
    out = room.price(98)
    assert of_kind(out, CancelOrder) == [limit.order_id]
    (again,) = settled(room, out)
    assert (again.type, again.stop_ticks, again.lots) == (OrderType.STOP_MARKET, 980, 10)
    assert room.one.stops.active() == []


@ALONE
def test_a_brackets_stop_that_the_strategy_took_back_does_not_end_a_limit(instrument: Instrument) -> None:
    room = room_of(instrument)
    exits = bracket(room, 10, stop="2%")
    room.one.cancel(exits["stop"].order_id)
    settled(room, room.flush())
    room.one.stops.set_take_profit(101, order_type="limit")
    settled(room, room.flush())
    settled(room, room.price(101))
    assert room.price(97) == []
    assert room.resting == [("take_profit", 10)]
