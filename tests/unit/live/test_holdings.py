"""What a journal says that a session holds, and which of its orders may have traded unheard."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from lanner.live.aftermath import Holdings, holdings_of
from lanner.model.commands import AmendOrder, SubmitOrder
from lanner.model.enums import Liquidity, OrderType, Side
from lanner.model.reports import OrderCanceled, OrderFilled
from lanner.storage.journal import TYPES, Record

NAME = "BTC-USDT.TEST"


def held(*messages: Any) -> Holdings:
    return holdings_of(
        Record(number, number, TYPES[type(message)], message) for number, message in enumerate(messages, 1)
    )


def submit(order_id: str, lots: int) -> SubmitOrder:
    return SubmitOrder(order_id, NAME, 1, Side.BUY, OrderType.MARKET, lots)


def fill(order_id: str, lots: int, trade_id: str) -> OrderFilled:
    return OrderFilled(order_id, NAME, 1, 1, trade_id, Side.BUY, 100, lots, Decimal(0), Liquidity.TAKER, 100)


def test_an_order_is_settled_by_its_end_or_by_all_of_its_fills() -> None:
    told = held(
        submit("a", 5), submit("b", 5), submit("c", 5), fill("a", 5, "1"), OrderCanceled("b", NAME, 2, 2)
    )
    assert told.unsettled == {"c": 5}
    assert told.lots == {NAME: 5}


def test_a_fill_counts_once_and_a_part_leaves_the_rest_unsettled() -> None:
    told = held(submit("a", 5), fill("a", 2, "1"), fill("a", 2, "1"))
    assert told.unsettled == {"a": 3}
    assert told.lots == {NAME: 2}


def test_an_amend_never_makes_less_of_what_may_come() -> None:
    assert held(submit("a", 5), AmendOrder("a", NAME, 2, 3, None, None, 1)).unsettled == {"a": 5}
    assert held(submit("a", 5), AmendOrder("a", NAME, 2, 9, None, None, 1)).unsettled == {"a": 9}
    assert held(submit("a", 5), AmendOrder("a", NAME, 2, None, 7, None, 1)).unsettled == {"a": 5}
