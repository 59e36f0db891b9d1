"""A runner that is given a trading engine: the session lives inside it, on its bus, beside its clock."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import lanner as ln
from lanner.control.errors import AlreadyRunningError, KillSwitchActiveError, NotAnsweringError
from lanner.core.errors import ConfigError
from lanner.live.replaying import replay_session
from tests.integration.control.conftest import until

pytestmark = pytest.mark.timeout(180)
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def deaf() -> Iterator[str]:
    """Serve an address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def engine(**settings: Any) -> tuple[ln.LiveTradingEngine, list[tuple[str, Any]]]:
    told: list[tuple[str, Any]] = []
    bus = ln.MessageBus()
    bus.subscribe("*", lambda topic, event: told.append((topic, event)))
    return ln.LiveTradingEngine(bus, ln.Cache(), ln.LiveTradingConfig(**settings)), told


def count(told: list[tuple[str, Any]], topic: str) -> int:
    return sum(name == topic for name, _ in list(told))


def test_a_runner_lives_inside_the_engine_that_it_was_given(ask: Ask) -> None:
    trading, told = engine(tick_interval_ms=10)
    runner = ln.LiveRunner(ln.LiveRequest.of(ask("inside", params={"every": 3})), trading)
    assert runner.get_status() == ln.LiveStatus.STOPPED
    runner.start()
    assert runner.get_status() == ln.LiveStatus.RUNNING
    assert (trading.state, trading.mode) == ("running", "hybrid")
    with pytest.raises(AlreadyRunningError):
        trading.start()
    with pytest.raises(AlreadyRunningError):
        runner.start()
    until(lambda: count(told, "order.filled") > 1)
    assert count(told, "market_data.BTC-USDT.BINANCE") > 1
    assert trading.cache.quote("BTC-USDT.BINANCE") is not None
    assert trading.bus.request("order.query", runner.get_order_history(1)[0]["order_id"])["side"]
    until(lambda: runner.get_stats().ticks > 0)
    assert runner.get_stats().orders_filled > 1

    runner.pause()
    until(lambda: runner.get_status() == ln.LiveStatus.PAUSED)
    ticks, seen = trading.get_stats().ticks, runner.get_stats().ticks_processed
    until(lambda: runner.get_stats().ticks_processed > seen + 20)
    assert trading.get_stats().ticks == ticks
    runner.resume()
    until(lambda: trading.get_stats().ticks > ticks)

    runner.stop()
    assert (runner.get_status(), trading.state) == ("stopped", "stopped")
    before = count(told, "system.recovered")
    runner.start()
    until(lambda: count(told, "system.recovered") > before)
    trading.stop()  # the engine's own way out ends the runner, too
    assert runner.join(60) == ln.LiveStatus.STOPPED
    with runner:
        runner.start()
    assert (runner.get_status(), trading.state) == ("stopped", "stopped")
    _plan, _engine, found = replay_session(runner.folder)
    assert found.faithful, found.differences


def test_a_managed_runners_engine_is_ended_by_the_kill_switch(manager: ln.EngineManager, ask: Ask) -> None:
    trading, told = engine()
    runner = manager.start_live(ask("managed", "holds"), engine=trading)
    until(lambda: count(told, "order.filled") == 1)
    result = manager.activate_kill_switch("a test")
    assert (result.live_stopped, result.positions_closed, result.flat) == (1, 1, True), result
    assert (runner.get_status(), trading.state) == ("stopped", "stopped")
    assert count(told, "risk.kill_switch") == 1
    other, _ = engine()
    with (
        ln.LiveRunner(ln.LiveRequest.of(ask("other")), other) as refused,
        pytest.raises(KillSwitchActiveError),
    ):
        refused.start()
    assert other.state == "failed"
    manager.deactivate_kill_switch("the test is over")


def test_an_engine_that_runs_or_looks_at_the_past_takes_no_session(ask: Ask) -> None:
    trading, told = engine(tick_interval_ms=5)
    thread = threading.Thread(target=trading.start)
    thread.start()
    until(lambda: count(told, "system.tick") > 0)
    with pytest.raises(AlreadyRunningError):
        ln.LiveRunner(ln.LiveRequest.of(ask("a")), trading)
    trading.stop()
    thread.join(60)
    trading.set_data_engine(ln.DataEngine(history=["data/none.csv"]))
    runner = ln.LiveRunner(ln.LiveRequest.of(ask("a")), trading)
    with pytest.raises(ConfigError, match="on the present"):
        runner.start()
    assert runner.get_status() == ln.LiveStatus.ERROR


@pytest.mark.parametrize("inside", [True, False])
def test_a_start_that_hangs_is_given_up_and_leaves_nothing_behind(ask: Ask, deaf: str, inside: bool) -> None:
    trading, _ = engine()
    request = ln.LiveRequest.of(ask("hangs", url={"": deaf}))
    runner = ln.LiveRunner(request, trading if inside else None)
    with pytest.raises(NotAnsweringError):
        runner.start(timeout_s=0.5)
    assert runner.join(60) == ln.LiveStatus.STOPPED
    assert trading.state == "stopped"


def test_an_engine_is_stopped_while_its_session_connects(ask: Ask, deaf: str) -> None:
    trading, told = engine()
    settings = ln.LiveRequest.of(ask("slow", url={"": deaf})).config()
    trading.set_execution_engine(ln.ExecutionEngine(settings, "slow"))
    thread = threading.Thread(target=trading.start)
    thread.start()
    until(lambda: trading.state == "starting")
    trading.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert trading.state == "stopped"
    assert count(told, "system.shutdown") == 1
