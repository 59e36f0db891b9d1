"""Streams and connections of the dialects over simulated time, without sockets."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest

from lanner.model.enums import Side
from lanner.simulator.accounts import Account
from lanner.simulator.dialect import Kind
from lanner.simulator.dialects.binance.desk import Desk
from lanner.simulator.exchange import Exchange
from lanner.simulator.listing import markets_of
from lanner.simulator.registry import make_dialect

SECOND = 10**9
START = 1_800_000_000 * SECOND
BTC = "BTCUSDT"


class Session:
    """The wall: a connection that keeps what it is sent."""

    def __init__(self, number: int) -> None:
        self.session_id = number
        self.remote = "10.0.0.1"
        self.state: Any = None
        self.frames: list[Any] = []
        self.pings = 0
        self.closed: tuple[int, str] | None = None

    def send(self, payload: bytes, kind: Kind = Kind.OTHER) -> None:
        self.frames.append(msgspec.json.decode(payload))

    def ping(self, payload: bytes = b"") -> None:
        self.pings += 1

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed = (code, reason)


class Scene:
    """A dialect over a book around 60,000, with a clock to be moved."""

    def __init__(self, dialect: str) -> None:
        self.exchange = Exchange(dialect, markets_of(dialect), now_ns=START)
        self.exchange.add_account(Account("house", house=True))
        self.exchange.add_account(Account("other", house=True))
        found = make_dialect(dialect, self.exchange, {})
        assert isinstance(found, Desk)
        self.desk = found
        self.exchange.listen(self.desk.on_event)
        self.now = START
        self.middle = int(60_000 / self.exchange.markets[BTC].instrument.tick)
        self.level(Side.SELL, 100, 50)

    def level(self, side: Side, away: int, lots: int, account: str = "house") -> None:
        self.exchange.set_level(account, BTC, side, self.middle + away, lots, self.now)

    def open(self, path: str, query: str = "") -> Session:
        session = Session(len(self.desk.connections) + 1)
        assert self.desk.ws_opened(session, path, query)
        return session

    def run(self, seconds: float, step: float = 0.05) -> None:
        for _ in range(round(seconds / step)):
            self.now += int(step * SECOND)
            self.exchange.advance(self.now)
            self.desk.tick(self.now)


def test_the_venue_pings_and_closes_on_those_who_do_not_answer() -> None:
    scene = Scene("binance-spot")
    silent, polite = scene.open("/ws/btcusdt@trade"), scene.open("/ws-api/v3")
    for _ in range(5):
        scene.run(20, 1)
        scene.desk.ws_pong(polite, b"", scene.now)
    assert polite.pings >= 4
    assert silent.closed == (1008, "Pong timeout")
    assert polite.closed is None


def test_a_connection_ends_after_a_day() -> None:
    scene = Scene("binance-usdm")
    session = scene.open("/public/ws/btcusdt@depth")
    for _ in range(24 * 20):
        scene.run(180, 60)
        scene.desk.ws_pong(session, b"", scene.now)
    assert session.closed == (1000, "24 hours are over")


def test_a_candle_is_sent_as_it_grows_and_once_closed() -> None:
    scene = Scene("binance-spot")
    session = scene.open("/ws/btcusdt@kline_1m")
    scene.level(Side.BUY, 100, 10, "other")
    scene.run(61)
    candles = [frame["k"] for frame in session.frames]
    closed = [one for one in candles if one["x"]]
    assert len(closed) == 1
    assert (closed[0]["v"], closed[0]["n"]) == ("0.00010000", 1)
    assert candles[0]["x"] is False
    scene.run(60)
    flat = [frame["k"] for frame in session.frames if frame["k"]["x"]][1]
    assert (flat["o"], flat["v"], flat["f"]) == (closed[0]["c"], "0.00000000", -1)


def test_spot_joins_the_trades_of_one_taker_and_usdm_those_of_a_tenth_of_a_second() -> None:
    spot = Scene("binance-spot")
    session = spot.open("/ws/btcusdt@aggTrade")
    spot.level(Side.SELL, 100, 5, "other")  # the house's and the other's orders rest at one price
    spot.exchange.add_account(Account("taker", house=True))
    spot.level(Side.BUY, 100, 55, "taker")
    spot.run(0.1)
    assert [(one["q"], one["f"], one["l"]) for one in session.frames] == [("0.00055000", 1, 2)]

    usdm = Scene("binance-usdm")
    session = usdm.open("/market/ws/btcusdt@aggTrade")
    for _ in range(2):
        usdm.level(Side.BUY, 100, 10, "other")
        usdm.run(0.04, 0.02)
    assert session.frames == []
    usdm.run(0.2)
    assert [(one["q"], one["f"], one["l"]) for one in session.frames] == [("0.020", 1, 2)]


@pytest.mark.parametrize(("dialect", "path"), [("binance-spot", "/ws"), ("binance-usdm", "/public/ws")])
def test_depth_frames_tell_only_what_changed_at_their_pace(dialect: str, path: str) -> None:
    scene = Scene(dialect)
    fast, slow = scene.open(f"{path}/btcusdt@depth@100ms"), scene.open(f"{path}/btcusdt@depth")
    for number in range(10):
        scene.level(Side.BUY, -100 - number, 7)
        scene.run(0.1)
    scene.run(1.1)
    assert len(fast.frames) == 10
    assert len(slow.frames) < 6
    assert all(len(one["b"]) == 1 for one in fast.frames)
    assert sum(len(one["b"]) for one in slow.frames) == 10
    for rows in (fast.frames, slow.frames):
        for before, after in pairwise(rows):
            assert after["U"] == before["u"] + 1
            assert after.get("pu", before["u"]) == before["u"]
    scene.run(2)
    assert len(fast.frames) == 10
