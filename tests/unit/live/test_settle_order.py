"""What is concluded from a venue's word about one order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from lanner.execution.lifecycle import ask_amend, move
from lanner.live.reconcile import settle_order
from lanner.model.accounts import VenueFill, VenueOrder
from lanner.model.enums import Liquidity, OrderStatus, OrderType, Side
from lanner.model.orders import Order
from lanner.model.reports import OrderAccepted, OrderAmended, OrderCanceled, OrderFilled, OrderRejected
from tests.unit.execution.orders import PERP

S = OrderStatus
NOW = 1_000_000_000_000
ABSENCE = 10_000_000_000


def order(lots: int, *statuses: OrderStatus) -> Order:
    made = Order("o1", "s", PERP, Side.BUY, OrderType.LIMIT, lots, NOW, px_ticks=1000)
    for status in statuses:
        move(made, status, NOW)
    return made


def told(lots: int, cum: int, status: OrderStatus) -> VenueOrder:
    return VenueOrder(
        PERP.id, "o1", "o1", "v1", Side.BUY, OrderType.LIMIT, lots, cum, status, px_ticks=1000, ts_last=NOW
    )


def settle(one: Order, said: VenueOrder | None, fills: Any = (), after: int = 0) -> list[Any]:
    return settle_order(one, said, fills, NOW + after, absence_ns=ABSENCE)


def test_an_order_that_the_venue_never_had_is_rejected_and_one_that_it_had_is_canceled() -> None:
    lost = order(5, S.SUBMITTED, S.UNKNOWN)
    assert settle(lost, None, after=ABSENCE - 1) == []
    assert [type(report) for report in settle(lost, None, after=ABSENCE)] == [OrderRejected]
    there = order(5, S.SUBMITTED, S.ACCEPTED)
    there.venue_order_id = "v1"
    assert [type(report) for report in settle(there, None, after=ABSENCE)] == [OrderCanceled]


def test_an_unanswered_amend_counts_until_it_cannot_arrive_any_more() -> None:
    one = order(2, S.SUBMITTED, S.ACCEPTED)
    ask_amend(one, 9, NOW)
    move(one, S.UNKNOWN, NOW)
    assert one.requests is not None
    one.requests.amends = ()
    assert [type(report) for report in settle(one, told(2, 0, S.ACCEPTED))] == [OrderAccepted]
    late = settle(one, told(2, 0, S.ACCEPTED), after=ABSENCE)
    assert [type(report) for report in late] == [OrderAccepted, OrderAmended]
    assert late[1].lots == 2


def test_an_order_that_filled_at_a_size_nobody_told_is_over() -> None:
    one = order(9, S.SUBMITTED, S.ACCEPTED)
    fill = OrderFilled("o1", PERP.id, NOW, NOW, "t1", Side.BUY, 1000, 2, Decimal(0), Liquidity.MAKER, 1000)
    reports = settle(one, told(2, 2, S.FILLED), [VenueFill(fill, "v1")])
    assert [type(report) for report in reports] == [OrderFilled, OrderAmended]
    assert reports[1].lots == 2
