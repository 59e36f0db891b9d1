"""``self.stops`` beside the exits of brackets: together they never close more than is held."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lanner.model.commands import AmendOrder, CancelOrder, Command, SubmitOrder
from lanner.model.enums import OrderStatus, OrderType
from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.model.reports import AmendRejected, CancelRejected, OrderAmended, OrderCanceled
from lanner.risk.checks import RiskLimits
from tests.unit.execution.test_position_stops import PERP, SPOT, Room


def bracket(room: Room, lots: int, **exits: str) -> dict[str, Order]:
    """Buy with exits, all filled and accepted; return the exits by role."""
    entry = room.one.buy(room.instrument.qty(lots), **exits)
    room.flush()
    room.accept(room.fill(entry.order_id, lots))
    orders = room.engine.execution.orders.values()
    return {order.intent: order for order in orders if order.parent_id == entry.order_id}


def room_of(instrument: Instrument) -> Room:
    room = Room(instrument=instrument)
    room.price(100)
    if instrument is PERP:
        room.engine.execution.shared = frozenset({PERP.id})
    return room


def of_kind(commands: list[Command], kind: type[SubmitOrder | CancelOrder]) -> list[str]:
    return [c.order_id for c in commands if isinstance(c, kind)]


ALONE = pytest.mark.parametrize("instrument", [SPOT, PERP], ids=["spot", "several strategies"])


@ALONE
def test_a_stop_beside_a_bracket_is_watched_where_both_could_fill(instrument: Instrument) -> None:
    room = room_of(instrument)
    bracket(room, 10, stop="5%")
    room.one.stops.set_stop_loss("2%")
    assert of_kind(room.flush(), SubmitOrder) == []
    assert [stop["kept_by"] for stop in room.one.stops.active()] == ["engine"]


@ALONE
def test_the_nearer_stop_goes_off_when_the_brackets_exits_are_back(instrument: Instrument) -> None:
    room = room_of(instrument)
    exits = bracket(room, 10, stop="5%", take="9%")
    room.one.stops.set_stop_loss("2%")
    room.flush()
    out = room.price(97)
    assert sorted(of_kind(out, CancelOrder)) == sorted(order.order_id for order in exits.values())
    assert of_kind(out, SubmitOrder) == [], "the exits could still fill, and they lock what shall be sold"
    assert of_kind(room.say(OrderCanceled, exits["stop"].order_id, "asked for"), SubmitOrder) == []
    [left] = room.say(OrderCanceled, exits["take"].order_id, "asked for")
    assert isinstance(left, SubmitOrder)
    assert (left.type, left.lots) == (OrderType.MARKET, 10)
    room.fill(left.order_id, 10, 97)
    assert room.one.position.is_flat


@ALONE
def test_a_bracket_that_fills_first_leaves_nothing_to_the_stop(instrument: Instrument) -> None:
    room = room_of(instrument)
    exits = bracket(room, 10, stop="2%")
    room.one.stops.set_stop_loss("2.1%")
    room.flush()
    room.price(97)
    out = room.fill(exits["stop"].order_id, 10, 97)
    assert room.one.position.is_flat
    assert of_kind(out, SubmitOrder) == []
    assert room.one.stops.active() == []


@ALONE
def test_a_partial_stop_brings_the_bracket_down_first_and_leaves_it_at_what_is_left(
    instrument: Instrument,
) -> None:
    room = room_of(instrument)
    stop = bracket(room, 10, stop="5%")["stop"]
    room.one.stops.set_take_profit("2%", partial_close_pct=0.4)
    room.flush()
    [amend] = room.price(103)
    assert isinstance(amend, AmendOrder)
    assert (amend.order_id, amend.lots) == (stop.order_id, 6)
    [sale] = room.say(OrderAmended, stop.order_id, 6, None, stop.stop_ticks, amend.request)
    assert isinstance(sale, SubmitOrder)
    assert (sale.type, sale.lots) == (OrderType.MARKET, 4)
    assert room.fill(sale.order_id, 4, 103) == []
    assert stop.leaves_lots == 6


@ALONE
def test_a_bracket_that_refuses_to_be_made_smaller_makes_way_for_the_stop_all_the_same(
    instrument: Instrument,
) -> None:
    room = room_of(instrument)
    stop = bracket(room, 10, stop="5%")["stop"]
    room.one.stops.set_take_profit("2%", partial_close_pct=0.4)
    room.flush()
    [amend] = room.price(103)
    assert isinstance(amend, AmendOrder)
    out = room.say(AmendRejected, stop.order_id, "no changes, please", amend.request)
    assert of_kind(out, CancelOrder) == [stop.order_id]
    out = room.say(OrderCanceled, stop.order_id, "asked for")
    submitted = [c for c in out if isinstance(c, SubmitOrder)]
    assert sorted((c.type, c.lots) for c in submitted) == [(OrderType.MARKET, 4), (OrderType.STOP_MARKET, 6)]


@ALONE
def test_a_bracket_that_refuses_all_that_is_asked_of_it_is_left_in_peace_for_a_moment(
    instrument: Instrument,
) -> None:
    room = room_of(instrument)
    stop = bracket(room, 10, stop="5%")["stop"]
    room.one.stops.set_take_profit("2%", partial_close_pct=0.4)
    room.flush()
    [first] = room.price(103, 0.1)
    [second] = room.price(103, 0.1)
    assert isinstance(first, AmendOrder)
    assert isinstance(second, AmendOrder)
    [back] = room.say(AmendRejected, stop.order_id, "too many requests", first.request)
    assert isinstance(back, CancelOrder)
    assert room.say(CancelRejected, stop.order_id, "too many requests", back.request) == []
    assert room.say(AmendRejected, stop.order_id, "too many requests", second.request) == []
    assert of_kind(room.price(103, 1.1), CancelOrder) == [stop.order_id]


def test_on_a_perpetual_both_rest_and_the_bracket_comes_down_after_the_stop() -> None:
    room = Room()
    room.price(100)
    stop = bracket(room, 10, stop="5%")["stop"]
    room.one.stops.set_take_profit("2%", partial_close_pct=0.4)
    [target] = room.accept(room.flush())
    assert (target.lots, target.reduce_only, stop.reduce_only) == (4, True, True)
    [amend] = room.fill(target.order_id, 4, 102)
    assert isinstance(amend, AmendOrder)
    assert (amend.order_id, amend.lots) == (stop.order_id, 6)


def test_on_a_perpetual_a_position_closed_by_a_stop_takes_the_bracket_with_it() -> None:
    room = Room()
    room.price(100)
    exits = bracket(room, 10, stop="5%", take="9%")
    room.one.stops.set_stop_loss("2%")
    [stop] = room.accept(room.flush())
    out = room.fill(stop.order_id, 10, 98)
    assert sorted(of_kind(out, CancelOrder)) == sorted(order.order_id for order in exits.values())


def test_the_stop_rests_again_when_the_bracket_is_gone() -> None:
    room = room_of(SPOT)
    exits = bracket(room, 10, stop="5%")
    room.one.stops.set_stop_loss("8%")
    room.flush()
    room.one.cancel(exits["stop"].order_id)
    room.flush()
    out = room.say(OrderCanceled, exits["stop"].order_id, "asked for")
    assert [c.lots for c in out if isinstance(c, SubmitOrder)] == [10]


def test_what_sells_a_position_is_not_refused_because_its_stop_rests_beside() -> None:
    room = Room(instrument=SPOT)
    room.price(100)
    room.hold(10)
    room.one.stops.set_stop_loss("5%")
    room.accept(room.flush())
    room.engine.execution.limits = RiskLimits(max_position_notional=Decimal("0.01"))
    order = room.one.sell(room.instrument.qty(10))
    assert order.status is OrderStatus.SUBMITTED, order.reason


def test_a_stop_that_goes_off_on_spot_takes_back_the_sale_that_locks_its_coins() -> None:
    room = room_of(SPOT)
    room.hold(10)
    sale = room.one.sell(SPOT.qty(10), 105)
    room.accept(room.flush())
    room.one.stops.set_stop_loss("2%")
    assert of_kind(room.flush(), SubmitOrder) == []
    assert of_kind(room.price(97), CancelOrder) == [sale.order_id]
    [exit_] = room.say(OrderCanceled, sale.order_id, "asked for")
    assert isinstance(exit_, SubmitOrder)
    assert (exit_.type, exit_.lots) == (OrderType.MARKET, 10)


def test_a_stop_does_not_grow_back_while_a_smaller_target_is_under_way() -> None:
    room = room_of(SPOT)
    room.hold(10)
    room.one.stops.set_stop_loss("5%")
    [stop] = room.accept(room.flush())
    room.one.target_qty(SPOT.qty(6))
    amend, sale = room.flush()
    assert isinstance(amend, AmendOrder)
    assert isinstance(sale, SubmitOrder)
    assert room.say(OrderAmended, stop.order_id, 6, None, stop.stop_ticks, amend.request) == []
    assert room.fill(sale.order_id, 4) == []
    assert room.resting == [("stop_loss", 6)]
