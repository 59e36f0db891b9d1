"""What the venue does not take as an order, whatever is done: told once, tried again when something has changed."""

from __future__ import annotations

import pytest

from lanner.execution.stops import STUCK_NS
from lanner.model.commands import SubmitOrder
from lanner.model.enums import OrderType, Side
from lanner.model.reports import OrderAccepted, OrderExpired, OrderRejected
from tests.unit.execution.test_position_stops import SECOND, SPOT, Room


def went_off(room: Room, lots: int = 10) -> SubmitOrder:
    """Hold lots whose stop goes off; return its exit."""
    room.hold(lots)
    room.price(100)
    room.one.stops.set_stop_loss(95)
    (sent,) = room.price(94)
    assert isinstance(sent, SubmitOrder)
    return sent


def refuse(room: Room, sent: SubmitOrder, code: str = "QTY_LIMITS") -> None:
    assert room.say(OrderRejected, sent.order_id, "quantity less than the minimum", code) == []


def over(room: Room, seconds: float, px: float = 94.0) -> list[SubmitOrder]:
    """Let prices come for a while, and refuse what leaves."""
    sent = []
    for _ in range(round(2 * seconds)):
        for command in room.price(px, 0.5):
            assert isinstance(command, SubmitOrder)
            sent.append(command)
            refuse(room, command)
    return sent


def test_a_remainder_that_the_venue_does_not_take_is_told_once_and_tried_at_a_slow_pace() -> None:
    room = Room(resident=False)
    refuse(room, went_off(room))
    hour = over(room, 3_600)
    assert 3 <= len(hour) <= 7, "one a minute at first, then ever more seldom"
    assert hour[0].ts - room.alarms[-1].ts >= STUCK_NS
    assert room.told == ["armed", "triggered", "uncloseable"]
    assert "quantity less than the minimum" in room.alarms[-1].reason
    assert len(over(room, 7_200)) <= 3
    assert room.told.count("uncloseable") == 1
    [(key, stuck)] = room.engine.execution.stops.uncloseable()
    assert (key, stuck.code, stuck.lots) == ((room.one.id, room.instrument.id), "QTY_LIMITS", 10)


def test_a_remainder_is_tried_at_once_when_more_or_less_of_it_is_held() -> None:
    room = Room(resident=False)
    refuse(room, went_off(room))
    assert over(room, 5) == []
    less = room.one.order(Side.SELL, room.instrument.qty(4))
    room.flush()
    (again,) = room.fill(less.order_id, 4, 94)
    assert isinstance(again, SubmitOrder)
    assert again.lots == 6
    refuse(room, again)
    assert over(room, 5) == []


def test_a_remainder_of_too_little_worth_is_tried_again_when_the_price_has_risen() -> None:
    room = Room(resident=False)
    refuse(room, went_off(room), "MIN_NOTIONAL")
    assert room.price(94.5) == [], "half a percent"
    (again,) = room.price(95.5)
    assert isinstance(again, SubmitOrder)
    refuse(room, again, "MIN_NOTIONAL")
    assert over(room, 20, 95.6) == []


def test_a_price_does_not_help_a_quantity_that_is_too_little() -> None:
    room = Room(resident=False)
    refuse(room, went_off(room), "QTY_GRID")
    assert over(room, 20, 120.0) == []


def test_a_remainder_that_is_taken_at_last_is_a_stop_like_any_other() -> None:
    room = Room(resident=False)
    refuse(room, went_off(room))
    while not (again := room.price(94)):
        pass
    assert isinstance(again[0], SubmitOrder)
    room.say(OrderAccepted, again[0].order_id, "v")
    room.fill(again[0].order_id, 4, 94)
    assert room.engine.execution.stops.uncloseable() == []
    room.say(OrderExpired, again[0].order_id, "no liquidity")
    (rest,) = room.price(94, 1.1)
    assert isinstance(rest, SubmitOrder)
    refuse(room, rest)
    assert room.told[-2:] == ["failed", "uncloseable"], "another remainder, told again"


def test_another_refusal_of_a_remainder_is_told_too() -> None:
    room = Room(resident=False)
    refuse(room, went_off(room))
    while not (again := room.price(94)):
        pass
    assert isinstance(again[0], SubmitOrder)
    refuse(room, again[0], "MIN_NOTIONAL")
    assert room.told.count("uncloseable") == 2


def test_a_remainder_keeps_no_other_stop_and_no_sale_from_working() -> None:
    """On spot an exit that is about to leave has all that locks its coins taken back: this one does not leave."""
    room = Room(instrument=SPOT, resident=False)
    refuse(room, went_off(room))
    room.hold(1_000, 94)
    sale = room.one.order(Side.SELL, SPOT.qty(1_000), 99)
    room.accept(room.flush())
    assert over(room, 20) == []
    assert room.engine.execution.orders[sale.order_id].is_open
    room.one.stops.set_stop_loss(90, name="rest")
    room.one.cancel(sale)
    room.accept(room.flush())
    room.settle()
    (sent,) = room.price(89)
    assert isinstance(sent, SubmitOrder)
    assert (sent.type, sent.lots) == (OrderType.MARKET, 1_010), "the next one takes the remainder along"


@pytest.mark.parametrize("code", ["OTHER", "NO_LIQUIDITY", "INSUFFICIENT_FUNDS"])
def test_what_may_pass_is_tried_again_as_before(code: str) -> None:
    room = Room(resident=False)
    sent = went_off(room)
    room.say(OrderRejected, sent.order_id, "not now", code)
    assert len(room.price(94, 1.1)) == 1
    assert "uncloseable" not in room.told


def test_the_alarm_of_a_remainder_is_a_second_old_at_most() -> None:
    room = Room(resident=False)
    refuse(room, went_off(room))
    assert room.now - room.alarms[-1].ts < SECOND
