"""Sessions under one manager: their life, their isolation, orders by hand, the kill switch, real orders."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lanner.cli.main import main
from lanner.control.errors import (
    AlreadyRunningError,
    KillSwitchActiveError,
    LiveAlreadyExistsError,
    LiveNotFoundError,
    NotAnsweringError,
    NotPausedError,
    NotRunningError,
    PausedError,
)
from lanner.control.killswitch import set_kill_switch
from lanner.control.manager import EngineManager
from lanner.control.opening import session_folder
from lanner.control.requests import LiveRequest
from lanner.control.runner import LiveRunner
from lanner.control.states import LiveStatus
from lanner.core.errors import ConfigError, LannerError, NotFoundError, RiskRefusedError
from lanner.live.hosting import ask_to_cut_off
from lanner.live.killswitch import PERMISSION, locked
from lanner.live.replaying import replay_session
from lanner.net.loop import run
from lanner.venues.keys import Keys
from tests.integration.control.conftest import Market, until

pytestmark = pytest.mark.timeout(180)
Ask = Callable[..., dict[str, Any]]


def test_a_session_lives_as_the_table_says(manager: EngineManager, ask: Ask) -> None:
    runner = manager.start_live(ask("a", params='{"every": 3}'))
    assert manager.get_live_status("a") is LiveStatus.RUNNING
    with pytest.raises(AlreadyRunningError):
        runner.start()
    with pytest.raises(LiveAlreadyExistsError):
        manager.start_live(ask("a"))
    with pytest.raises(NotPausedError):
        manager.resume_live("a")
    until(lambda: manager.get_live_stats("a").orders_filled > 1)

    manager.pause_live("a", "to look")
    assert manager.get_live_status("a") is LiveStatus.PAUSED
    with pytest.raises(NotRunningError):
        manager.pause_live("a")
    placed = manager.get_live_stats("a").orders_placed
    seen = manager.get_live_stats("a").ticks_processed
    until(lambda: manager.get_live_stats("a").ticks_processed > seen + 20)
    assert manager.get_live_stats("a").orders_placed == placed
    manager.resume_live("a")
    until(lambda: manager.get_live_stats("a").orders_placed > placed)

    stats = manager.get_live_stats("a")
    assert stats.responsive
    assert stats.current_pnl == pytest.approx(stats.equity - 10_000)
    assert stats.realized_pnl + stats.unrealized_pnl == pytest.approx(stats.current_pnl, abs=0.01)
    assert stats.last_price is not None
    assert stats.total_volume > 0
    manager.stop_live("a")
    assert runner.get_status() is LiveStatus.STOPPED
    with pytest.raises(LiveNotFoundError):
        manager.get_live_status("a")
    assert manager.get_stats().live_stopped == 1
    assert runner.get_order_history(3)[0]["order_id"].startswith("a-")


def test_what_raises_or_blocks_in_one_session_leaves_the_others_alone(
    manager: EngineManager, ask: Ask, tmp_path: Path
) -> None:
    flag = tmp_path / "go"
    manager.start_live(ask("good"))
    manager.start_live(ask("bad", "raises"))
    manager.start_live(ask("stuck", "blocks", params={"flag": str(flag)}))
    until(lambda: manager.get_live_status("bad") is LiveStatus.ERROR)
    until(lambda: not manager.get_live_stats("stuck").responsive)
    assert "the strategy has a mistake" in manager.live_runner("bad").last_error
    assert manager.get_health().status == "degraded"
    with pytest.raises(NotAnsweringError):
        manager.live_runner("stuck").ask(lambda session: session.id, timeout_s=0.2)
    with pytest.raises(NotAnsweringError):
        manager.stop_live("stuck", timeout_s=0.2)
    before = manager.get_live_stats("good").orders_filled
    until(lambda: manager.get_live_stats("good").orders_filled > before + 2)
    flag.touch()
    until(lambda: manager.get_live_status("stuck") is LiveStatus.STOPPED)
    manager.start_live(ask("bad"))  # one that broke makes room for the next of its id
    assert manager.get_live_status("bad") is LiveStatus.RUNNING


def test_a_session_that_cannot_be_started_says_why_and_is_forgotten(manager: EngineManager, ask: Ask) -> None:
    with pytest.raises(NotFoundError, match="does not trade"):
        manager.start_live(ask("nothing", symbol="NOSUCH"))
    session_folder("in-the-way").parent.mkdir(parents=True, exist_ok=True)
    session_folder("in-the-way").write_text("a file where a folder should be")
    with pytest.raises(LannerError, match="in-the-way"):
        manager.start_live(ask("in-the-way"))
    assert manager.list_live() == []
    with pytest.raises(ConfigError):
        manager.start_live({"session_id": "x", "symbol": "BTC"})


def test_only_sessions_that_began_to_trade_are_counted_as_started(manager: EngineManager, ask: Ask) -> None:
    with pytest.raises(NotFoundError):
        manager.start_live(ask("nowhere", strategy_type="nosuch"))
    assert manager.get_stats().live_started == 0


def test_orders_by_hand_pass_the_limits_and_are_replayed(manager: EngineManager, ask: Ask) -> None:
    runner = manager.start_live(ask("hand", "holds", risk={"max_order_notional": 500}))
    until(lambda: runner.get_stats().orders_filled == 1)
    order = manager.submit_live_order("hand", "buy", "0.001", "30000")
    assert order["status"] in ("submitted", "accepted")
    assert order["symbol"] == "BTC-USDT.BINANCE"
    refused = manager.submit_live_order("hand", "buy", 1, 30_000)
    assert refused["status"] == "rejected"
    assert "limit" in refused["error"]
    with pytest.raises(ConfigError):
        manager.submit_live_order("hand", "hold", 1)
    with pytest.raises(LannerError):
        manager.submit_live_order("hand", "buy", -1)
    with pytest.raises(NotFoundError):
        manager.cancel_live_order("hand", "no-such")
    for wrong in ({}, {"quantity": -1}, {"price": "high"}):
        with pytest.raises(LannerError):
            manager.amend_live_order("hand", order["order_id"], **wrong)
    with pytest.raises(RiskRefusedError, match="not amended"):
        manager.amend_live_order("hand", order["order_id"], 1)
    manager.amend_live_order("hand", order["order_id"], "0.002", "29000")
    until(lambda: _entry(manager, order["order_id"])["price"] == 29_000)
    assert _entry(manager, order["order_id"])["quantity"] == 0.002
    manager.cancel_live_order("hand", order["order_id"])
    until(lambda: _status(manager, order["order_id"]) == "cancelled")
    for written in ("ETH", "NOPE@binance"):
        with pytest.raises(LannerError):
            manager.submit_live_order("hand", "buy", "0.001", symbol=written)
    assert manager.cancel_all_live_orders("hand", "BTC") == 1
    sold = manager.submit_live_order("hand", "SELL", "0.002", symbol="BTC/USDT")
    until(lambda: _status(manager, sold["order_id"]) == "filled")
    assert len(manager.get_live_order_history("hand")) == 5
    manager.pause_live("hand")
    with pytest.raises(PausedError):
        manager.submit_live_order("hand", "buy", "0.001")
    with pytest.raises(PausedError):
        manager.amend_live_order("hand", order["order_id"], "0.001")
    manager.stop_live("hand")
    _plan, engine, found = replay_session(runner.folder)
    assert found.faithful, found.differences
    assert engine.execution.orders[sold["order_id"]].is_final


def _status(manager: EngineManager, order_id: str) -> str:
    return str(_entry(manager, order_id)["status"])


def _entry(manager: EngineManager, order_id: str) -> dict[str, Any]:
    history = manager.get_live_order_history("hand")
    return next(one for one in history if one["order_id"] == order_id)


def test_the_kill_switch_counts_what_it_really_did(manager: EngineManager, ask: Ask, market: Market) -> None:
    paper = manager.start_live(ask("paper", "holds"))
    real = ask("real", "holds", mode="live")
    with pytest.raises(RiskRefusedError, match="live=True"):
        manager.start_live(real)
    with pytest.raises(RiskRefusedError, match="confirmation"):
        manager.start_live(real, live=True, confirm="yes")
    live = manager.start_live(real, live=True, confirm="trade binance-spot")
    for runner in (paper, live):
        until(partial(_holds_and_rests, runner))
    result = manager.activate_kill_switch("a test")
    assert (result.live_stopped, result.orders_cancelled, result.positions_closed) == (2, 2, 2), result
    assert result.flat, result
    assert manager.get_health().status == "kill_switch"
    with pytest.raises(KillSwitchActiveError):
        manager.start_live(ask("more"))
    assert manager.deactivate_kill_switch("the test goes on")
    with pytest.raises(RiskRefusedError, match="kill switch"):
        manager.start_live(ask("paper"))  # the session's own latch is taken off by `lanner resume` only
    manager.start_live(ask("more"))


def test_a_kill_switch_that_is_set_while_a_session_connects_ends_it_when_it_is_there(
    ask: Ask, market: Market
) -> None:
    def keys(product: str) -> Keys:
        set_kill_switch("in another process")
        return market.keys(product)

    with EngineManager(keys=keys) as manager:
        runner = manager.start_live(
            ask("late", "holds", mode="live"), live=True, confirm="trade binance-spot"
        )
        until(lambda: locked(runner.folder) == "in another process")
        until(lambda: runner.ask(lambda session: session.engine.execution.gate.state.name) == "HALTED")
        assert manager.deactivate_kill_switch("the test goes on")


def _holds_and_rests(runner: LiveRunner) -> bool:
    return sorted(one["status"] for one in runner.get_order_history()) == ["accepted", "filled"]


def test_the_kill_switch_cuts_off_what_does_not_answer(
    manager: EngineManager, ask: Ask, tmp_path: Path
) -> None:
    flag = tmp_path / "go"
    stuck = ask("stuck", "blocks", mode="live", params={"flag": str(flag)})
    runner = manager.start_live(stuck, live=True, confirm="trade binance-spot")
    manager.start_live(ask("good", "holds"))
    until(lambda: not runner.get_stats().responsive)
    result = manager.activate_kill_switch("a test")
    flag.touch()
    outcome = next(one for one in result.sessions if one.session_id == "stuck")
    assert (outcome.orders_cancelled, outcome.positions_closed) == (1, 1), outcome
    assert outcome.flat, outcome
    assert result.live_stopped == 2
    assert "cut off" in outcome.errors[0]
    until(lambda: not runner.is_alive)
    assert runner.is_broken
    assert "cut off" in runner.last_error


def test_the_kill_switch_ends_what_a_broken_session_left_at_the_venue(
    manager: EngineManager, ask: Ask
) -> None:
    runner = manager.start_live(ask("broken", "blocks", mode="live"), live=True, confirm="trade binance-spot")
    until(lambda: runner.get_status() is LiveStatus.ERROR)
    result = manager.activate_kill_switch("a test")
    [outcome] = result.sessions
    assert (outcome.orders_cancelled, outcome.positions_closed, outcome.flat) == (1, 1, True), outcome
    assert "broken with orders at the venue" in outcome.errors[0]
    assert result.live_stopped == 0
    assert locked(runner.folder) == "a test"


def test_a_session_that_ends_by_itself_while_it_is_stopped_is_forgotten_all_the_same(
    ask: Ask, market: Market
) -> None:
    ending, asked = threading.Event(), threading.Event()

    def on_status(_runner: LiveRunner, status: LiveStatus) -> None:
        if status is LiveStatus.STOPPING:
            ending.set()
            asked.wait(0.5)

    with EngineManager(keys=market.keys, on_status=on_status) as manager:
        runner = manager.start_live(ask("brief", "holds"))
        runner.ask(lambda session: session.stop())
        assert ending.wait(60)
        manager.stop_live("brief")
        asked.set()
        with pytest.raises(LiveNotFoundError):
            manager.live_runner("brief")


def test_a_fill_that_a_broken_session_never_heard_of_is_closed_too(manager: EngineManager, ask: Ask) -> None:
    runner = manager.start_live(ask("deaf", "startled", mode="live"), live=True, confirm="trade binance-spot")
    until(lambda: runner.get_status() is LiveStatus.ERROR)
    assert runner.get_stats().orders_filled == 0
    [outcome] = manager.activate_kill_switch("a test").sessions
    assert (outcome.positions_closed, outcome.flat) == (1, True), outcome


def test_a_session_that_breaks_while_it_is_killed_is_ended_at_the_venue(
    manager: EngineManager, ask: Ask
) -> None:
    runner = manager.start_live(ask("sore", "sore", mode="live"), live=True, confirm="trade binance-spot")
    until(partial(_holds_and_rests, runner))
    [outcome] = manager.activate_kill_switch("a test").sessions
    assert outcome.flat, outcome
    assert "ValueError: sore" in outcome.errors[0]
    until(lambda: runner.get_status() is LiveStatus.ERROR)


def test_what_a_session_has_at_the_venue_is_ended_while_its_next_start_hangs(
    ask: Ask, market: Market
) -> None:
    hangs, hanging, go = threading.Event(), threading.Event(), threading.Event()

    def keys(product: str) -> Keys:
        if hangs.is_set() and threading.current_thread().name == "session-late":
            hanging.set()
            assert go.wait(60)  # a keyring that asks somebody for its password
        return market.keys(product)

    with EngineManager(keys=keys) as manager:
        asked = ask("late", "holds", mode="live")
        runner = manager.start_live(asked, live=True, confirm="trade binance-spot")
        until(partial(_holds_and_rests, runner))
        manager.stop_live("late")
        hangs.set()
        with pytest.raises(NotAnsweringError):
            manager.start_live(asked, live=True, confirm="trade binance-spot", timeout_s=5.0)
        assert hanging.is_set()
        late = manager.live_runner("late")  # not forgotten: it may still come to life
        [outcome] = manager.activate_kill_switch("a test", stop_s=0.5).sessions
        go.set()
        until(lambda: not late.is_alive)
    assert (outcome.orders_cancelled, outcome.positions_closed, outcome.flat) == (1, 1, True), outcome
    assert late.get_stats().orders_placed == 0


def test_a_session_whose_kill_switch_cannot_work_does_not_hide_what_the_others_did(
    manager: EngineManager, ask: Ask
) -> None:
    bad, good = manager.start_live(ask("bad", "holds")), manager.start_live(ask("good", "holds"))
    until(partial(_holds_and_rests, good))
    (bad.folder / PERMISSION).mkdir()  # a latch takes it away first: it is a file
    result = manager.activate_kill_switch("a test")
    assert [(one.session_id, one.flat) for one in result.sessions] == [("good", True)]
    assert "bad: IsADirectoryError" in result.errors[0]
    assert not result.flat
    assert bad.get_status() is LiveStatus.STOPPED


def test_a_watchdog_ends_a_stuck_session_without_its_neighbours(
    manager: EngineManager, ask: Ask, tmp_path: Path
) -> None:
    flag = tmp_path / "go"
    runner = manager.start_live(ask("stuck", "blocks", params={"flag": str(flag)}))
    good = manager.start_live(ask("good"))
    until(lambda: not runner.get_stats().responsive)
    assert run(ask_to_cut_off(runner.folder, "silent"))
    flag.touch()
    until(lambda: runner.get_status() is LiveStatus.ERROR)
    before = good.get_stats().ticks_processed
    until(lambda: good.get_stats().ticks_processed > before)
    assert not locked(good.folder)


def test_many_threads_may_ask_at_once(manager: EngineManager, ask: Ask) -> None:
    faults: list[BaseException] = []

    def use(number: int) -> None:
        try:
            name = f"s{number % 3}"
            with suppress(LiveAlreadyExistsError):
                manager.start_live(ask(name))
            until(lambda: manager.get_live_status(name) is not LiveStatus.STARTING)
            manager.get_live_stats(name)
            manager.get_live_order_history(name)
            manager.get_stats()
            manager.get_health()
        except BaseException as error:  # noqa: BLE001 - told to the test
            faults.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not faults
    assert manager.get_health().running_live == 3
    assert manager.stop_all() == []
    assert manager.get_stats().live_stopped == 3


def test_a_lost_connection_is_told_and_comes_back(manager: EngineManager, ask: Ask, market: Market) -> None:
    seen: list[LiveStatus] = []
    runner = LiveRunner(LiveRequest.of(ask("line")), on_status=lambda _runner, status: seen.append(status))
    runner.start()
    control = str(market.ready["control"])
    assert main(["venue", "faults", control, "refuse-connect:for=60", "close:code=1006"]) == 0
    try:
        until(lambda: runner.get_status() is LiveStatus.RECONNECTING)
    finally:
        assert main(["venue", "faults", control, "--clear"]) == 0
    until(lambda: runner.get_status() is LiveStatus.RUNNING)
    stats = runner.get_stats()
    assert stats.reconnects > 0
    assert stats.connection_uptime_pct < 100
    runner.stop()
    assert seen[:4] == ["starting", "running", "reconnecting", "running"]
    assert seen[-2:] == ["stopping", "stopped"]


def test_market_data_of_other_instruments_come_onto_the_bus_only(manager: EngineManager, ask: Ask) -> None:
    runner = manager.start_live(ask("a", "holds"))
    heard: list[str] = []
    runner.ask(
        lambda session: session.bus.subscribe("market_data.ETH*", lambda topic, _: heard.append(topic))
    )
    assert manager.subscribe_live("a", "ETH") == "ETH-USDT.BINANCE"
    until(lambda: heard)
    assert manager.unsubscribe_live("a", "ETH")
    assert not manager.unsubscribe_live("a", "ETH")
    assert "ETH-USDT.BINANCE" not in runner.ask(lambda session: dict(session.engine.cache.marks))
    assert {one["state"] for one in runner.get_connection_state()} == {"connected"}
    assert runner.get_balance()["equity"] == pytest.approx(10_000, rel=0.01)
