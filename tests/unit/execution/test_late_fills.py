"""Fills that were concluded from a quantity and are told later: counted once, at the price and fee that were told."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from lanner.execution.late_fills import CLOCKS_NS
from lanner.model.enums import OrderStatus, OrderType, Side
from lanner.model.orders import Order
from lanner.model.reports import CONCLUDED, OrderCanceled
from tests.unit.execution.orders import PERP, fill
from tests.unit.execution.room import Desk


def resting(desk: Desk, lots: int = 10) -> Order:
    return desk.send(lots, type=OrderType.LIMIT, px_ticks=1000)


def tell(desk: Desk, order: Order, trade: str, lots: int, px: int, fee: str, ts: int = 1) -> None:
    desk.engine.on_report(fill(trade, lots, px, ts, order.order_id, order.side, fee))


def conclude(desk: Desk, order: Order, lots: int, px: int = 1000, fee: str = "0.05", ts: int = 1) -> None:
    tell(desk, order, f"{CONCLUDED}-{order.order_id}-{order.cum_lots + lots}", lots, px, fee, ts)


def books(desk: Desk) -> tuple[int, int, Decimal, int]:
    position = desk.portfolio.position("s", PERP)
    assert position.realised - position.cost == position.cash_flow, (
        "realised + open = cash flow + lots × mark"
    )
    return position.lots, position.cash_flow, position.fees, len(desk.engine.fills)


def test_the_true_fill_of_concluded_lots_corrects_price_and_fee_and_counts_nothing() -> None:
    desk = Desk()
    order = resting(desk)
    conclude(desk, order, 10)
    assert books(desk) == (10, -10_000, Decimal("0.05"), 1)
    tell(desk, order, "77", 10, 998, "0.02")
    assert books(desk) == (10, -9_980, Decimal("0.02"), 1)
    assert (order.status, order.cum_lots, order.notional, order.fees) == (
        OrderStatus.FILLED,
        10,
        9_980,
        Decimal("0.02"),
    )
    tell(desk, order, "77", 10, 998, "0.02")
    assert books(desk) == (10, -9_980, Decimal("0.02"), 1), "told again it is nothing new"


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_the_true_price_of_concluded_lots_is_the_average_of_what_is_held(side: Side) -> None:
    desk = Desk()
    order = desk.send(10, side, type=OrderType.LIMIT, px_ticks=1000)
    conclude(desk, order, 10, px=1)
    tell(desk, order, "77", 10, 998, "0.02")
    position = desk.portfolio.position("s", PERP)
    assert (position.avg_px, position.realised) == (PERP.px(998), 0)
    again = desk.send(10, side.opposite, type=OrderType.LIMIT, px_ticks=1000)
    conclude(desk, again, 10, px=1001)
    tell(desk, again, "78", 10, 1002, "0.02")
    assert (position.lots, position.realised) == (0, 40 * side)


def test_concluded_lots_that_are_told_in_pieces_are_counted_once() -> None:
    desk = Desk()
    order = resting(desk)
    tell(desk, order, "1", 2, 1000, "0.01")
    conclude(desk, order, 6, fee="0.03")
    for trade, lots in (("2", 1), ("3", 4), ("4", 1)):
        tell(desk, order, trade, lots, 1000, "0.01")
    assert books(desk) == (8, -8_000, Decimal("0.04"), 5 - 3)
    assert order.concluded is None
    tell(desk, order, "5", 2, 1000, "0.01")
    assert (order.status, order.cum_lots) == (OrderStatus.FILLED, 10), "what comes then is new"


def test_a_fill_that_is_larger_than_what_was_concluded_counts_with_the_rest() -> None:
    desk = Desk()
    order = resting(desk)
    conclude(desk, order, 3, fee="0.03")
    tell(desk, order, "9", 5, 1002, "0.10")
    assert books(desk) == (5, -5_010, Decimal("0.10"), 2)
    assert (order.cum_lots, order.fees) == (5, Decimal("0.10"))
    tell(desk, order, "9", 5, 1002, "0.10")
    assert order.cum_lots == 5


def test_a_fill_much_later_than_the_conclusion_is_another_one() -> None:
    desk = Desk()
    order = resting(desk)
    conclude(desk, order, 3)
    tell(desk, order, "9", 3, 1000, "0", ts=CLOCKS_NS + 2)
    assert books(desk)[0] == 6


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_a_canceled_orders_concluded_lots_are_recognised(side: Side) -> None:
    desk = Desk()
    order = desk.send(10, side, type=OrderType.LIMIT, px_ticks=1000)
    conclude(desk, order, 4)
    desk.say(OrderCanceled, order, reason="")
    tell(desk, order, "9", 4, 1001, "0.01")
    assert books(desk) == (4 * side, -4_004 * side, Decimal("0.01"), 1)
    assert (order.status, order.cum_lots) == (OrderStatus.CANCELED, 4)


def test_two_conclusions_are_told_as_one_fill() -> None:
    desk = Desk()
    order = resting(desk)
    conclude(desk, order, 3, fee="0.03")
    conclude(desk, order, 2, fee="0.02")
    later = replace(fill("9", 5, 1000, 1, order.order_id, order.side, "0.07"), ts_recv=5)
    desk.engine.on_report(later)
    assert books(desk) == (5, -5_000, Decimal("0.07"), 2)
