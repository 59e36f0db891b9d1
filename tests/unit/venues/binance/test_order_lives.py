"""Lives of orders: answers and account events become the engine's reports, each fact once."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from lanner.model.accounts import BalancesReport, PositionsReport, VenueOrder
from lanner.model.commands import AmendOrder, Batch, CancelOrder, SubmitOrder
from lanner.model.enums import GroupKind, Liquidity, OrderStatus, OrderType, Side
from lanner.model.reports import (
    AmendRejected,
    CancelRejected,
    FundingPaid,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    OrderUnanswered,
)
from lanner.venues.binance.calls import BinanceOrderCall
from lanner.venues.codec import Notice, NoticeKind
from lanner.venues.errors import Reason
from tests.unit.venues.binance.material import BTC, PERP, Codec, spot, usdm

T0 = 1_700_000_000_000
NS = T0 * 1_000_000


def order(instrument_id: str, **more: Any) -> SubmitOrder:
    given: dict[str, Any] = {
        "order_id": "o1",
        "instrument_id": instrument_id,
        "ts": 0,
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "lots": 100,
        "px_ticks": 6_000_000,
    }
    return SubmitOrder(**{**given, **more})


def one(codec: Codec, command: Any) -> BinanceOrderCall:
    (call,) = codec.order(command)
    assert isinstance(call, BinanceOrderCall)
    return call


def execution(x: str, state: str, **more: object) -> bytes:
    event = {
        "e": "executionReport",
        "E": T0,
        "s": "BTCUSDT",
        "c": "o1",
        "S": "BUY",
        "o": "LIMIT",
        "f": "GTC",
        "q": "0.00100000",
        "p": "60000.00000000",
        "P": "0.00000000",
        "F": "0.00000000",
        "g": -1,
        "C": "",
        "x": x,
        "X": state,
        "r": "NONE",
        "i": 4293153,
        "l": "0.00000000",
        "z": "0.00000000",
        "L": "0.00000000",
        "n": "0",
        "N": None,
        "T": T0,
        "t": -1,
        "w": True,
        "m": False,
        "M": False,
        "O": T0,
        "Z": "0.00000000",
        "Y": "0.00000000",
        "Q": "0.00000000",
    }
    return json.dumps({"subscriptionId": 0, "event": {**event, **more}}).encode()


def update(x: str, state: str, **more: object) -> bytes:
    told = {
        "s": "BTCUSDT",
        "c": "o1",
        "S": "BUY",
        "o": "LIMIT",
        "f": "GTC",
        "q": "0.100",
        "p": "60000.0",
        "ap": "0",
        "sp": "0",
        "x": x,
        "X": state,
        "i": 8886774,
        "l": "0",
        "z": "0",
        "L": "0",
        "T": T0,
        "t": 0,
        "m": False,
        "R": False,
        "ot": "LIMIT",
        "ps": "BOTH",
    }
    return json.dumps({"e": "ORDER_TRADE_UPDATE", "E": T0, "T": T0, "o": {**told, **more}}).encode()


def algo(state: str, **more: object) -> bytes:
    told = {
        "caid": "o1",
        "aid": 2148719,
        "at": "CONDITIONAL",
        "o": "STOP_MARKET",
        "s": "BTCUSDT",
        "S": "SELL",
        "ps": "BOTH",
        "f": "GTC",
        "q": "0.100",
        "X": state,
        "ai": "",
        "tp": "50000",
        "p": "0",
        "R": True,
        "tt": 0,
        "gtd": 0,
    }
    return json.dumps({"e": "ALGO_UPDATE", "E": T0, "T": T0, "o": {**told, **more}}).encode()


def names(told: Sequence[object]) -> list[str]:
    return [type(message).__name__ for message in told]


def reply(result: object, status: int = 200) -> bytes:
    return json.dumps({"id": "o1", "status": status, "result": result, "rateLimits": []}).encode()


def refused(code: int, msg: str, status: int = 400, data: object = None) -> bytes:
    error = {"code": code, "msg": msg, **({"data": data} if data else {})}
    return json.dumps({"id": "o1", "status": status, "error": error}).encode()


# -- spot ----------------------------------------------------------------------------------------------


def test_a_spot_order_is_accepted_filled_in_parts_and_cancelled() -> None:
    codec = spot()
    one(codec, order(BTC.id))
    assert codec.decode(execution("NEW", "NEW"), 9) == (OrderAccepted("o1", BTC.id, NS, 9, "4293153"),)
    part = execution(
        "TRADE", "PARTIALLY_FILLED", l="0.0004", z="0.0004", L="59999.99", n="0.0239", N="USDT", t=77, m=True
    )
    assert codec.decode(part, 9) == (
        OrderFilled(
            "o1", BTC.id, NS, 9, "77", Side.BUY, 5_999_999, 40, Decimal("0.0239"), Liquidity.MAKER, 5_999_999
        ),
    )
    gone = execution("CANCELED", "CANCELED", c="someId", C="o1", z="0.0004")
    assert codec.decode(gone, 9) == (OrderCanceled("o1", BTC.id, NS, 9),)


def test_a_fee_in_the_base_currency_is_converted_exactly_and_one_in_bnb_is_told() -> None:
    codec = spot()
    one(codec, order(BTC.id))
    trade = {"l": "0.001", "z": "0.001", "L": "60000.00", "t": 1}
    (fill,) = codec.decode(execution("TRADE", "FILLED", n="0.00000100", N="BTC", **trade), 9)
    assert isinstance(fill, OrderFilled)
    assert (fill.fee, fill.reason) == (Decimal("0.06"), "")
    (fill,) = codec.decode(execution("TRADE", "FILLED", n="0.0001", N="BNB", **trade), 9)
    assert isinstance(fill, OrderFilled)
    assert (fill.fee, fill.reason) == (0, "fee 0.0001 BNB")
    codec.fee_prices["BNB", "USDT"] = Decimal(600)
    (fill,) = codec.decode(execution("TRADE", "FILLED", n="0.0001", N="BNB", **trade), 9)
    assert isinstance(fill, OrderFilled)
    assert (fill.fee, fill.reason) == (Decimal("0.06"), "")


def test_a_fill_whose_price_is_not_told_counts_at_its_limit() -> None:
    codec = spot()
    one(codec, order(BTC.id))
    (fill,) = codec.decode(execution("TRADE", "FILLED", l="0.001", z="0.001", L="0", t=5), 9)
    assert isinstance(fill, OrderFilled)
    assert fill.px_ticks == 6_000_000


def test_a_trade_of_nothing_tells_the_state_only() -> None:
    codec = spot()
    one(codec, order(BTC.id))
    assert names(codec.decode(execution("TRADE", "EXPIRED"), 9)) == ["OrderExpired"]
    assert names(codec.decode(execution("TRADE", "NEW"), 9)) == ["OrderAccepted"]
    assert codec.decode(execution("TRADE", "PARTIALLY_FILLED", z="0.0005"), 9) == ()
    assert codec.decode(execution("CANCELED", "PENDING_CANCEL"), 9) == ()


def test_expiries_say_why() -> None:
    codec = spot()
    one(codec, order(BTC.id))
    (told,) = codec.decode(execution("EXPIRED", "EXPIRED", eR="INSUFFICIENT_LIQUIDITY"), 9)
    assert isinstance(told, OrderExpired)
    assert told.reason == "INSUFFICIENT_LIQUIDITY"
    (told,) = codec.decode(execution("TRADE_PREVENTION", "EXPIRED_IN_MATCH"), 9)
    assert isinstance(told, OrderExpired)
    assert told.reason == "self-trade prevention"


def test_a_spot_stop_is_triggered_once_and_then_filled() -> None:
    codec = spot()
    stop = {"o": "STOP_LOSS_LIMIT", "P": "61000.00", "O": T0 - 5_000}
    one(codec, order(BTC.id, type=OrderType.STOP_LIMIT, stop_ticks=6_100_000))
    assert names(codec.decode(execution("NEW", "NEW", w=False, **stop), 9)) == ["OrderAccepted"]
    assert names(codec.decode(execution("NEW", "NEW", w=True, **stop), 9)) == ["OrderTriggered"]
    trade = {"l": "0.001", "z": "0.001", "L": "60000.00", "t": 1}
    assert names(codec.decode(execution("TRADE", "FILLED", **trade, **stop), 9)) == ["OrderFilled"]


def test_a_spot_stop_whose_trigger_was_missed_is_triggered_by_its_first_fill() -> None:
    codec = spot()
    one(codec, order(BTC.id, type=OrderType.STOP_MARKET, px_ticks=None, stop_ticks=6_100_000))
    trade = {"l": "0.0005", "z": "0.0005", "L": "60000.00", "o": "STOP_LOSS", "P": "61000"}
    first = codec.decode(execution("TRADE", "PARTIALLY_FILLED", t=1, **trade), 9)
    second = codec.decode(execution("TRADE", "FILLED", t=2, **trade), 9)
    assert (names(first), names(second)) == (["OrderTriggered", "OrderFilled"], ["OrderFilled"])


def test_the_full_answer_to_a_spot_order_tells_its_fills_with_the_same_ids_as_the_events() -> None:
    codec = spot()
    call = one(codec, order(BTC.id, type=OrderType.MARKET, px_ticks=None))
    fills = [
        {
            "price": "60000.00",
            "qty": "0.0006",
            "commission": "0.036",
            "commissionAsset": "USDT",
            "tradeId": 56,
        },
        {
            "price": "60000.01",
            "qty": "0.0004",
            "commission": "0.024",
            "commissionAsset": "USDT",
            "tradeId": 57,
        },
    ]
    body = {
        "symbol": "BTCUSDT",
        "orderId": 28,
        "clientOrderId": "o1",
        "transactTime": T0,
        "status": "FILLED",
        "fills": fills,
    }
    accepted, *filled = call.answer(0, reply(body), 9)
    assert accepted == OrderAccepted("o1", BTC.id, NS, 9, "28")
    assert [(one.trade_id, one.px_ticks, one.lots) for one in filled] == [  # type: ignore[union-attr]
        ("56", 6_000_000, 60),
        ("57", 6_000_001, 40),
    ]
    assert call.answer(200, json.dumps(body).encode(), 9) == [accepted, *filled]


def test_an_order_that_is_refused_says_why_in_our_word() -> None:
    call = one(spot(), order(BTC.id))
    (report,) = call.answer(0, refused(-2010, "Account has insufficient balance for requested action."), 9)
    assert report == OrderRejected(
        "o1",
        BTC.id,
        9,
        9,
        "Account has insufficient balance for requested action. (-2010)",
        Reason.INSUFFICIENT_FUNDS,
    )


def test_what_proves_nothing_is_unanswered_and_a_taken_id_is_no_refusal() -> None:
    call = one(spot(), order(BTC.id))
    for answer in (
        call.answer(0, refused(-1007, "Timeout waiting for response from backend server.", 408), 9),
        call.answer(0, refused(-1006, "Execution status unknown.", 500), 9),
        call.answer(503, b"Unknown error, please check your request or try again later.", 9),
        call.answer(502, b"<html>bad gateway</html>", 9),
        call.answer(0, b'{"id":"o1","status":200', 9),
        call.answer(0, b"garbage", 9),
        call.answer(200, b"{}", 9),
        call.answer(0, reply({"symbol": "BTCUSDT"}), 9),
        call.answer(0, refused(-2010, "Duplicate order sent."), 9),
        call.unanswered("silence", 9),
    ):
        (report,) = answer
        assert isinstance(report, OrderUnanswered), report


def test_what_was_surely_not_done_is_refused() -> None:
    call = one(spot(), order(BTC.id))
    for answer, word in (
        (call.answer(503, b'{"code":-1008,"msg":"Server is currently overloaded"}', 9), "RETRY"),
        (call.answer(503, b"Service Unavailable", 9), "RETRY"),
        (call.answer(429, b'{"code":-1015,"msg":"Too many new orders"}', 9), "RATE_LIMITED"),
        (call.answer(0, refused(-1003, "Way too many requests", 418), 9), "RATE_LIMITED"),
        (call.answer(0, refused(-2015, "Invalid API-key, IP, or permissions for action.", 401), 9), "AUTH"),
    ):
        (report,) = answer
        assert isinstance(report, OrderRejected)
        assert report.code == word


def test_a_refused_cancel_and_a_refused_amend_name_their_request() -> None:
    codec = usdm()
    one(codec, order(PERP.id))
    cancel = one(codec, CancelOrder("o1", PERP.id, 0, 4))
    assert cancel.answer(0, refused(-2011, "Unknown order sent."), 9) == [
        CancelRejected("o1", PERP.id, 9, 9, "Unknown order sent. (-2011)", 4)
    ]
    amend = one(codec, AmendOrder("o1", PERP.id, 0, lots=50, request=5))
    (report,) = amend.answer(0, refused(-2013, "Order does not exist."), 9)
    assert isinstance(report, AmendRejected)
    assert report.request == 5


def test_an_amend_in_place_is_told_by_answer_and_event_alike() -> None:
    codec = spot()
    one(codec, order(BTC.id))
    call = one(codec, AmendOrder("o1", BTC.id, 0, lots=60, request=3))
    body = {
        "symbol": "BTCUSDT",
        "orderId": 12,
        "origClientOrderId": "o1",
        "clientOrderId": "o1",
        "price": "60000.00",
        "qty": "0.00060",
        "status": "NEW",
    }
    expected = OrderAmended("o1", BTC.id, NS, 9, 60, 6_000_000, None, 3)
    assert call.answer(0, reply({"transactTime": T0, "amendedOrder": body}), 9) == [expected]
    assert codec.decode(execution("REPLACED", "NEW", q="0.0006"), 9) == (expected,)


def replacing() -> tuple[Codec, BinanceOrderCall]:
    codec = spot()
    one(codec, order(BTC.id))
    return codec, one(codec, AmendOrder("o1", BTC.id, 0, px_ticks=5_900_000, request=2))


def test_the_news_of_a_replace_are_an_amend_and_not_the_orders_end() -> None:
    codec, call = replacing()
    mark = call.wire.params["cancelNewClientOrderId"]
    assert codec.decode(execution("CANCELED", "CANCELED", c=mark, C="o1"), 9) == ()
    amended, accepted = codec.decode(execution("NEW", "NEW", i=99, p="59000.00"), 9)
    assert amended == OrderAmended("o1", BTC.id, NS, 9, 100, 5_900_000, None, 2)
    assert accepted == OrderAccepted("o1", BTC.id, NS, 9, "99")
    body = {
        "symbol": "BTCUSDT",
        "orderId": 99,
        "clientOrderId": "o1",
        "transactTime": T0,
        "status": "NEW",
        "fills": [],
    }
    done = {
        "cancelResult": "SUCCESS",
        "newOrderResult": "SUCCESS",
        "cancelResponse": {},
        "newOrderResponse": body,
    }
    assert call.answer(0, reply(done), 9) == [amended, accepted]


def test_a_replace_that_fails_wholly_leaves_the_order_and_one_that_fails_by_half_ends_it() -> None:
    _, call = replacing()
    no = {"code": -2011, "msg": "Unknown order sent."}
    data = {
        "cancelResult": "FAILURE",
        "newOrderResult": "NOT_ATTEMPTED",
        "cancelResponse": no,
        "newOrderResponse": None,
    }
    answer = call.answer(0, refused(-2022, "Order cancel-replace failed.", 400, data), 9)
    assert names(answer) == ["AmendRejected"]
    _, call = replacing()
    poor = {"code": -2010, "msg": "Account has insufficient balance for requested action."}
    data = {
        "cancelResult": "SUCCESS",
        "newOrderResult": "FAILURE",
        "cancelResponse": {},
        "newOrderResponse": poor,
    }
    body = {"code": -2021, "msg": "Order cancel-replace partially failed.", "data": data}
    answer = call.answer(409, json.dumps(body).encode(), 9)
    assert names(answer) == ["AmendRejected", "OrderCanceled"]


def test_a_list_of_orders_is_answered_order_by_order() -> None:
    codec = spot()
    group: dict[str, Any] = {"side": Side.SELL, "group_id": "g", "group_kind": GroupKind.OCO}
    take = order(BTC.id, order_id="a", px_ticks=7_000_000, **group)
    stop = order(BTC.id, order_id="b", type=OrderType.STOP_MARKET, px_ticks=None, stop_ticks=5, **group)
    call = one(codec, Batch((take, stop), 0))
    reports = [
        {"symbol": "BTCUSDT", "orderId": 2, "clientOrderId": "b", "transactTime": T0, "status": "NEW"},
        {"symbol": "BTCUSDT", "orderId": 3, "clientOrderId": "a", "transactTime": T0, "status": "NEW"},
    ]
    answer = call.answer(0, reply({"orderListId": 2, "orderReports": reports}), 9)
    assert [(one.order_id, one.venue_order_id) for one in answer] == [("a", "3"), ("b", "2")]  # type: ignore[union-attr]
    refusals = call.answer(
        0, refused(-2010, "The relationship of the prices for the orders is not correct."), 9
    )
    assert [one.code for one in refusals] == [Reason.WOULD_TRIGGER] * 2  # type: ignore[union-attr]


def test_the_cancel_of_one_order_of_a_list_takes_the_whole_list_back() -> None:
    codec = spot()
    for name in "ab":
        one(codec, order(BTC.id, order_id=name))
    cancel = one(codec, CancelOrder("a", BTC.id, 0, 1))
    reports = [
        {
            "symbol": "BTCUSDT",
            "orderId": n,
            "origClientOrderId": name,
            "clientOrderId": "x",
            "transactTime": T0,
            "status": "CANCELED",
        }
        for n, name in enumerate(("b", "a", "stranger"))
    ]
    answer = cancel.answer(0, reply({"orderListId": 2, "contingencyType": "OCO", "orderReports": reports}), 9)
    assert [told for told in answer if type(told) is OrderCanceled] == [
        OrderCanceled(name, BTC.id, NS, 9) for name in "ba"
    ]


def test_an_order_that_is_first_heard_of_by_its_cancel_is_told_with_its_number() -> None:
    """A fill that it had names that number only, after a restart."""
    for codec, instrument in ((spot(), BTC), (usdm(), PERP)):
        one(codec, order(instrument.id))
        cancel = one(codec, CancelOrder("o1", instrument.id, 0, 1))
        body = {"symbol": "BTCUSDT", "orderId": 7, "transactTime": T0, "updateTime": T0, "status": "CANCELED"}
        both = [OrderAccepted("o1", instrument.id, NS, 9, "7"), OrderCanceled("o1", instrument.id, NS, 9)]
        assert cancel.answer(0, reply(body), 9) == both
        assert cancel.answer(0, reply(body), 9) == both[1:], "now it is known"
    for codec, instrument, event in (
        (spot(), BTC, execution("CANCELED", "CANCELED", i=7)),
        (usdm(), PERP, update("CANCELED", "CANCELED", i=7)),
    ):
        one(codec, order(instrument.id))
        told = codec.decode(event, 9)
        assert told == (
            OrderAccepted("o1", instrument.id, NS, 9, "7"),
            OrderCanceled("o1", instrument.id, NS, 9),
        )


def test_an_order_made_elsewhere_is_told_as_a_stranger_and_one_remembered_is_ours() -> None:
    codec = spot()
    (told,) = codec.decode(execution("NEW", "NEW", c="web_1"), 9)
    assert isinstance(told, VenueOrder)
    assert (told.order_id, told.client_id, told.status) == ("", "web_1", OrderStatus.ACCEPTED)
    codec.remember(["web_1"])
    assert names(codec.decode(execution("NEW", "NEW", c="web_1"), 9)) == ["OrderAccepted"]


def test_orders_of_which_no_news_are_wanted_are_forgotten_as_others_come() -> None:
    gone: set[str] = set()
    codec = spot()
    codec.forget_when(gone.__contains__)
    for number in range(200):
        one(codec, order(BTC.id, order_id=f"o{number}"))
        codec.decode(execution("NEW", "NEW", c=f"o{number}", i=number), 9)
        if number >= 10 and number - 10 not in (3, 50):
            gone.add(f"o{number - 10}")
    known = [number for number in range(200) if codec.memory.of_order(f"o{number}") is not None]
    assert set(known) >= {3, 50, *range(190, 200)}
    assert len(known) < 40
    (stranger,) = codec.decode(execution("TRADE", "FILLED", c="", i=20, l="0.00100000", t=5), 9)
    assert isinstance(stranger, VenueOrder)
    assert names(codec.decode(execution("CANCELED", "CANCELED", c="x", C="o3", i=3), 9)) == ["OrderCanceled"]


def test_nothing_breaks_when_no_news_of_any_order_are_wanted() -> None:
    codec = spot()
    codec.forget_when(lambda _order_id: True)
    codec.remember(["web_1"])
    assert codec.memory.of_order("web_1") is None


def test_balances_of_spot_are_free_and_locked() -> None:
    event = b'{"e":"outboundAccountPosition","E":2,"u":1,"B":[{"a":"BTC","f":"1.5","l":"0.5"}]}'
    frame = b'{"subscriptionId":0,"event":' + event + b"}"
    (report,) = spot().decode(frame, 9)
    assert isinstance(report, BalancesReport)
    (balance,) = report.balances
    assert (balance.total, balance.available, balance.locked) == (2, Decimal("1.5"), Decimal("0.5"))
    assert not report.whole


# -- USD-M ---------------------------------------------------------------------------------------------


def test_a_futures_order_is_accepted_amended_filled_and_expired() -> None:
    codec = usdm()
    one(codec, order(PERP.id, px_ticks=600_000))
    assert names(codec.decode(update("NEW", "NEW"), 9)) == ["OrderAccepted"]
    one(codec, AmendOrder("o1", PERP.id, 0, px_ticks=600_010, request=1))
    (amended,) = codec.decode(update("AMENDMENT", "NEW", p="60001.0"), 9)
    assert amended == OrderAmended("o1", PERP.id, NS, 9, 100, 600_010, None, 1)
    trade = {"l": "0.040", "z": "0.040", "L": "60001.0", "n": "0.48", "N": "USDT", "t": 5, "m": True}
    (fill,) = codec.decode(update("TRADE", "PARTIALLY_FILLED", **trade), 9)
    assert fill == OrderFilled(
        "o1", PERP.id, NS, 9, "5", Side.BUY, 600_010, 40, Decimal("0.48"), Liquidity.MAKER, 600_010
    )
    (gone,) = codec.decode(update("EXPIRED", "EXPIRED_IN_MATCH", er="1"), 9)
    assert gone == OrderExpired("o1", PERP.id, NS, 9, "self-trade prevention")


def stopped() -> Codec:
    codec = usdm()
    stop = {"type": OrderType.STOP_MARKET, "px_ticks": None, "stop_ticks": 500_000, "side": Side.SELL}
    call = one(codec, order(PERP.id, **stop))
    body = {"algoId": 2148719, "clientAlgoId": "o1", "algoStatus": "NEW", "updateTime": T0}
    assert call.answer(0, reply(body), 9) == [OrderAccepted("o1", PERP.id, NS, 9, "2148719")]
    return codec


FILLED = {
    "S": "SELL",
    "l": "0.1",
    "z": "0.1",
    "L": "49999",
    "n": "2",
    "N": "USDT",
    "t": 6,
    "ot": "STOP_MARKET",
}


def test_a_conditional_order_is_linked_to_what_it_becomes_whatever_it_is_called_then() -> None:
    codec = stopped()
    assert names(codec.decode(algo("TRIGGERING"), 9)) == ["OrderTriggered"]
    assert codec.decode(algo("TRIGGERED", ai="555"), 9) == []
    told = codec.decode(update("TRADE", "FILLED", c="another", i=555, **FILLED), 9)
    assert names(told) == ["OrderFilled"]
    assert codec.decode(algo("FINISHED", ai="555", ap="49999", aq="0.1"), 9) == []


def test_a_conditional_order_that_keeps_its_id_needs_no_link() -> None:
    codec = stopped()
    told = codec.decode(update("NEW", "NEW", i=555, S="SELL", o="MARKET"), 9)
    assert names(told) == ["OrderTriggered", "OrderAccepted"]
    assert names(codec.decode(update("TRADE", "FILLED", i=555, **FILLED), 9)) == ["OrderFilled"]


def test_fills_that_come_before_the_link_are_told_when_it_comes() -> None:
    codec = stopped()
    (stranger,) = codec.decode(update("TRADE", "FILLED", c="another", i=555, **FILLED), 9)
    assert isinstance(stranger, VenueOrder)
    told = codec.decode(algo("TRIGGERED", ai="555"), 9)
    assert names(told) == ["OrderTriggered", "OrderFilled"]
    assert codec.decode(algo("FINISHED", ai="555"), 9) == []


def test_a_conditional_order_can_be_cancelled_expire_or_be_refused_when_triggered() -> None:
    assert names(stopped().decode(algo("CANCELED"), 9)) == ["OrderCanceled"]
    assert names(stopped().decode(algo("EXPIRED"), 9)) == ["OrderExpired"]
    (told,) = stopped().decode(algo("REJECTED", rm="Margin is insufficient"), 9)
    assert isinstance(told, OrderCanceled)
    assert "Margin is insufficient" in told.reason


def test_a_forced_order_of_the_venue_says_why_it_was_made() -> None:
    frame = update("CALCULATED", "FILLED", c="autoclose-123", q="0.1", **FILLED)
    (told,) = usdm().decode(frame, 9)
    assert isinstance(told, VenueOrder)
    assert (told.order_id, told.status, told.reason) == ("", OrderStatus.FILLED, "liquidation")


def test_early_fills_are_taken_only_where_asked_for() -> None:
    lite = {
        "e": "TRADE_LITE",
        "E": T0,
        "T": T0,
        "s": "BTCUSDT",
        "q": "0.1",
        "p": "0",
        "m": False,
        "c": "o1",
        "S": "BUY",
        "L": "60000.0",
        "l": "0.1",
        "t": 9,
        "i": 1,
    }
    frame = json.dumps(lite).encode()
    codec = usdm()
    one(codec, order(PERP.id))
    assert codec.decode(frame, 9) == ()
    codec.user.early_fills = True
    codec.use(
        [
            PERP.__class__.perp(
                PERP.id, tick="0.1", lot="0.001", symbol="BTCUSDT", maker="0.0002", taker="0.0005"
            )
        ]
    )
    (fill,) = codec.decode(frame, 9)
    assert isinstance(fill, OrderFilled)
    assert (fill.trade_id, fill.lots, fill.fee) == ("9", 100, Decimal("3.00000000"))


def account(reason: str, balances: list[object], positions: list[object]) -> bytes:
    told = {"e": "ACCOUNT_UPDATE", "E": T0, "T": T0, "a": {"m": reason, "B": balances, "P": positions}}
    return json.dumps(told).encode()


POSITION = {"s": "BTCUSDT", "pa": "-0.2", "ep": "60000", "up": "-1.5", "mt": "cross", "iw": "0", "ps": "BOTH"}
WALLET = {"a": "USDT", "wb": "1000", "cw": "900", "bc": "0"}


def test_an_account_event_tells_balances_and_positions() -> None:
    balances, positions = usdm().decode(account("ORDER", [WALLET], [POSITION]), 9)
    assert isinstance(balances, BalancesReport)
    assert isinstance(positions, PositionsReport)
    (position,) = positions.positions
    assert (position.lots, position.entry_px, position.unrealized_pnl) == (-200, 60000.0, -1.5)


def test_funding_of_a_cross_position_is_told_for_the_one_that_is_open() -> None:
    codec = usdm()
    paid = {**WALLET, "bc": "-0.25"}
    told = codec.decode(account("FUNDING_FEE", [paid], []), 9)
    assert isinstance(told[-1], Notice)
    codec.decode(account("ORDER", [WALLET], [POSITION]), 9)
    funding = codec.decode(account("FUNDING_FEE", [paid], []), 9)[-1]
    assert isinstance(funding, FundingPaid)
    assert (funding.instrument_id, funding.amount) == (PERP.id, Decimal("-0.25"))
    assert math.isnan(funding.rate)
    codec.decode(account("ORDER", [WALLET], [{**POSITION, "pa": "0"}]), 9)
    assert isinstance(codec.decode(account("FUNDING_FEE", [paid], []), 9)[-1], Notice)


def test_an_expired_key_and_a_shutdown_are_noticed() -> None:
    kinds = {
        b'{"e":"listenKeyExpired","E":1,"listenKey":"x"}': NoticeKind.EXPIRED,
        b'{"stream":"x","data":{"e":"listenKeyExpired","E":1}}': NoticeKind.EXPIRED,
        b'{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":1}}': NoticeKind.EXPIRED,
        b'{"e":"serverShutdown","E":1}': NoticeKind.SHUTDOWN,
        b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}': NoticeKind.SHUTDOWN,
        b'{"result":null,"id":1}': NoticeKind.SUBSCRIBED,
        b'{"error":{"code":2,"msg":"Invalid request"},"id":1}': NoticeKind.REFUSED,
        b'{"code":2,"msg":"Invalid request","id":1}': NoticeKind.REFUSED,
        b'{"id":"logon","status":200,"result":{"apiKey":"k"}}': NoticeKind.LOGGED_ON,
        b'{"id":"user","status":200,"result":{"subscriptionId":0}}': NoticeKind.SUBSCRIBED,
        b'{"id":"user","status":400,"error":{"code":-1022,"msg":"Signature"}}': NoticeKind.REFUSED,
    }
    for frame, kind in kinds.items():
        (notice,) = usdm().decode(frame, 9)
        assert isinstance(notice, Notice)
        assert notice.kind is kind, frame


def test_a_batch_over_http_is_answered_element_by_element() -> None:
    codec = usdm()
    codec.batch_over_http = True
    call = one(codec, Batch(tuple(order(PERP.id, order_id=name) for name in "abc"), 0))
    body = [
        {"symbol": "BTCUSDT", "orderId": 1, "clientOrderId": "a", "status": "NEW", "updateTime": T0},
        {"code": -2022, "msg": "ReduceOnly Order is rejected."},
    ]
    answer = call.answer(200, json.dumps(body).encode(), 9)
    assert names(answer) == ["OrderAccepted", "OrderRejected", "OrderUnanswered"]
    assert answer[1].code == Reason.REDUCE_ONLY  # type: ignore[union-attr]


def test_triggered_reports_come_once() -> None:
    codec = stopped()
    told = [*codec.decode(algo("TRIGGERING"), 9), *codec.decode(algo("TRIGGERED", ai="5"), 9)]
    assert [one for one in told if isinstance(one, OrderTriggered)] == [OrderTriggered("o1", PERP.id, NS, 9)]
