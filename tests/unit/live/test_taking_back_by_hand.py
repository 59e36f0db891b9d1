"""What a person takes back stays away: the engine does not send a stop or an exit again behind a person's back."""

from __future__ import annotations

import pytest

from lanner.live.adjusting import adjust
from lanner.model.commands import CancelOrder, SubmitOrder
from lanner.model.reports import OrderCanceled
from lanner.storage.journal import Control
from tests.unit.execution.test_position_stops import Room
from tests.unit.execution.test_stops_beside_brackets import bracket


def by_hand(room: Room, action: str, **details: str) -> list[str]:
    """Take orders back by hand, let the venue do it, and return them."""
    control = Control(action, "by hand", details)
    asked = [
        c.order_id for c in room.flush(adjust(room.engine, control, room.now)) if isinstance(c, CancelOrder)
    ]
    for order_id in asked:
        room.later(room.say(OrderCanceled, order_id))
    return asked


@pytest.mark.parametrize("action", ["cancel", "cancel_all"])
def test_a_stop_that_a_person_took_back_is_given_up(action: str) -> None:
    room = Room()
    room.price(100)
    room.hold(10)
    room.one.stops.set_stop_loss("2%")
    [stop] = room.accept(room.flush())
    assert by_hand(room, action, order_id=stop.order_id) == [stop.order_id]
    out = room.price(100, after_s=5)
    assert [c for c in out if isinstance(c, SubmitOrder)] == []
    assert room.one.stops.active() == []


@pytest.mark.parametrize("action", ["cancel", "cancel_all"])
def test_a_brackets_stop_that_a_person_took_back_does_not_return(action: str) -> None:
    room = Room()
    room.price(100)
    stop = bracket(room, 10, stop="2%")["stop"]
    assert by_hand(room, action, order_id=stop.order_id) == [stop.order_id]
    assert [c for c in room.price(100, after_s=5) if isinstance(c, SubmitOrder)] == []


def test_a_brackets_stop_that_the_venue_dropped_returns() -> None:
    room = Room()
    room.price(100)
    stop = bracket(room, 10, stop="2%")["stop"]
    room.later(room.say(OrderCanceled, stop.order_id, "the venue does not know it any more"))
    assert [c.lots for c in room.price(100, after_s=5) if isinstance(c, SubmitOrder)] == [10]
