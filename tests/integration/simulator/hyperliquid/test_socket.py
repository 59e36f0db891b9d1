"""The WebSocket: wishes, refusals, posts, pings, silence."""

from __future__ import annotations

import base64
import http.client
import json
import time
import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import websocket

from lanner.simulator.dialects.hyperliquid import spec
from tests.integration.simulator.hyperliquid.local_venue import LocalVenue, limit, place, wait_for


class Line:
    """A connection that keeps what it reads."""

    def __init__(self, venue: LocalVenue) -> None:
        self.socket = websocket.create_connection(venue.ws_url, timeout=60)
        assert self.socket.recv() == "Websocket connection established."

    def say(self, message: Any) -> None:
        self.socket.send(message if isinstance(message, str) else json.dumps(message))

    def end(self) -> None:
        """Close the connection without a farewell."""
        self.socket.shutdown()  # type: ignore[no-untyped-call]

    def read(self) -> Any:
        return json.loads(self.socket.recv())

    def until(self, check: Callable[[Any], bool]) -> Any:
        """Return the first frame that passes a check."""
        while not check(frame := self.read()):
            pass
        return frame

    def channel(self, name: str) -> Any:
        return self.until(lambda frame: frame["channel"] == name)["data"]

    def subscribe(self, **wish: Any) -> Any:
        self.say({"method": "subscribe", "subscription": wish})
        return self.until(lambda frame: frame["channel"] in ("subscriptionResponse", "error"))

    def post(self, kind: str, payload: Any, number: int = 7) -> Any:
        self.say({"method": "post", "id": number, "request": {"type": kind, "payload": payload}})
        answer = self.channel("post")
        assert answer["id"] == number
        return answer["response"]


@pytest.fixture
def line(venue: LocalVenue) -> Iterator[Line]:
    made = Line(venue)
    yield made
    made.end()


@pytest.fixture
def slow() -> Iterator[LocalVenue]:
    """Return a venue whose blocks last half a second."""
    made = LocalVenue(block_ms="500").start()
    yield made
    made.stop()


def upgrade_status(venue: LocalVenue, path: str) -> int:
    """Return how the venue answers a wish to open a socket."""
    line = http.client.HTTPConnection("127.0.0.1", venue.host.port, timeout=60)
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    line.request("GET", path, headers=headers)
    with line.getresponse() as response:
        line.close()
        return response.status


def user(venue: LocalVenue) -> str:
    return str(venue.wallets[0].address).lower()


def test_ping_is_answered(line: Line) -> None:
    line.say({"method": "ping"})
    assert line.read() == {"channel": "pong"}


def test_wish_is_confirmed_in_its_own_words(line: Line) -> None:
    wish = {"type": "l2Book", "coin": "BTC", "nSigFigs": None}
    assert line.subscribe(**wish) == {
        "channel": "subscriptionResponse",
        "data": {"method": "subscribe", "subscription": wish},
    }
    assert line.channel("l2Book")["coin"] == "BTC"
    line.say({"method": "unsubscribe", "subscription": wish, "id": "of no concern to the venue"})
    confirmed = line.until(lambda frame: frame["channel"] == "subscriptionResponse")
    assert confirmed["data"]["method"] == "unsubscribe"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("nonsense", "Error parsing JSON into valid websocket request: nonsense"),
        ({"method": "dance"}, 'Error parsing JSON into valid websocket request: {"method": "dance"}'),
        ({"type": "allMids"}, 'Error parsing JSON into valid websocket request: {"type": "allMids"}'),
        (
            {"method": "subscribe", "subscription": {"type": "l2Book", "coin": "NOPE"}},
            'Invalid subscription {"type":"l2Book","coin":"NOPE"}',
        ),
        (
            {"method": "unsubscribe", "subscription": {"type": "allMids"}},
            'Already unsubscribed: {"type":"allMids"}',
        ),
    ],
)
def test_what_cannot_be_obeyed_is_an_error_frame(line: Line, message: Any, words: str) -> None:
    line.say(message)
    assert line.read() == {"channel": "error", "data": words}


def test_second_wish_for_the_same_is_refused(line: Line) -> None:
    line.subscribe(type="trades", coin="BTC")
    again = line.subscribe(type="trades", coin="BTC")
    assert again == {"channel": "error", "data": 'Already subscribed: {"type":"trades","coin":"BTC"}'}


def test_info_and_actions_can_be_posted(venue: LocalVenue, line: Line) -> None:
    answer = line.post("info", {"type": "l2Book", "coin": "ETH", "nSigFigs": 5, "mantissa": None})
    assert answer["type"] == "info"
    assert answer["payload"]["type"] == "l2Book"
    assert answer["payload"]["data"]["coin"] == "ETH"
    answer = line.post("action", venue.signed(place(limit(0, True, "59000", "0.01"))), number=8)
    assert answer["type"] == "action"
    assert "resting" in answer["payload"]["response"]["data"]["statuses"][0]
    answer = line.post("info", {"type": "unheardOf"}, number=9)
    assert answer == {
        "type": "error",
        "payload": "422: Failed to deserialize the JSON body into the target type",
    }


def test_answer_to_a_post_comes_before_its_events(venue: LocalVenue, line: Line) -> None:
    line.subscribe(type="orderUpdates", user=user(venue))
    body = venue.signed(place(limit(0, True, "60010", "0.01", "Ioc")))
    line.say({"method": "post", "id": 1, "request": {"type": "action", "payload": body}})
    channels = [line.read()["channel"] for _ in range(2)]
    assert channels == ["post", "orderUpdates"]


def test_books_come_twice_a_second_even_when_nothing_happens(line: Line) -> None:
    started = time.monotonic()
    line.subscribe(type="l2Book", coin="BTC")
    times = [line.channel("l2Book")["time"] for _ in range(4)]
    assert time.monotonic() - started > 1.2
    assert all(after - before >= 500 for before, after in pairwise(times[1:]))


def test_best_prices_come_only_when_they_change(venue: LocalVenue, line: Line) -> None:
    line.subscribe(type="bbo", coin="BTC")
    first = line.channel("bbo")
    assert first["bbo"][0] == {"px": "59990.0", "sz": "1.0", "n": 1}
    venue.statuses(place(limit(0, True, "59000", "0.01")))
    venue.statuses(place(limit(0, True, "59995", "0.01")))
    second = line.channel("bbo")
    assert second["bbo"][0] == {"px": "59995.0", "sz": "0.01", "n": 1}


def test_history_comes_first_and_is_marked(slow: LocalVenue) -> None:
    venue, line = slow, Line(slow)
    venue.statuses(place(limit(0, True, "60010", "0.01", "Ioc")))
    line.subscribe(type="userFills", user=user(venue))  # in the middle of the block that tells of the fill
    snapshot = line.channel("userFills")
    assert (snapshot["isSnapshot"], len(snapshot["fills"])) == (True, 1)
    venue.statuses(place(limit(0, True, "60010", "0.02", "Ioc")))
    later = line.channel("userFills")
    assert (later["isSnapshot"], [row["sz"] for row in later["fills"]]) == (False, ["0.02"])
    line.end()


def test_fills_of_one_order_can_be_joined(venue: LocalVenue, line: Line) -> None:
    line.subscribe(type="userFills", user=user(venue), aggregateByTime=True)
    assert line.channel("userFills")["isSnapshot"] is True
    venue.statuses(place(limit(0, True, "60030", "2", "Ioc")))
    (fill,) = line.channel("userFills")["fills"]
    assert (fill["sz"], fill["px"]) == ("2.0", "60015.0")
    (joined,) = venue.info("userFills", user=user(venue), aggregateByTime=True)
    assert joined["sz"] == "2.0"
    assert len(venue.info("userFills", user=user(venue))) == 2


def test_life_of_an_order_is_told_step_by_step(venue: LocalVenue, line: Line) -> None:
    line.subscribe(type="orderUpdates", user=user(venue))
    oid = venue.statuses(place(limit(0, True, "59995", "0.3", c="0x" + "0a" * 16)))[0]["resting"]["oid"]
    (opened,) = line.channel("orderUpdates")
    assert (opened["status"], opened["order"]["oid"], opened["order"]["cloid"]) == (
        "open",
        oid,
        "0x" + "0a" * 16,
    )
    venue.sell_into_bids("BTC", 59_995, 0.1)
    venue.statuses({"type": "cancel", "cancels": [{"a": 0, "o": oid}]})
    (ended,) = line.channel("orderUpdates")
    assert (ended["status"], ended["order"]["sz"], ended["order"]["origSz"]) == ("canceled", "0.2", "0.3")
    assert ended["statusTimestamp"] >= ended["order"]["timestamp"]
    venue.statuses(place(limit(0, True, "59000", "0.01", "Ioc")))
    (refused,) = line.channel("orderUpdates")
    assert refused["status"] == "iocCancelRejected"


def test_cancels_that_nobody_asked_for_are_told(venue: LocalVenue, line: Line) -> None:
    line.subscribe(type="userEvents", user=user(venue))
    oid = venue.statuses(place(limit(0, True, "59995", "0.3")))[0]["resting"]["oid"]
    venue.statuses(place(limit(0, False, "59995", "0.3", "Ioc")))
    event = line.until(lambda frame: "nonUserCancel" in frame.get("data", ()))
    assert event == {"channel": "user", "data": {"nonUserCancel": [{"coin": "BTC", "oid": oid}]}}


def test_funding_and_ledger_are_told(venue: LocalVenue, line: Line) -> None:
    venue.statuses(place(limit(0, True, "60010", "1", "Ioc")))
    for kind in ("userFundings", "userNonFundingLedgerUpdates"):
        line.subscribe(type=kind, user=user(venue))
        assert line.channel(kind)["isSnapshot"] is True

    def work(exchange: Any, now: int) -> None:
        exchange.set_funding_rate("BTC", Decimal("-0.0001"), now)
        exchange.settle_funding("BTC", now)
        exchange.deposit("alice", "USDC", Decimal(12), now)

    venue.do(work)
    funding = line.channel("userFundings")
    assert funding["fundings"][0]["usdc"] == "6.0"
    ledger = line.channel("userNonFundingLedgerUpdates")
    assert ledger["nonFundingLedgerUpdates"][0]["delta"] == {"type": "deposit", "usdc": "12.0"}


@pytest.mark.parametrize(
    "kind", ["openOrders", "clearinghouseState", "spotState", "webData2", "activeAssetData"]
)
def test_states_are_sent_at_once_and_when_they_change(venue: LocalVenue, line: Line, kind: str) -> None:
    line.subscribe(type=kind, user=user(venue), coin="BTC")
    first = line.channel(kind)
    venue.statuses(place(limit(0, True, "59000", "1"), limit(10_000, True, "0.19", "100")))
    wait_for(lambda: line.channel(kind) != first)


def test_twap_is_told_step_by_step(venue: LocalVenue, line: Line) -> None:
    line.subscribe(type="userTwapHistory", user=user(venue))
    assert line.channel("userTwapHistory") == {"isSnapshot": True, "user": user(venue), "history": []}
    line.subscribe(type="userTwapSliceFills", user=user(venue))
    assert line.channel("userTwapSliceFills")["twapSliceFills"] == []
    venue.act({"type": "twapOrder", "twap": {"a": 2, "b": True, "s": "55", "r": False, "m": 5, "t": True}})
    (step,) = line.channel("userTwapHistory")["history"]
    assert (step["status"], step["state"]["coin"], step["state"]["minutes"]) == (
        {"status": "activated"},
        "SOL",
        5,
    )
    (slice_,) = line.channel("userTwapSliceFills")["twapSliceFills"]
    assert slice_["twapId"] == step["twapId"]


def test_feeds_for_everybody(line: Line) -> None:
    line.subscribe(type="allDexsAssetCtxs")
    assert line.channel("allDexsAssetCtxs")["ctxs"][0][0] == ""
    line.subscribe(type="assetCtxs")
    assert len(line.channel("assetCtxs")["ctxs"]) == 4
    line.subscribe(type="spotAssetCtxs")
    assert [row["coin"] for row in line.channel("spotAssetCtxs")] == ["PURR/USDC", "@107"]
    line.subscribe(type="fastAssetCtxs")
    packed = base64.b64decode(line.channel("fastAssetCtxs"))
    assert json.loads(zlib.decompress(packed, wbits=-15))["BTC"] == {"markPx": "60000.0"}
    line.subscribe(type="activeAssetCtx", coin="@107")
    assert line.channel("activeSpotAssetCtx")["coin"] == "@107"
    line.subscribe(type="l2Book", coin="BTC", fast=True)
    assert len(line.channel("l2Book")["levels"][0]) == 5


def test_silence_of_a_minute_ends_the_connection(
    venue: LocalVenue, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.say({"method": "ping"})
    assert line.read() == {"channel": "pong"}
    monkeypatch.setattr(spec, "IDLE_NS", 300_000_000)
    opcode, payload = line.socket.recv_data()
    assert opcode == websocket.ABNF.OPCODE_CLOSE
    assert payload == (1000).to_bytes(2, "big") + b"Inactive"


def test_ten_users_are_enough_for_one_address() -> None:
    venue = LocalVenue(limits="1").start()
    lines = [Line(venue) for _ in range(2)]
    try:
        for at in range(10):
            wish = {"type": "userFills", "user": f"0x{at:040x}"}
            assert lines[at % 2].subscribe(**wish)["channel"] == "subscriptionResponse"
        refused = lines[0].subscribe(type="userFills", user=f"0x{99:040x}")
        assert refused == {"channel": "error", "data": "Cannot track more than 10 total users."}
        known = lines[0].subscribe(type="userFundings", user=f"0x{1:040x}")
        assert known["channel"] == "subscriptionResponse"
    finally:
        for one in lines:
            one.end()
        venue.stop()


def test_other_paths_have_no_socket(venue: LocalVenue) -> None:
    assert upgrade_status(venue, "/stream") == 404
    assert upgrade_status(venue, "/ws") == 101
