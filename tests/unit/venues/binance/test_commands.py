"""Golden bytes: what each command says on the order socket and over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lanner.model.accounts import MarginMode
from lanner.model.commands import AmendOrder, Batch, CancelOrder, SubmitOrder
from lanner.model.enums import GroupKind, OrderType, Side, TimeInForce
from lanner.model.reports import OrderRejected
from lanner.net.ratelimit import Priority
from lanner.venues.binance.calls import BinanceOrderCall
from lanner.venues.binance.names import client_id
from lanner.venues.binance.reference import Bounds
from lanner.venues.binance.spot import BinanceSpotCodec
from lanner.venues.binance.usdm import BinanceUsdmCodec
from lanner.venues.errors import ErrorKind, Reason, VenueError
from tests.unit.venues.binance.material import spot, usdm

SPOT_ID, PERP_ID = "BTC-USDT.BINANCE", "BTCUSDT-PERP.BINANCE"
T = OrderType
AUTH = {"apiKey": "keyA" * 16, "recvWindow": 5000, "timestamp": 1_700}


def order(instrument_id: str = SPOT_ID, **more: Any) -> SubmitOrder:
    given: dict[str, Any] = {
        "order_id": "run-o1",
        "instrument_id": instrument_id,
        "ts": 0,
        "side": Side.BUY,
        "type": T.LIMIT,
        "lots": 123,
        "px_ticks": 6_425_010,
    }
    return SubmitOrder(**{**given, **more})


def told(call: BinanceOrderCall) -> tuple[str, dict[str, object]]:
    """Return method and parameters of a frame, without what every frame has."""
    frame = json.loads(call.frame(1_700, 0))
    assert frame["id"] == call.request_id
    params = frame["params"]
    assert len(params.pop("signature")) == 64
    assert {name: params.pop(name) for name in AUTH} == AUTH
    return frame["method"], params


def asked(call: BinanceOrderCall) -> str:
    """Return method, path and query without the signature."""
    request = call.request(1_700, 0)
    query, _, signature = request.query.rpartition("&signature=")
    assert len(signature) == 64
    return f"{request.method} {request.path}?{query.removesuffix('&recvWindow=5000&timestamp=1700')}"


def calls(codec: BinanceSpotCodec | BinanceUsdmCodec, command: Any) -> list[BinanceOrderCall]:
    return [call for call in codec.order(command) if isinstance(call, BinanceOrderCall)]


def one(codec: BinanceSpotCodec | BinanceUsdmCodec, command: Any) -> BinanceOrderCall:
    (call,) = codec.order(command)
    assert isinstance(call, BinanceOrderCall)
    return call


SPOT_ORDERS = {
    "limit": (
        order(),
        "side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.00123&price=64250.10",
    ),
    "ioc": (
        order(tif=TimeInForce.IOC, side=Side.SELL),
        "side=SELL&type=LIMIT&timeInForce=IOC&quantity=0.00123&price=64250.10",
    ),
    "post only": (order(post_only=True), "side=BUY&type=LIMIT_MAKER&quantity=0.00123&price=64250.10"),
    "market": (order(type=T.MARKET, px_ticks=None), "side=BUY&type=MARKET&quantity=0.00123"),
    "stop": (
        order(type=T.STOP_MARKET, px_ticks=None, stop_ticks=6_000_000, side=Side.SELL, reduce_only=True),
        "side=SELL&type=STOP_LOSS&quantity=0.00123&stopPrice=60000.00",
    ),
    "stop limit": (
        order(type=T.STOP_LIMIT, stop_ticks=6_000_000),
        "side=BUY&type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=0.00123&price=64250.10&stopPrice=60000.00",
    ),
    "take profit": (
        order(type=T.TAKE_PROFIT_MARKET, px_ticks=None, stop_ticks=7_000_000),
        "side=BUY&type=TAKE_PROFIT&quantity=0.00123&stopPrice=70000.00",
    ),
    "take profit limit": (
        order(type=T.TAKE_PROFIT_LIMIT, stop_ticks=7_000_000),
        "side=BUY&type=TAKE_PROFIT_LIMIT&timeInForce=GTC&quantity=0.00123&price=64250.10&stopPrice=70000.00",
    ),
    "trailing": (
        order(type=T.TRAILING_STOP, px_ticks=None, trail_frac=0.015),
        "side=BUY&type=STOP_LOSS&quantity=0.00123&trailingDelta=150",
    ),
    "iceberg": (
        order(display_lots=23),
        "side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.00123&price=64250.10&icebergQty=0.00023",
    ),
}


@pytest.mark.parametrize("name", SPOT_ORDERS)
def test_a_spot_order_over_http_and_over_the_socket_says_the_same(name: str) -> None:
    command, text = SPOT_ORDERS[name]
    call = one(spot(), command)
    whole = f"symbol=BTCUSDT&{text}&newClientOrderId=run-o1&newOrderRespType=FULL"
    assert asked(call) == f"POST /api/v3/order?{whole}"
    method, params = told(call)
    assert method == "order.place"
    assert params == dict(pair.split("=") for pair in whole.split("&"))


USDM_ORDERS = {
    "limit": (order(PERP_ID), "type=LIMIT&timeInForce=GTC&quantity=0.123&price=642501.0"),
    "post only": (order(PERP_ID, post_only=True), "type=LIMIT&timeInForce=GTX&quantity=0.123&price=642501.0"),
    "good till date": (
        order(PERP_ID, tif=TimeInForce.GTD, expire_ts=1_800_000_000_000_000_000),
        "type=LIMIT&timeInForce=GTD&quantity=0.123&price=642501.0&goodTillDate=1800000000000",
    ),
    "market": (
        order(PERP_ID, type=T.MARKET, px_ticks=None, reduce_only=True),
        "type=MARKET&quantity=0.123&reduceOnly=true",
    ),
}
ALGO_ORDERS = {
    "stop": (
        order(PERP_ID, type=T.STOP_MARKET, px_ticks=None, stop_ticks=600_000, reduce_only=True),
        "type=STOP_MARKET&quantity=0.123&triggerPrice=60000.0&workingType=CONTRACT_PRICE&reduceOnly=true",
    ),
    "stop limit": (
        order(PERP_ID, type=T.STOP_LIMIT, stop_ticks=600_000),
        "type=STOP&timeInForce=GTC&price=642501.0&quantity=0.123&triggerPrice=60000.0&workingType=CONTRACT_PRICE",
    ),
    "take profit": (
        order(PERP_ID, type=T.TAKE_PROFIT_MARKET, px_ticks=None, stop_ticks=700_000),
        "type=TAKE_PROFIT_MARKET&quantity=0.123&triggerPrice=70000.0&workingType=CONTRACT_PRICE",
    ),
    "take profit limit": (
        order(PERP_ID, type=T.TAKE_PROFIT_LIMIT, stop_ticks=700_000, post_only=True),
        "type=TAKE_PROFIT&timeInForce=GTX&price=642501.0&quantity=0.123&triggerPrice=70000.0&workingType=CONTRACT_PRICE",
    ),
    "trailing": (
        order(PERP_ID, type=T.TRAILING_STOP, px_ticks=None, trail_frac=0.015, stop_ticks=650_000),
        "type=TRAILING_STOP_MARKET&quantity=0.123&callbackRate=1.5&activatePrice=65000.0&workingType=CONTRACT_PRICE",
    ),
}


@pytest.mark.parametrize("name", USDM_ORDERS)
def test_a_futures_order_over_http_and_over_the_socket_says_the_same(name: str) -> None:
    command, text = USDM_ORDERS[name]
    call = one(usdm(), command)
    whole = f"symbol=BTCUSDT&side=BUY&{text}&newClientOrderId=run-o1&newOrderRespType=ACK"
    assert asked(call) == f"POST /fapi/v1/order?{whole}"
    assert told(call) == ("order.place", dict(pair.split("=") for pair in whole.split("&")))


@pytest.mark.parametrize("name", ALGO_ORDERS)
def test_a_conditional_futures_order_goes_to_the_algo_service(name: str) -> None:
    command, text = ALGO_ORDERS[name]
    call = one(usdm(), command)
    whole = f"algoType=CONDITIONAL&symbol=BTCUSDT&side=BUY&{text}&clientAlgoId=run-o1"
    assert asked(call) == f"POST /fapi/v1/algoOrder?{whole}"
    assert told(call) == ("algoOrder.place", dict(pair.split("=") for pair in whole.split("&")))
    assert call.priority is Priority.STOP


def test_a_cancel_names_our_id() -> None:
    command = CancelOrder("run-o1", SPOT_ID, 0, 3)
    call = one(spot(), command)
    assert asked(call) == "DELETE /api/v3/order?symbol=BTCUSDT&origClientOrderId=run-o1"
    assert told(call) == ("order.cancel", {"symbol": "BTCUSDT", "origClientOrderId": "run-o1"})
    futures = one(usdm(), CancelOrder("run-o1", PERP_ID, 0, 3))
    assert asked(futures) == "DELETE /fapi/v1/order?symbol=BTCUSDT&origClientOrderId=run-o1"
    assert (call.priority, call.costs) == (Priority.CANCEL, {"weight": 1})


def test_the_cancel_of_a_conditional_order_goes_to_the_algo_service_until_it_is_triggered() -> None:
    codec = usdm()
    one(codec, ALGO_ORDERS["stop"][0])
    cancel = CancelOrder("run-o1", PERP_ID, 0, 1)
    assert asked(one(codec, cancel)) == "DELETE /fapi/v1/algoOrder?clientAlgoId=run-o1"
    assert told(one(codec, cancel)) == ("algoOrder.cancel", {"clientAlgoId": "run-o1"})
    codec.decode(
        b'{"e":"ALGO_UPDATE","T":1,"E":1,"o":{"caid":"run-o1","aid":5,"at":"CONDITIONAL","o":"STOP_MARKET",'
        b'"s":"BTCUSDT","S":"BUY","f":"GTC","q":"0.123","X":"TRIGGERED","ai":"99","ap":"0","aq":"0","tp":"60000"}}',
        1,
    )
    assert asked(one(codec, cancel)) == "DELETE /fapi/v1/order?symbol=BTCUSDT&orderId=99"


def test_a_futures_amend_tells_side_quantity_and_price_again() -> None:
    codec = usdm()
    one(codec, order(PERP_ID))
    call = one(codec, AmendOrder("run-o1", PERP_ID, 0, px_ticks=600_001, request=1))
    text = "symbol=BTCUSDT&origClientOrderId=run-o1&side=BUY&quantity=0.123&price=60000.1"
    assert asked(call) == f"PUT /fapi/v1/order?{text}"
    assert told(call) == ("order.modify", dict(pair.split("=") for pair in text.split("&")))
    assert call.priority is Priority.AMEND


def test_a_spot_order_is_made_smaller_in_place() -> None:
    codec = spot()
    one(codec, order())
    call = one(codec, AmendOrder("run-o1", SPOT_ID, 0, lots=100, request=1))
    text = "symbol=BTCUSDT&origClientOrderId=run-o1&newClientOrderId=run-o1&newQty=0.00100"
    assert asked(call) == f"PUT /api/v3/order/amend/keepPriority?{text}"
    assert told(call)[0] == "order.amend.keepPriority"


def test_any_other_change_of_a_spot_order_is_a_replace_under_the_same_id() -> None:
    codec = spot()
    one(codec, order())
    call = one(codec, AmendOrder("run-o1", SPOT_ID, 0, px_ticks=6_400_000, request=2))
    method, params = told(call)
    assert method == "order.cancelReplace"
    mark = str(params.pop("cancelNewClientOrderId"))
    assert mark.startswith("rpl-")
    assert mark.endswith("-2")
    assert len(mark) <= 36
    assert params == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.00123",
        "price": "64000.00",
        "newClientOrderId": "run-o1",
        "newOrderRespType": "FULL",
        "cancelReplaceMode": "STOP_ON_FAILURE",
        "cancelOrigClientOrderId": "run-o1",
        "cancelRestrictions": "ONLY_NEW",
    }
    assert asked(call).startswith("POST /api/v3/order/cancelReplace?symbol=BTCUSDT&")


@pytest.mark.parametrize(
    ("side", "target", "stop"), [(Side.SELL, "above", "below"), (Side.BUY, "below", "above")]
)
def test_a_target_and_its_stop_in_one_batch_are_an_oco_list(side: Side, target: str, stop: str) -> None:
    group: dict[str, Any] = {"side": side, "group_id": "g7", "group_kind": GroupKind.OCO}
    take = order(order_id="a", px_ticks=7_000_000, **group)
    guard = order(order_id="b", type=T.STOP_MARKET, px_ticks=None, stop_ticks=6_000_000, **group)
    alone = order(order_id="c")
    first, second = calls(spot(), Batch((take, guard, alone), 0))
    method, params = told(first)
    assert method == "orderList.place.oco"
    assert params == {
        "symbol": "BTCUSDT",
        "listClientOrderId": "list-g7",
        "side": side.name,
        "quantity": "0.00123",
        f"{target}Type": "LIMIT_MAKER",
        f"{target}ClientOrderId": "a",
        f"{target}Price": "70000.00",
        f"{stop}Type": "STOP_LOSS",
        f"{stop}ClientOrderId": "b",
        f"{stop}StopPrice": "60000.00",
        "newOrderRespType": "FULL",
    }
    assert first.order_ids == ("a", "b")
    assert first.costs["orders_10s"] == 2
    assert second.order_ids == ("c",)


def test_orders_of_a_group_that_is_no_pair_leave_one_by_one() -> None:
    group: dict[str, Any] = {"group_id": "g7", "group_kind": GroupKind.OCO}
    orders = tuple(order(order_id=name, **group) for name in "ab")
    assert [call.name for call in spot().order(Batch(orders, 0))] == ["place", "place"]


def test_a_futures_batch_leaves_one_by_one_or_in_fives_over_http() -> None:
    orders = tuple(order(PERP_ID, order_id=f"o{n}", px_ticks=10 + n) for n in range(6))
    assert len(usdm().order(Batch(orders, 0))) == 6
    codec = usdm()
    codec.batch_over_http = True
    first, second = calls(codec, Batch(orders, 0))
    assert (len(first.order_ids), second.order_ids) == (5, ("o5",))
    request = second.request(1_700, 0)
    assert (request.method, request.path) == ("POST", "/fapi/v1/batchOrders")
    assert request.query.startswith("batchOrders=%5B%7B%22symbol%22%3A%22BTCUSDT%22%2C%22side%22%3A%22BUY%22")
    with pytest.raises(VenueError):
        second.frame(1_700, 0)


REFUSED = {
    "a spot order with an end date": (spot, order(tif=TimeInForce.GTD, expire_ts=1)),
    "a spot order that buys and only reduces": (spot, order(reduce_only=True)),
    "post-only and at once": (spot, order(post_only=True, tif=TimeInForce.IOC)),
    "a spot stop that is post-only": (spot, order(type=T.STOP_LIMIT, stop_ticks=5, post_only=True)),
    "a spot trail in ticks": (spot, order(type=T.TRAILING_STOP, px_ticks=None, trail_ticks=5)),
    "a futures iceberg": (usdm, order(PERP_ID, display_lots=1)),
    "a futures trail of 0.05 %": (usdm, order(PERP_ID, type=T.TRAILING_STOP, trail_frac=0.0005)),
    "a futures trail of 1.25 %": (usdm, order(PERP_ID, type=T.TRAILING_STOP, trail_frac=0.0125)),
    "an amend of a stranger": (usdm, AmendOrder("nobody", PERP_ID, 0, lots=5)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_venue_cannot_do_is_refused_before_it_leaves(name: str) -> None:
    make: Any
    command: Any
    make, command = REFUSED[name]
    with pytest.raises(VenueError) as refused:
        make().order(command)
    assert refused.value.kind is ErrorKind.REJECTED
    assert refused.value.reason == Reason.UNSUPPORTED


def test_a_conditional_futures_order_cannot_be_changed() -> None:
    codec = usdm()
    one(codec, ALGO_ORDERS["stop"][0])
    with pytest.raises(VenueError):
        codec.order(AmendOrder("run-o1", PERP_ID, 0, stop_ticks=5))


def test_a_spot_order_with_fills_can_only_be_made_smaller() -> None:
    codec = spot()
    one(codec, order())
    codec.memory.of_order("run-o1").cum_lots = 1  # type: ignore[union-attr]
    with pytest.raises(VenueError):
        codec.order(AmendOrder("run-o1", SPOT_ID, 0, px_ticks=5, request=1))
    assert codec.order(AmendOrder("run-o1", SPOT_ID, 0, lots=50, request=2))


def test_a_market_order_above_the_venues_bound_is_refused() -> None:
    codec = spot()
    codec.bounds[SPOT_ID] = Bounds(market_max=codec.instrument(SPOT_ID).qty(100))
    with pytest.raises(VenueError) as refused:
        codec.order(order(type=T.MARKET, px_ticks=None))
    assert refused.value.reason == Reason.QTY_LIMITS


def test_client_ids_are_ours_where_they_fit_and_else_a_hash_that_never_changes() -> None:
    assert client_id("run-o1") == "run-o1"
    long = "strategy with blanks / and é " * 3
    assert client_id(long) == "L-7c05e5f98e557d966695cb454577ce67"
    assert len(client_id(long)) == 34
    assert len({client_id(f"{long}{n}") for n in range(100)}) == 100


def test_the_same_commands_give_the_same_bytes() -> None:
    first, second = one(spot(), order()), one(spot(), order())
    assert first.frame(1_700, 0) == second.frame(1_700, 0)
    assert first.request(1_700, 0) == second.request(1_700, 0)


def test_an_order_is_cancelled_by_its_number_where_it_waits() -> None:
    codec = usdm()
    plain = codec.cancel_order(PERP_ID, "7").build(1, 0)
    assert (plain.method, plain.path) == ("DELETE", "/fapi/v1/order")
    assert plain.query.startswith("symbol=BTCUSDT&orderId=7&")
    row = b'[{"algoId":7,"clientAlgoId":"web","orderType":"STOP_MARKET","symbol":"BTCUSDT","side":"SELL",'
    row += b'"quantity":"0.1","algoStatus":"NEW","triggerPrice":"50000","createTime":1,"updateTime":1}]'
    codec.open_conditional_orders().parse(row, 1)
    algo = codec.cancel_order(PERP_ID, "7").build(1, 0)
    assert (algo.path, algo.query[:9]) == ("/fapi/v1/algoOrder", "algoId=7&")
    assert spot().cancel_order(SPOT_ID, "7").build(1, 0).path == "/api/v3/order"


def test_open_orders_and_orders_of_unknown_kind_are_asked_for_in_both_places() -> None:
    codec = usdm()
    then = codec.open_orders(PERP_ID).then
    assert then is not None
    assert then.build(1, 0).path == "/fapi/v1/openAlgoOrders"
    codec.remember(["before-restart"])
    unknown = codec.find_order(PERP_ID, "before-restart")
    assert unknown.then is not None
    assert (unknown.build(1, 0).path, unknown.then.build(1, 0).path) == (
        "/fapi/v1/order",
        "/fapi/v1/algoOrder",
    )
    one(codec, order(PERP_ID))
    assert codec.find_order(PERP_ID, "run-o1").then is None
    one(codec, ALGO_ORDERS["stop"][0])
    assert codec.find_order(PERP_ID, "run-o1").build(1, 0).path == "/fapi/v1/algoOrder"


def test_account_commands_are_written_as_documented() -> None:
    codec = usdm()
    mode, leverage = codec.set_leverage(PERP_ID, 7, MarginMode.CROSS)
    assert mode.build(1, 0).query.startswith("symbol=BTCUSDT&marginType=CROSSED&")
    assert leverage.build(1, 0).query.startswith("symbol=BTCUSDT&leverage=7&")
    (armed,) = codec.dead_man(30, [PERP_ID])
    assert armed.build(1, 0).query.startswith("symbol=BTCUSDT&countdownTime=30000&")
    (disarmed,) = codec.dead_man(None, [PERP_ID])
    assert disarmed.build(1, 0).query.startswith("symbol=BTCUSDT&countdownTime=0&")
    plain, conditional = codec.cancel_all([PERP_ID])
    assert (plain.build(1, 0).method, plain.build(1, 0).path) == ("DELETE", "/fapi/v1/allOpenOrders")
    assert conditional.build(1, 0).path == "/fapi/v1/algoOpenOrders"
    with pytest.raises(VenueError):
        spot().dead_man(30, [SPOT_ID])
    assert spot().cancel_all([SPOT_ID])[0].priority is Priority.CANCEL


LIMITS = (
    '"rateLimits":[{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":50,"count":%d},'
    '{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000,"count":321},'
    '{"rateLimitType":"CONNECTIONS","interval":"MINUTE","intervalNum":5,"limit":300,"count":1}]'
)


def test_answers_over_the_socket_tell_how_much_of_the_limits_is_used() -> None:
    call = one(spot(), order())
    answer = (
        '{"id":"o1","status":400,"error":{"code":-2010,"msg":"Duplicate order sent."},' + LIMITS % 12 + "}"
    )
    call.answer(0, answer.encode(), 5)
    assert call.used == {"orders_10s": 12, "weight": 321}
    assert call.silent_until_ms == 0


def test_a_ban_over_the_socket_tells_until_when() -> None:
    call = one(spot(), order())
    answer = (
        '{"id":"o1","status":418,"error":{"code":-1003,"msg":"Way too many requests; IP banned.",'
        '"data":{"serverTime":1659146400000,"retryAfter":1659146401000}},' + LIMITS % 1 + "}"
    )
    (refused,) = call.answer(0, answer.encode(), 5)
    assert isinstance(refused, OrderRejected)
    assert refused.code == "RATE_LIMITED"
    assert call.silent_until_ms == 1_659_146_401_000


def test_limits_that_cannot_be_understood_spoil_no_answer() -> None:
    call = one(spot(), order())
    answer = (
        '{"id":"o1","status":429,"error":{"code":-1003,"msg":"x","data":[7]},"rateLimits":[{"count":"many"}]}'
    )
    (refused,) = call.answer(0, answer.encode(), 5)
    assert isinstance(refused, OrderRejected)
    assert (call.used, call.silent_until_ms) == ({}, 0)
