"""The rules of the protocol, tested with bytes written by hand: signatures, times, limits, sequences, streams."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pytest

from lanner.model.enums import Side
from lanner.simulator.accounts import ApiKey, KeyKind
from tests.integration.simulator.binance.caller import Caller, sign
from tests.integration.simulator.binance.stage import Stage

sync = pytest.importorskip("websockets.sync.client")
exceptions = pytest.importorskip("websockets.exceptions")
BTC = "BTCUSDT"
ORDER = "/api/v3/order"
LIMIT = {
    "symbol": BTC,
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "price": "59000",
    "quantity": "0.5",
}


class Wire:
    """A WebSocket to a stage that speaks JSON."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket

    def ask(self, method: str, params: Any = None, *, number: Any = 1) -> dict[str, Any]:
        """Send a request and return its answer; what comes before it is dropped."""
        request: dict[str, Any] = {"id": number, "method": method}
        if params is not None:
            request["params"] = params
        return self.say(json.dumps(request), number)

    def say(self, text: str, number: Any = 1) -> dict[str, Any]:
        """Send a text and return the answer that carries an id or an error."""
        self.socket.send(text)
        answer: dict[str, Any] = self.until(lambda one: "id" in one or "error" in one)
        return answer

    def read(self, within: float = 60) -> Any:
        """Return the next frame."""
        return msgspec.json.decode(self.socket.recv(timeout=within))

    def until(self, wanted: Any, within: float = 60) -> Any:
        """Return the next frame that fits."""
        while True:
            frame = self.read(within)
            if wanted(frame):
                return frame

    def hears_nothing(self, seconds: float = 0.6) -> bool:
        """Tell whether nothing arrives for a while."""
        try:
            self.socket.recv(timeout=seconds)
        except TimeoutError:
            return True
        return False


@contextmanager
def wire(stage: Stage, path: str) -> Iterator[Wire]:
    """Open a WebSocket to a stage."""
    with sync.connect(stage.ws + path) as socket:
        yield Wire(socket)


def begin_a_minute(stage: Stage) -> None:
    """Put the venue's clock at the first second of a minute: no window of a limit ends while a test fills it."""
    minute = 60 * 10**9
    stage.host.skew_ns += minute - stage.now_ns() % minute


# -- signatures and times ------------------------------------------------------------------------------------


def test_a_signature_covers_query_and_body_as_they_were_sent(spot: Stage) -> None:
    call = Caller(spot)
    head = {"X-MBX-APIKEY": call.key}
    query, body = f"{urlencode(LIMIT)}", f"recvWindow=5000&timestamp={call.now_ms()}"
    signature = sign(call.secret, query + body)
    split = call.raw("POST", f"{ORDER}?{query}", f"{body}&signature={signature}", head)
    assert split.status == 200
    joined = sign(call.secret, f"{query}&{body}")
    assert call.raw("POST", f"{ORDER}?{query}", f"{body}&signature={joined}", head).code == -1022
    whole = f"{query}&timestamp={call.now_ms()}"
    upper = sign(call.secret, whole).upper()
    assert call.raw("POST", ORDER, f"{whole}&signature={upper}", head).status == 200
    assert call.raw("POST", ORDER, f"{whole}&signature={'0' * 64}", head).code == -1022
    assert call.raw("POST", ORDER, whole, head).code == -1102


def test_what_is_percent_encoded_on_the_wire_is_signed_percent_encoded(spot: Stage) -> None:
    call = Caller(spot)
    head = {"X-MBX-APIKEY": call.key}
    plain = f"symbol=１２３４５６&timestamp={call.now_ms()}"
    encoded = f"symbol={quote('１２３４５６')}&timestamp={call.now_ms()}"
    fits = call.raw("GET", f"{ORDER}?{encoded}&signature={sign(call.secret, encoded)}", headers=head)
    assert fits.code == -1121
    breaks = call.raw("GET", f"{ORDER}?{encoded}&signature={sign(call.secret, plain)}", headers=head)
    assert breaks.code == -1022


def test_requests_from_the_past_and_the_future_are_refused(spot: Stage) -> None:
    call = Caller(spot)
    path = "/api/v3/account"
    assert call.signed("GET", path, timestamp=call.now_ms() - 4000).status == 200
    late = call.signed("GET", path, timestamp=call.now_ms() - 6000)
    assert (late.status, late.code) == (400, -1021)
    assert late.body["msg"] == "Timestamp for this request is outside of the recvWindow."
    assert call.signed("GET", path, timestamp=call.now_ms() - 6000, recvWindow=10_000).status == 200
    assert call.signed("GET", path, recvWindow=60_001).code == -1131
    early = call.signed("GET", path, timestamp=call.now_ms() + 2000)
    assert early.body["msg"] == "Timestamp for this request was 1000ms ahead of the server's time."
    assert call.signed("GET", path, timestamp=call.now_ms() * 1000).status == 200, "microseconds are taken"
    assert call.signed("GET", path, timestamp="yesterday").code == -1100


def test_keys_must_have_the_form_exist_and_be_allowed(spot: Stage) -> None:
    call = Caller(spot)
    reader = ApiKey(key="R" * 64, kind=KeyKind.HMAC, verify_with=b"s", permissions=frozenset({"read"}))

    def add(exchange: Any) -> None:
        account = exchange.accounts["test"]
        account.api_keys[reader.key] = reader
        exchange.index_account(account)

    spot.do(add)
    assert call.keyed("GET", "/api/v3/account").code == -1102
    call.key = "not a key!"
    assert (call.signed("GET", "/api/v3/account").status, call.signed("GET", "/api/v3/account").code) == (
        401,
        -2014,
    )
    call.key = "X" * 64
    assert call.signed("GET", "/api/v3/account").code == -2015
    call.key, call.secret = reader.key, "s"
    assert call.signed("GET", "/api/v3/account").body["canTrade"] is False
    assert call.signed("POST", ORDER, **LIMIT).code == -2015
    assert call.signed("GET", "/sapi/v1/account/apiRestrictions").body["enableSpotAndMarginTrading"] is False


def test_parameters_that_nobody_reads_are_refused_before_anything_is_done(spot: Stage) -> None:
    call = Caller(spot)
    assert call.public("/api/v3/time", hello="x").code == -1101
    assert call.public("/api/v3/depth", symbol=BTC, hello="x").code == -1104
    assert call.signed("POST", ORDER, **LIMIT, hello="x").code == -1104
    assert call.signed("GET", "/api/v3/openOrders").body == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"symbol": ""}, -1102),
        ({"symbol": "btcusdt"}, -1100),
        ({"price": "x"}, -1100),
        ({"price": "0"}, -1013),
        ({"price": "59000.123456789"}, -1111),
        ({"timeInForce": ""}, -1102),
        ({"stopPrice": "59000"}, -1106),
        ({"type": "MARKET", "timeInForce": "", "price": "59000"}, -1106),
        ({"type": "MARKET", "timeInForce": "", "price": "", "quantity": ""}, -1102),
        ({"type": "STOP_LOSS_LIMIT"}, -1102),
        ({"type": "STOP_LOSS_LIMIT", "stopPrice": "50000"}, -2010),
        ({"newClientOrderId": "two words"}, -1100),
        ({"newClientOrderId": "x" * 37}, -1100),
        ({"newOrderRespType": "HUGE"}, -1130),
        ({"selfTradePreventionMode": "MAYBE"}, -1130),
        ({"icebergQty": "0.6"}, -2010),
        ({"icebergQty": "0.01"}, -1013),
        ({"strategyType": "5"}, -1134),
        ({"recvWindow": "70000"}, -1131),
    ],
)
def test_bad_parameters_have_the_documented_codes(spot: Stage, changes: dict[str, str], code: int) -> None:
    params = {name: value for name, value in {**LIMIT, **changes}.items() if value}
    spot.level(BTC, Side.BUY, 6_000_100, 100_100)  # a trade, so that there is a last price
    answer = Caller(spot).signed("POST", ORDER, **params)
    assert (answer.status, answer.code) == (400, code), answer.body


def test_a_client_order_id_is_unique_while_its_order_is_open(spot: Stage) -> None:
    call = Caller(spot)
    assert call.signed("POST", ORDER, **LIMIT, newClientOrderId="mine").body["clientOrderId"] == "mine"
    again = call.signed("POST", ORDER, **LIMIT, newClientOrderId="mine")
    assert (again.code, again.body["msg"]) == (-2010, "Duplicate order sent.")
    ended = call.signed("DELETE", ORDER, symbol=BTC, origClientOrderId="mine", newClientOrderId="gone").body
    assert (ended["origClientOrderId"], ended["clientOrderId"]) == ("mine", "gone")
    assert call.signed("POST", ORDER, **LIMIT, newClientOrderId="mine").status == 200


def test_times_come_in_microseconds_when_asked_for(spot: Stage) -> None:
    call = Caller(spot)
    assert len(str(call.public("/api/v3/time").body["serverTime"])) == 13
    head = {"X-MBX-TIME-UNIT": "MICROSECOND"}
    assert len(str(call.raw("GET", "/api/v3/time", headers=head).body["serverTime"])) == 16
    assert call.raw("GET", "/api/v3/time", headers={"X-MBX-TIME-UNIT": "NANOSECOND"}).code == -1194
    with wire(spot, "/ws/btcusdt@trade?timeUnit=MICROSECOND") as stream:
        spot.level(BTC, Side.SELL, 5_999_900, 5)
        assert len(str(stream.read()["T"])) == 16


# -- limits --------------------------------------------------------------------------------------------------


def test_weight_is_counted_told_and_ends_in_429_and_then_in_a_ban() -> None:
    with Stage("binance-spot", options={"binance-spot": {"weight_limit": "100"}}) as stage:
        begin_a_minute(stage)
        call = Caller(stage)
        first = call.public("/api/v3/exchangeInfo")
        assert first.headers["x-mbx-used-weight-1m"] == "20"
        while (answer := call.public("/api/v3/exchangeInfo")).status == 200:
            assert int(answer.headers["x-mbx-used-weight-1m"]) <= 100
        assert (answer.status, answer.code) == (429, -1003)
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        for _ in range(10):
            answer = call.public("/api/v3/exchangeInfo")
        assert (answer.status, answer.code) == (418, -1003)
        assert int(answer.headers["retry-after"]) > 60
        assert "IP banned until" in answer.body["msg"]
        with pytest.raises(exceptions.InvalidStatus), sync.connect(f"{stage.ws}/ws-api/v3"):
            pass


def test_orders_are_counted_and_those_that_trade_are_forgiven() -> None:
    with Stage("binance-spot", options={"binance-spot": {"orders_10s": "3"}}) as stage:
        begin_a_minute(stage)
        stage.book(BTC, 6_000_000)
        call = Caller(stage)
        assert call.signed("POST", ORDER, **LIMIT).headers["x-mbx-order-count-10s"] == "1"
        taker = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": "0.1"}
        assert call.signed("POST", ORDER, **taker).headers["x-mbx-order-count-10s"] == "1"
        call.signed("POST", ORDER, **LIMIT)
        call.signed("POST", ORDER, **LIMIT)
        refused = call.signed("POST", ORDER, **LIMIT)
        assert (refused.status, refused.code) == (429, -1015)
        assert refused.body["msg"] == "Too many new orders; current limit is 3 orders per 10 SECOND."
        assert "retry-after" not in refused.headers
        rows = call.signed("GET", "/api/v3/rateLimit/order").body
        assert [row["count"] for row in rows] == [3, 3]


# -- the WebSocket API -----------------------------------------------------------------------------------------


def _signed(call: Caller, **params: Any) -> dict[str, Any]:
    found = {"apiKey": call.key, "timestamp": call.now_ms(), **params}
    text = "&".join(f"{name}={value}" for name, value in sorted(found.items()))
    return {**found, "signature": sign(call.secret, text)}


def test_the_websocket_api_answers_with_status_result_and_limits(spot: Stage) -> None:
    call = Caller(spot)
    with wire(spot, "/ws-api/v3") as api:
        answer = api.ask("time", number="an-id")
        assert (answer["id"], answer["status"]) == ("an-id", 200)
        assert answer["rateLimits"][0]["rateLimitType"] == "REQUEST_WEIGHT"
        assert "rateLimits" not in api.ask("time", {"returnRateLimits": False})
        placed = api.ask("order.place", _signed(call, **LIMIT))
        assert placed["result"]["status"] == "NEW"
        assert [row["rateLimitType"] for row in placed["rateLimits"]] == [
            "ORDERS",
            "ORDERS",
            "REQUEST_WEIGHT",
        ]
        wrong = {**_signed(call, **LIMIT), "price": "58000"}
        assert api.ask("order.place", wrong)["error"]["code"] == -1022
        assert api.ask("order.place", LIMIT)["error"]["code"] == -1102
        assert api.ask("order.dance")["status"] == 400
        assert api.say("{")["error"]["code"] == -1135
        assert (
            api.ask("time", ["list"])["error"]["msg"]
            == "Invalid 'params' in JSON request; expected an object."
        )
        gone = api.ask("userDataStream.start", {"apiKey": call.key})
        assert gone["status"] == 410
    with wire(spot, "/ws-api/v3?returnRateLimits=false") as api:
        assert "rateLimits" not in api.ask("time")


def test_only_ed25519_keys_log_on_and_a_revoked_key_ends_the_session(spot: Stage) -> None:
    import base64

    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    call = Caller(spot)
    key: Any = load_pem_private_key(spot.keys.ed25519_private_key.encode(), None)
    with wire(spot, "/ws-api/v3") as api:
        assert api.ask("session.logon", _signed(call))["error"]["code"] == -4056
        params = {"apiKey": spot.keys.ed25519_api_key, "timestamp": call.now_ms()}
        text = f"apiKey={params['apiKey']}&timestamp={params['timestamp']}"
        params["signature"] = base64.b64encode(key.sign(text.encode())).decode()
        assert api.ask("session.logon", params)["result"]["apiKey"] == spot.keys.ed25519_api_key
        assert api.ask("userDataStream.subscribe")["result"] == {"subscriptionId": 0}
        placed = api.ask("order.place", {**LIMIT, "timestamp": call.now_ms()})
        assert placed["result"]["status"] == "NEW"
        event = api.until(lambda one: "event" in one)
        assert (event["subscriptionId"], event["event"]["e"]) == (0, "executionReport")
        assert api.ask("session.subscriptions")["result"] == [{"subscriptionId": 0}]
        old = api.ask("order.place", {**LIMIT, "timestamp": call.now_ms() - 9000})
        assert old["error"]["code"] == -1021

        def revoke(exchange: Any) -> None:
            exchange.accounts["test"].api_keys[spot.keys.ed25519_api_key].revoked = True

        spot.do(revoke)
        lost = api.ask("account.status", {"timestamp": call.now_ms()})
        assert (lost["id"], lost["status"], lost["error"]["code"]) == (None, 401, -2015)
        assert api.read()["error"]["code"] == -2015
        assert api.ask("session.status")["result"]["apiKey"] is None


def test_listen_keys_of_spot_are_gone(spot: Stage) -> None:
    answer = Caller(spot).keyed("POST", "/api/v3/userDataStream")
    assert (answer.status, answer.code) == (410, -1016)


# -- streams ---------------------------------------------------------------------------------------------------


def test_streams_are_subscribed_listed_and_left(spot: Stage) -> None:
    with wire(spot, "/ws") as stream:
        assert stream.ask("SUBSCRIBE", ["btcusdt@trade", "btcusdt@depth"]) == {"result": None, "id": 1}
        assert stream.ask("LIST_SUBSCRIPTIONS")["result"] == ["btcusdt@trade", "btcusdt@depth"]
        assert stream.ask("UNSUBSCRIBE", ["btcusdt@depth"])["result"] is None
        assert stream.ask("GET_PROPERTY", ["combined"])["result"] is False
        time.sleep(1.1)
        stream.ask("SET_PROPERTY", ["combined", True])
        spot.level(BTC, Side.SELL, 5_999_900, 5)
        assert stream.read()["stream"] == "btcusdt@trade"
        assert stream.say("{")["error"]["code"] == 3
        assert stream.ask("DANCE")["error"]["code"] == 2
        assert stream.ask("SET_PROPERTY", ["colour", True])["error"] == {"code": 0, "msg": "Unknown property"}


def test_more_than_five_messages_a_second_end_the_connection(spot: Stage) -> None:
    with wire(spot, "/ws") as stream:
        with pytest.raises(exceptions.ConnectionClosed) as closed:  # noqa: PT012 - the last ones may not leave any more
            for _ in range(8):
                stream.socket.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
            stream.until(lambda _: False)
        assert closed.value.rcvd.code == 1008


def test_depth_frames_join_the_snapshot_without_a_gap(spot: Stage) -> None:
    call = Caller(spot)
    with wire(spot, "/ws/btcusdt@depth@100ms") as stream:
        spot.level(BTC, Side.BUY, 5_999_950, 7)
        first = stream.read()
        snapshot = call.public("/api/v3/depth", symbol=BTC, limit=5000).body
        book = {float(px): float(qty) for px, qty in snapshot["bids"]}
        last = snapshot["lastUpdateId"]
        assert first["U"] <= last
        for number in range(6):
            spot.level(BTC, Side.BUY, 5_999_950 + number, 10 + number)
            time.sleep(0.06)
        previous = first["u"]
        while previous < spot.exchange.markets[BTC].book.seq:
            frame = stream.read()
            assert frame["U"] == previous + 1
            previous = frame["u"]
            book.update({float(px): float(qty) for px, qty in frame["b"]})
        real = Caller(spot).public("/api/v3/depth", symbol=BTC, limit=5000).body
        assert {px: qty for px, qty in book.items() if qty} == {
            float(px): float(qty) for px, qty in real["bids"]
        }


def test_a_sequence_gap_and_a_stale_snapshot_can_be_commanded(spot: Stage) -> None:
    call = Caller(spot)
    with wire(spot, "/ws/btcusdt@depth@100ms") as stream:
        spot.level(BTC, Side.BUY, 5_999_950, 7)
        before = stream.read()["u"]
        assert spot.command("sequence-gap", market=BTC, count="1")
        spot.level(BTC, Side.BUY, 5_999_950, 8)
        for lots in range(9, 500):  # the frame that is lost has one of these changes, or several
            spot.level(BTC, Side.BUY, 5_999_950, lots)
            with suppress(TimeoutError):
                assert stream.read(0.2)["U"] > before + 1
                break
        else:
            pytest.fail("no frame came after the one that was lost")
    old = spot.exchange.markets[BTC].book.seq
    assert spot.command("stale-snapshot", market=BTC, count="1")
    spot.level(BTC, Side.BUY, 5_999_950, 5_000)
    assert call.public("/api/v3/depth", symbol=BTC).body["lastUpdateId"] == old
    assert call.public("/api/v3/depth", symbol=BTC).body["lastUpdateId"] == old + 1


def test_maintenance_says_goodbye_and_refuses(spot: Stage) -> None:
    call = Caller(spot)
    with wire(spot, "/stream?streams=btcusdt@trade") as stream, wire(spot, "/ws-api/v3") as api:
        assert spot.command("maintenance", on="true")
        assert stream.read() == {
            "stream": "!serverShutdown",
            "data": {"e": "serverShutdown", "E": stream_time(call)},
        }
        assert api.read()["event"]["e"] == "serverShutdown"
    assert call.public("/api/v3/depth", symbol=BTC).status == 503
    assert call.public("/sapi/v1/system/status").status in (200, 503)
    spot.command("maintenance", on="false")
    assert call.public("/api/v3/depth", symbol=BTC).status == 200


def stream_time(call: Caller) -> Any:
    """Return something that equals any time of the last seconds."""

    class Recent(int):
        def __eq__(self, other: object) -> bool:
            return isinstance(other, int) and abs(other - int(self)) < 60_000

        __hash__ = int.__hash__

    return Recent(call.now_ms())


# -- USD-M -----------------------------------------------------------------------------------------------------


def test_conditional_orders_are_sent_away_from_the_order_endpoint(usdm: Stage) -> None:
    call = Caller(usdm)
    stop = {"symbol": BTC, "side": "SELL", "type": "STOP_MARKET", "stopPrice": "50000", "quantity": "0.1"}
    assert call.signed("POST", "/fapi/v1/order", **stop).code == -4120
    with wire(usdm, "/ws-fapi/v1") as api:
        algo = {
            "algoType": "CONDITIONAL",
            "symbol": BTC,
            "side": "SELL",
            "type": "STOP_MARKET",
            "quantity": "0.1",
        }
        placed = api.ask("algoOrder.place", _signed(call, **algo, triggerPrice="55000"))["result"]
        assert placed["algoStatus"] == "NEW"
        ended = api.ask("algoOrder.cancel", _signed(call, algoId=placed["algoId"]))["result"]
        assert ended["algoStatus"] == "CANCELED"


def test_streams_at_the_wrong_entrance_stay_silent(usdm: Stage) -> None:
    with (
        wire(usdm, "/public/ws/btcusdt@markPrice@1s") as wrong,
        wire(usdm, "/ws/btcusdt@depth@100ms") as root,
    ):
        with wire(usdm, "/market/ws/btcusdt@markPrice@1s") as right:
            assert right.read()["e"] == "markPriceUpdate"
        assert wrong.hears_nothing()
        usdm.level(BTC, Side.BUY, 599_950, 7)
        assert root.read()["e"] == "depthUpdate"
    with Stage("binance-usdm", options={"binance-usdm": {"legacy_streams": "all"}}) as old:
        old.do(lambda exchange: exchange.set_mark(BTC, 600_000, 600_000, old.now_ns()))
        with wire(old, "/ws/btcusdt@markPrice@1s") as root:
            assert root.read()["e"] == "markPriceUpdate"


def test_depth_frames_of_usdm_name_their_predecessor(usdm: Stage) -> None:
    with wire(usdm, "/public/ws/btcusdt@depth@100ms") as stream:
        previous = None
        for number in range(4):
            usdm.level(BTC, Side.BUY, 599_950, 5 + number)
            frame = stream.read()
            assert previous is None or frame["pu"] == previous
            assert frame["U"] <= frame["u"]
            previous = frame["u"]


def test_a_listen_key_is_one_per_account_is_kept_alive_and_runs_out(usdm: Stage) -> None:
    call = Caller(usdm)
    path = "/fapi/v1/listenKey"
    assert call.keyed("PUT", path).code == -1125
    key = call.keyed("POST", path).body["listenKey"]
    assert call.keyed("POST", path).body["listenKey"] == key
    assert call.keyed("PUT", path).body["listenKey"] == key
    with wire(usdm, f"/private/ws?listenKey={key}&events=ORDER_TRADE_UPDATE") as user:
        usdm.do(lambda exchange: exchange.set_leverage("test", BTC, 7, usdm.now_ns()))
        order = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": "0.1"}
        call.signed("POST", "/fapi/v1/order", **order)
        assert {user.read()["e"], user.read()["e"]} == {"ORDER_TRADE_UPDATE"}
    with wire(usdm, f"/private/ws/{key}") as user:
        assert usdm.command("listen-key-expiry", account="test")
        expired = user.read()
        assert (expired["e"], expired["listenKey"]) == ("listenKeyExpired", key)
        call.signed("POST", "/fapi/v1/order", **order)
        assert user.hears_nothing()
    assert call.keyed("PUT", path).code == -1125
    assert call.keyed("POST", path).body["listenKey"] != key


def test_orders_are_cancelled_when_a_countdown_is_not_renewed(usdm: Stage) -> None:
    call = Caller(usdm)
    call.signed("POST", "/fapi/v1/order", **{**LIMIT, "quantity": "0.1"})
    assert call.signed("POST", "/fapi/v1/countdownCancelAll", symbol=BTC, countdownTime=600_000).body == {
        "symbol": BTC,
        "countdownTime": "600000",
    }
    assert len(call.signed("GET", "/fapi/v1/openOrders").body) == 1
    call.signed("POST", "/fapi/v1/countdownCancelAll", symbol=BTC, countdownTime=100)
    deadline = time.monotonic() + 60
    while call.signed("GET", "/fapi/v1/openOrders").body:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_hedged_account_keeps_a_long_and_a_short_position(usdm: Stage) -> None:
    call = Caller(usdm)
    assert call.signed("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true").body["code"] == 200
    order = {"symbol": BTC, "type": "MARKET", "quantity": "0.1"}
    assert call.signed("POST", "/fapi/v1/order", **order, side="BUY").code == -4061
    call.signed("POST", "/fapi/v1/order", **order, side="BUY", positionSide="LONG")
    call.signed("POST", "/fapi/v1/order", **order, side="SELL", positionSide="SHORT")
    rows = {
        row["positionSide"]: row["positionAmt"] for row in call.signed("GET", "/fapi/v3/positionRisk").body
    }
    assert rows == {"LONG": "0.100", "SHORT": "-0.100"}
    closing = call.signed("POST", "/fapi/v1/order", **order, side="SELL", positionSide="LONG").body
    assert closing["positionSide"] == "LONG"
    sides = {row["positionSide"] for row in call.signed("GET", "/fapi/v3/positionRisk").body}
    assert sides == {"SHORT"}
    too_much = call.signed("POST", "/fapi/v1/order", **order, side="SELL", positionSide="LONG")
    assert too_much.code == -2022


def test_history_is_paged_by_id_and_by_time(usdm: Stage) -> None:
    call = Caller(usdm)
    order = {"symbol": BTC, "type": "MARKET", "quantity": "0.01"}
    for number in range(6):
        call.signed("POST", "/fapi/v1/order", **order, side="BUY" if number % 2 else "SELL")
    every = call.signed("GET", "/fapi/v1/userTrades", symbol=BTC).body
    assert len(every) == 6
    page = call.signed("GET", "/fapi/v1/userTrades", symbol=BTC, fromId=every[2]["id"], limit=2).body
    assert [row["id"] for row in page] == [every[2]["id"], every[3]["id"]]
    latest = call.signed("GET", "/fapi/v1/allOrders", symbol=BTC, limit=2).body
    assert [row["orderId"] for row in latest] == [every[4]["orderId"], every[5]["orderId"]]
    since = call.signed("GET", "/fapi/v1/allOrders", symbol=BTC, startTime=every[0]["time"], limit=1).body
    assert since[0]["orderId"] == every[0]["orderId"]
    far = call.signed("GET", "/fapi/v1/userTrades", symbol=BTC, startTime=1, endTime=10**12)
    assert far.code == -4165
    public = call.public("/fapi/v1/aggTrades", symbol=BTC, fromId=1, limit=1).body
    assert public[0]["a"] == 1
