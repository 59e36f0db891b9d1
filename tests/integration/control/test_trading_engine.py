"""The trading engine against the simulator: events, a clock, orders, plain addresses, and its life."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from contextlib import asynccontextmanager
from typing import Any

import aiohttp.web
import pytest

import lanner as ln
from lanner.control import trading_engine
from lanner.control.errors import AlreadyRunningError, NotRunningError
from lanner.model.orders import OrderView
from tests.integration.control.conftest import Beside, Market

pytestmark = pytest.mark.timeout(180)
PATIENCE_S = 120.0
NAME = "BTC-USDT.BINANCE"


@pytest.fixture
def url(market: Market) -> str:
    return market.url


class Act:
    """End an engine when something has come about, and never later than the test's patience."""

    def __init__(self, engine: ln.LiveTradingEngine) -> None:
        self._timer = threading.Timer(PATIENCE_S, engine.stop)
        self._timer.daemon = True
        self._timer.start()

    def done(self) -> None:
        self._timer.cancel()


def run(engine: ln.LiveTradingEngine) -> None:
    act = Act(engine)
    try:
        engine.start()
    finally:
        act.done()


def test_market_data_come_over_the_bus_as_the_seed_writes_it(url: str) -> None:
    bus, cache = ln.MessageBus(), ln.Cache()
    engine = ln.LiveTradingEngine(bus, cache, ln.LiveTradingConfig(tick_interval_ms=20))
    engine.set_data_engine(ln.DataEngine(["BTC-USDT@binance"], ["quotes", "trades", "book"], url=url))
    seen: list[Any] = []
    topics: set[str] = set()
    ticks: list[int] = []

    def on_market_data(event: Any) -> None:
        seen.append(event)
        assert engine.state == "running" or len(seen) < 10_000

    def look(topic: str, event: Any) -> None:
        topics.add(topic.partition(".")[0])
        if {"market_data", "orderbook", "trade"} <= topics and len(ticks) > 2:
            engine.stop()

    bus.subscribe("market_data.*", on_market_data)
    bus.subscribe("system.tick", ticks.append)
    bus.subscribe("*", look)
    run(engine)
    assert {type(event).__name__ for event in seen} >= {"Quote", "Trade"}
    assert ticks[:3] == [1, 2, 3]
    assert cache.quote(NAME) is not None
    assert cache.books[NAME].best_bid > 0
    assert engine.mode == "hybrid"
    assert engine.state == "stopped"


def test_orders_from_a_handler_are_filled_journalled_and_recovered_at_the_next_start(url: str) -> None:
    settings = {"instruments": ["BTC-USDT@binance"], "url": {"": url}, "cash": 10_000}
    ids: list[str] = []
    filled: list[Any] = []

    def trade(stop_after: int) -> ln.ExecutionEngine:
        bus, cache = ln.MessageBus(), ln.Cache()
        engine = ln.LiveTradingEngine(bus, cache)
        execution = ln.ExecutionEngine(settings, "by-events")
        engine.set_execution_engine(execution)
        engine.set_data_engine(ln.DataEngine(["BTC-USDT@binance"], ["trades"]))

        def on_market_data(event: Any) -> None:
            if len(ids) < stop_after and cache.quote(NAME) is not None and engine.state == "running":
                ids.append(execution.submit_order("buy", "0.001"))

        def on_filled(order: OrderView) -> None:
            filled.append(order.tag)
            if len(set(filled)) >= stop_after:
                engine.stop()

        bus.subscribe("market_data.*", on_market_data)
        bus.subscribe("order.filled", on_filled)
        run(engine)
        return execution

    first = trade(2)
    assert set(filled) == set(ids)
    assert first.get_stats().filled == 2
    assert not first.is_order_pending(ids[0])
    with pytest.raises(NotRunningError):
        first.submit_order("buy", "0.001")
    second = trade(3)
    assert second.session.recovered is not None
    assert second.get_stats().filled == 3
    assert second.order(ids[0]).is_final
    assert float(second.session.engine.portfolio.positions["Idle", NAME].qty) == pytest.approx(
        0.003, rel=0.01
    )


def test_a_plain_address_is_opened_kept_and_told(url: str) -> None:
    heard: list[str] = []

    @asynccontextmanager
    async def opening() -> Any:
        async def serve(request: aiohttp.web.Request) -> aiohttp.web.WebSocketResponse:
            socket = aiohttp.web.WebSocketResponse()
            await socket.prepare(request)
            async for message in socket:
                heard.append(message.data)
                if message.data == "bye":
                    break
                await socket.send_str(json.dumps({"echo": message.data}))
            return socket

        app = aiohttp.web.Application()
        app.router.add_get("/ws", serve)
        runner = aiohttp.web.AppRunner(app)
        await runner.setup()
        site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield runner.addresses[0][1]
        await runner.cleanup()

    beside = Beside(opening)
    address = f"ws://127.0.0.1:{beside.told}/ws"
    dead = "ws://127.0.0.1:9/ws"
    bus = ln.MessageBus()
    config = ln.LiveTradingConfig(
        ws_endpoints=(
            ln.WebSocketEndpoint(url=address, subscriptions=("hello",)),
            ln.WebSocketEndpoint(url=dead),
        ),
        reconnect_base_ms=10,
        max_reconnect_attempts=2,
    )
    engine = ln.LiveTradingEngine(bus, ln.Cache(), config)
    told: list[Any] = []
    states: dict[str, str] = {}

    def on_message(message: Any) -> None:
        told.append(message)
        if len(told) == 1:
            engine.send_websocket_message(address, "more")
        elif len(told) == 2:
            engine.send_websocket_message(address, "bye")
        else:
            states.update({status.endpoint: status.state for status in engine.get_connection_status()})
            engine.stop()

    bus.subscribe("websocket.*", on_message)
    try:
        run(engine)
    finally:
        beside.close()
    assert told == [{"echo": "hello"}, {"echo": "more"}, {"echo": "hello"}]
    assert states[address] == "connected"
    assert states[dead] in ("connecting", "reconnecting", "failed")
    assert heard == ["hello", "more", "bye", "hello"]


def test_a_second_start_is_refused_and_a_restart_begins_anew() -> None:
    bus = ln.MessageBus()
    engine = ln.LiveTradingEngine(bus, ln.Cache(), ln.LiveTradingConfig(tick_interval_ms=5))
    refused: list[Exception] = []
    starts: list[int] = []
    shutdowns: list[str] = []

    def on_tick(number: int) -> None:
        if number == 1:
            starts.append(number)
            try:
                engine.start()
            except AlreadyRunningError as error:
                refused.append(error)
            engine.set_heartbeat_interval(100)
        if number == 3:
            (engine.restart if len(starts) == 1 else engine.stop)()

    bus.subscribe("system.tick", on_tick)
    bus.subscribe("system.shutdown", shutdowns.append)
    run(engine)
    assert len(starts) == len(refused) == len(shutdowns) == 2
    assert engine.get_stats().ticks >= 3
    run(engine)
    assert len(starts) == 3
    assert engine.state == "stopped"


def test_a_stop_that_comes_before_the_loop_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    uvloop = pytest.importorskip("uvloop")
    engine = ln.LiveTradingEngine(ln.MessageBus(), ln.Cache(), ln.LiveTradingConfig(tick_interval_ms=5))
    make_loop = uvloop.new_event_loop

    def late() -> Any:  # a machine on which the loop takes its time
        engine.stop()
        return make_loop()

    monkeypatch.setattr(uvloop, "new_event_loop", late)
    run(engine)
    assert engine.state == "stopped"
    assert engine.get_stats().ticks == 0


def test_a_signal_ends_it_gracefully() -> None:
    bus = ln.MessageBus()
    engine = ln.LiveTradingEngine(bus, ln.Cache(), ln.LiveTradingConfig(tick_interval_ms=5))
    reasons: list[str] = []
    bus.subscribe("system.shutdown", reasons.append)
    bus.subscribe("system.tick", lambda number: os.kill(os.getpid(), signal.SIGTERM) if number == 2 else None)
    run(engine)
    assert reasons == ["signal"]


def test_a_stop_does_not_wait_for_an_address_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trading_engine, "CONNECT_S", 3_600.0)
    bus = ln.MessageBus()
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # it takes connections and never says a word
        endpoint = f"ws://127.0.0.1:{deaf.getsockname()[1]}/ws"
        engine = ln.LiveTradingEngine(bus, ln.Cache(), ln.LiveTradingConfig(ws_endpoints=(endpoint,)))
        reasons: list[str] = []
        bus.subscribe("system.shutdown", reasons.append)

        callers: list[socket.socket] = []

        def call() -> None:
            callers.append(deaf.accept()[0])
            os.kill(os.getpid(), signal.SIGTERM)

        caller = threading.Thread(target=call)
        caller.start()
        run(engine)
        caller.join()
        callers[0].close()
    assert reasons == ["signal"]
    assert engine.state == "stopped"


@pytest.mark.parametrize("part", ["data", "execution"])
def test_what_is_told_no_server_goes_where_the_environment_says(
    part: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANNER_URL", f"binance-spot={url}")
    bus = ln.MessageBus()
    engine = ln.LiveTradingEngine(bus, ln.Cache())
    if part == "data":
        engine.set_data_engine(ln.DataEngine(["BTC-USDT@binance"]))
    else:
        engine.set_execution_engine(ln.ExecutionEngine({"instruments": ["BTC-USDT@binance"]}, "elsewhere"))
    heard: list[Any] = []

    def hear(event: Any) -> None:
        heard.append(event)
        engine.stop()

    bus.subscribe(f"market_data.{NAME}", hear)
    run(engine)
    assert heard


def test_a_signal_ends_its_session_and_says_so(url: str) -> None:
    bus = ln.MessageBus()
    engine = ln.LiveTradingEngine(bus, ln.Cache())
    settings = {"instruments": ["BTC-USDT@binance"], "url": {"": url}}
    engine.set_execution_engine(ln.ExecutionEngine(settings, "signalled"))
    reasons: list[str] = []
    bus.subscribe("system.shutdown", reasons.append)

    def on_market_data(_event: Any) -> None:
        if engine.state == "running":
            os.kill(os.getpid(), signal.SIGTERM)

    bus.subscribe("market_data.*", on_market_data)
    run(engine)
    assert reasons == ["signal"]


def test_a_cache_tells_what_it_has_learnt_of_a_venue_and_of_a_session(url: str) -> None:
    bus = ln.MessageBus()
    cache = ln.Cache(bus, enable_notifications=True)
    engine = ln.LiveTradingEngine(bus, cache)
    orders = ln.ExecutionEngine({"instruments": ["BTC-USDT@binance"], "url": {"": url}}, "told")
    engine.set_execution_engine(orders)
    engine.set_data_engine(ln.DataEngine(["BTC-USDT@binance"], ["book"]))
    topics: list[str] = []
    asked: list[str] = []

    def on_quote(quote: ln.Quote) -> None:
        assert cache.quote(NAME) is not None
        if engine.state == "running" and not asked:
            asked.append(orders.submit_order("buy", "0.001"))

    def look(topic: str, _event: Any) -> None:
        topics.append(topic)
        if {"quote.update", "orderbook.update", "order.update", "position.update"} <= set(topics):
            engine.stop()

    bus.subscribe("quote.update", on_quote)
    bus.subscribe("*", look)
    run(engine)
    assert topics.count("order.update") == sum(
        topic.startswith("order.") and topic != "order.update" for topic in topics
    )
    assert cache.best_bid(NAME) < cache.best_ask(NAME)
    cache.clear()
    assert cache.quote(NAME) is None
    with pytest.raises(ln.ConfigError):
        ln.Cache(enable_notifications=True)
