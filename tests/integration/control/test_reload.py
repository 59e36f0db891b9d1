"""New parameters and limits for sessions that run: from options and files, all or nothing, and replayed exactly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lanner.cli.many_sessions import Given, read_sessions
from lanner.control.manager import EngineManager
from lanner.control.runner import LiveRunner
from lanner.control.sessions_file import SessionsFile
from lanner.core.errors import ConfigError, LannerError
from lanner.live.config import SessionConfig
from lanner.live.parity.runs import play
from lanner.live.reload import BACKUPS, ConfigReloaded
from lanner.live.replaying import replay_session
from lanner.net.wallclock import wall_ns
from lanner.storage.journal import Control, Kind, read_journal
from tests.integration.control.conftest import FLIP, Market, until
from tests.waiting import save

pytestmark = pytest.mark.timeout(180)
Ask = Callable[..., dict[str, Any]]
HOOKED = '''
import lanner as ln


class Hooked(ln.Strategy):
    """Use a parameter up in on_start, and take note of new ones; 13 brings bad luck."""

    length = ln.Param(5, 1, 100)
    size = ln.Param(0.1, 0.01, 1.0)
    low = ln.Param(1, 0, 100)

    def check_params(self):
        ln.require(self.low <= self.length, "low must not be above length", f"<= {self.length}", self.low)

    def on_start(self):
        self.window = [0.0] * self.length
        self.seen = []

    def on_params(self, before):
        self.seen.append(dict(before))
        if self.length == 13:
            raise ValueError("not 13")
        self.window = [0.0] * self.length

    def on_quote(self, quote):
        if self.position.qty == 0 and not self.open_orders:
            self.target(self.size)
'''


def settings(market: Market, strategy: Path, **more: Any) -> dict[str, Any]:
    return {
        "strategy": strategy.name,
        "instruments": ["BTC-USDT@binance"],
        "url": {"": market.url},
        "journal": {"sync": "none"},
        **more,
    }


@pytest.fixture
def flip(tmp_path: Path) -> Path:
    path = tmp_path / "flip.py"
    path.write_text(FLIP)
    return path


def config_of(path: Path, **reload: Any) -> SessionConfig:
    told = json.loads(path.read_text())
    told["strategy"] = str(path.parent / told["strategy"])
    return SessionConfig(**{**told, "reload": {"file": str(path), **reload}})


def values(runner: LiveRunner) -> dict[str, Any]:
    return runner.ask(lambda session: next(iter(session.engine.desks.values())).strategy.values())


def hear(runner: LiveRunner, topic: str) -> list[Any]:
    heard: list[Any] = []
    runner.ask(lambda session: session.bus.subscribe(topic, lambda _, event: heard.append(event)))
    return heard


def test_a_watched_file_changes_the_running_strategy_and_its_replay(
    manager: EngineManager, market: Market, flip: Path, tmp_path: Path
) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(settings(market, flip, params={"every": 4})))
    config = config_of(path, watch=True, interval_ms=50, max_backups=2)
    runner = manager.start_live(config, "watched")
    heard = hear(runner, "config.reloaded")
    stats = runner.ask(lambda session: session.reload.stats)
    for number, size in enumerate((0.2, 0.3, 0.4), 1):
        text = json.dumps(
            settings(market, flip, params={"every": 4, "size": size}, risk={"max_open_orders": 9})
        )
        save(path, text)
        until(lambda number=number: stats.reload_count == number)  # type: ignore[misc]
        assert values(runner) == {"every": 4, "size": size}
        assert isinstance(heard[-1], ConfigReloaded)
        assert heard[-1].config_path == str(path)
        before = runner.get_stats().orders_filled
        until(lambda before=before: runner.get_stats().orders_filled > before)  # type: ignore[misc]
    backups = sorted((runner.folder / BACKUPS).iterdir())
    assert [one.name for one in backups] == ["000002-run.json", "000003-run.json"]
    assert (
        json.loads(backups[-1].read_text())["params"]["size"] == 0.3
    )  # what was good before the last change
    assert runner.ask(lambda session: session.engine.execution.limits.max_open_orders) == 9

    for bad in (
        '{"strategy": ',
        json.dumps(settings(market, flip, params={"size": 7})),
        json.dumps(settings(market, flip, cash=5)),
    ):
        errors = stats.error_count
        save(path, bad)
        until(lambda errors=errors: stats.error_count > errors)  # type: ignore[misc]
        assert values(runner) == {"every": 4, "size": 0.4}
    assert "cannot be changed while the session runs" in stats.last_error
    assert stats.reload_count == 3 == len(heard)
    manager.stop_live("watched")

    plan, engine, found = replay_session(runner.folder)
    assert found.faithful, found.differences
    assert next(iter(engine.desks.values())).strategy.values() == {"every": 4, "size": 0.4}
    again = play(plan, "watched", read_journal(runner.folder / "journal"))
    assert again.hash.hexdigest() == engine.hash.hexdigest()  # and so does the backtest of its data


def many(market: Market, strategies: dict[str, str], **common: Any) -> str:
    """Return a file of sessions; ``strategies`` by id are the rest of their entries."""
    told = {
        "instruments": ["BTC-USDT@binance"],
        "url": {"": market.url},
        "journal": {"sync": "none"},
        **common,
    }
    entries = [f"  - {{id: {name}, {entry}}}" for name, entry in strategies.items()]
    return (
        "\n".join([*(f"{key}: {json.dumps(value)}" for key, value in told.items()), "sessions:", *entries])
        + "\n"
    )


def test_a_file_of_sessions_changes_all_of_them_or_none(
    manager: EngineManager, market: Market, flip: Path, tmp_path: Path
) -> None:
    (tmp_path / "hooked.py").write_text(HOOKED)
    path = tmp_path / "many.yaml"
    first = {"one": "strategy: flip.py, params: {every: 3}", "two": "strategy: hooked.py"}

    def write(entries: dict[str, str], **common: Any) -> None:
        path.write_text(many(market, entries, **common))

    write(first)
    read = read_sessions(path, Given(), wall_ns())
    write({**first, "one": "strategy: flip.py, params: {every: 4}"})  # before its sessions have looked at it
    runners = {name: manager.start_live(config, name) for name, config in read.sessions}
    file = SessionsFile(read.file, runners, lambda _line: None)
    file.begin()
    one, two = runners.values()
    heard = hear(one, "config.reload_failed")
    assert file.reload().in_words() == ["session one: Flip.every 3 -> 4"]
    write(first)
    assert file.reload().in_words() == ["session one: Flip.every 4 -> 3"]

    assert file.reload().in_words() == ["nothing is new for any session"]
    write({**first, "one": "strategy: flip.py, params: {every: 3, size: 0.2}"}, risk={"max_open_orders": 9})
    done = file.reload()
    assert not done.errors
    assert done.in_words() == [
        "session one: Flip.size 0.5 -> 0.2",
        "session one: risk.max_open_orders 200 -> 9",
        "session two: risk.max_open_orders 200 -> 9",
    ]
    assert values(one) == {"every": 3, "size": 0.2}
    assert two.ask(lambda session: session.engine.execution.limits.max_open_orders) == 9
    good = path.read_text()

    for change in (
        {"one": "strategy: flip.py, params: {size: 0.4}", "two": "strategy: hooked.py, params: {size: 9}"},
        {"one": "strategy: flip.py, params: {size: 0.4}", "two": "strategy: hooked.py, cash: 5"},
        {"one": "strategy: flip.py, params: {size: 0.4}", "two": "strategy: flip.py"},
        {"one": "strategy: flip.py, params: {size: 0.4}"},
        {
            "one": "strategy: flip.py, params: {size: 0.4}",
            "two": "strategy: hooked.py",
            "three": "strategy: x",
        },
        {"one": "strategy: flip.py, params: {size: 0.4}", "two": "strategy: hooked.py, params: {length: 13}"},
    ):
        before = len(heard)
        write(change, risk={"max_open_orders": 9})
        done = file.reload()
        assert done.in_words()[-1] == "nothing was changed in any session"
        assert values(one) == {"every": 3, "size": 0.2}
        assert values(two) == {"length": 5, "size": 0.1, "low": 1}
        assert len(heard) == before + 1
    assert (
        "not 13" in done.errors["two"]
    )  # only its strategy could say so: what the other one had is taken back

    path.write_text(good.replace("size: 0.2", "size: 0.3"))
    assert file.reload().in_words() == ["session one: Flip.size 0.2 -> 0.3"]
    path.write_text(good.replace("size: 0.2", "size: 0.4"))
    assert one.reload().applied  # a session's own entry, when it is asked for
    assert values(one)["size"] == 0.4
    manager.stop_live("two")
    path.write_text(good)
    assert file.reload().in_words() == ["session one: Flip.size 0.4 -> 0.2"]
    manager.stop_live("one")
    for runner in runners.values():
        _plan, _engine, found = replay_session(runner.folder)
        assert found.faithful, found.differences

    (config,) = [found for name, found in read_sessions(path, Given(), wall_ns()).sessions if name == "one"]
    again = manager.start_live(config, "one")
    until(lambda: values(again) == {"every": 3, "size": 0.2})


def test_a_reload_shows_the_difference_and_a_dry_run_changes_nothing(
    manager: EngineManager, ask: Ask
) -> None:
    runner = manager.start_live(ask("dry"))
    report = runner.reload("size=0.25", "risk.max_daily_loss=100", "stop_loss=3%", dry_run=True)
    told = {(row.kind, row.name): (row.before, row.after) for row in report.changes}
    assert told[("params", "size")] == (0.5, 0.25)
    assert told[("protection", "stop_loss")] == ("", "3%")
    assert told[("risk", "max_daily_loss")][0] is None
    assert not report.applied
    assert values(runner)["size"] == 0.5
    assert runner.reload("size=0.5").changes == []
    for wrong in (
        "size=2",
        "speed=1",
        "risk.max_daily_los=1",
        "size",
        "risk.strategies={nobody: {max_drawdown_pct: 0.1}}",
        "stop_loss=-4%",
    ):
        with pytest.raises(LannerError):
            runner.reload("every=9", wrong)
    assert values(runner) == {"every": 5, "size": 0.5}
    assert runner.ask(lambda session: session.reload.stats.error_count) == 6


def test_limits_that_are_added_while_it_runs_are_kept(manager: EngineManager, ask: Ask) -> None:
    runner = manager.start_live(ask("limits", "holds"))
    until(lambda: runner.get_stats().orders_filled == 1)
    assert runner.ask(lambda session: session.engine.risk) is None
    runner.reload("risk.max_order_value=50")
    denied = runner.submit_order("buy", "0.01", "30000")
    assert denied["status"] == "rejected"
    assert runner.reload("risk.max_order_value=null").applied
    assert runner.submit_order("buy", "0.001", "30000")["status"] != "rejected"
    runner.reload("risk.kill_switch_threshold=0.01")
    runner.submit_order("sell", "0.002")  # its fee alone is more than that
    until(lambda: runner.ask(lambda session: session.engine.execution.gate.state.name) == "HALTED")
    manager.stop_live("limits")
    _plan, _engine, found = replay_session(runner.folder)
    assert found.faithful, found.differences


def test_what_a_restart_could_not_know_of_is_not_changed(manager: EngineManager, ask: Ask) -> None:
    runner = manager.start_live(ask("unkept"))
    (runner.folder / "reloaded.json").mkdir()
    with pytest.raises(LannerError, match="nothing was changed") as raised:
        runner.reload("size=0.3")
    assert str(runner.folder) in str(raised.value)
    assert values(runner)["size"] == 0.5
    (runner.folder / "reloaded.json").rmdir()
    assert runner.reload("size=0.3").applied
    assert values(runner)["size"] == 0.3


def test_parameters_that_are_used_up_at_the_start_need_the_hook(
    manager: EngineManager, ask: Ask, tmp_path: Path
) -> None:
    (tmp_path / "hooked.py").write_text(HOOKED)
    (tmp_path / "plain.py").write_text(
        HOOKED.replace("def on_params", "def other").replace("Hooked", "Plain")
    )
    hooked = manager.start_live({**ask("hooked"), "strategy_type": str(tmp_path / "hooked.py")})
    plain = manager.start_live({**ask("plain"), "strategy_type": str(tmp_path / "plain.py")})
    with pytest.raises(ConfigError, match="when it starts"):
        plain.reload("length=7")
    assert plain.reload("low=3", "size=0.2").applied  # read in handlers and in check_params only

    assert hooked.reload("length=7", "size=0.2").applied
    seen = hooked.ask(lambda session: vars(session.engine.desks["Hooked"].strategy)["seen"])
    assert seen == [{"length": 5, "size": 0.1}]
    with pytest.raises(ConfigError, match="low must not be above"):
        hooked.reload("low=50")
    with pytest.raises(LannerError, match="not 13"):
        hooked.reload("risk.max_open_orders=3", "size=0.9", "length=13")
    assert values(hooked) == {"length": 7, "size": 0.2, "low": 1}
    assert hooked.ask(lambda session: session.engine.execution.limits.max_open_orders) == 200
    assert hooked.is_active
    manager.stop_live("hooked")
    _plan, engine, found = replay_session(hooked.folder)
    assert found.faithful, found.differences
    assert engine.desks["Hooked"].strategy.values() == {"length": 7, "size": 0.2, "low": 1}
    assert len(vars(engine.desks["Hooked"].strategy)["window"]) == 7


def test_a_file_of_parameters_is_understood_and_its_bounds_are_kept(
    manager: EngineManager, ask: Ask, tmp_path: Path
) -> None:
    path = tmp_path / "params.json"
    runner = manager.start_live(ask("seed", reload={"file": str(path)}))

    def write(size: Any, risk: dict[str, Any] | None = None, **bounds: Any) -> None:
        params = {"size": {"value": size, "description": "fraction of equity", **bounds}}
        path.write_text(json.dumps({"strategy": "Flip", "version": 1, "params": params, "risk": risk or {}}))

    write(
        0.3, {"stop_loss_pct": 0.02, "take_profit_pct": 0.05, "max_position_size": 100_000}, min=0.1, max=0.4
    )
    report = runner.reload()
    assert report.applied
    assert values(runner)["size"] == 0.3
    desk = runner.ask(lambda session: session.engine.desks["Flip"])
    assert (desk.strategy.stop_loss, desk.take_profit) == ("2%", "5%")
    until(lambda: any(one["tag"] == "stop" for one in runner.get_order_history()))
    kept = Path(report.backup)
    for wrong in ({"max": 0.2}, {"min": 0.5}, {"min": "x"}):
        write(0.35, **wrong)
        with pytest.raises(ConfigError):
            runner.reload()
    for risk in (
        {"stop_loss_pct": 1.5},
        {"stop_loss_pct": 0},
        {"take_profit_pct": -1},
        {"max_position_size": 0},
    ):
        write(0.35, risk)
        with pytest.raises(ConfigError):
            runner.reload()
    assert values(runner)["size"] == 0.3
    path.write_bytes(kept.read_bytes())  # a backup is such a file itself
    assert runner.reload().applied
    assert values(runner)["size"] == 0.5


def test_a_session_that_was_reloaded_is_continued_with_what_it_had(
    manager: EngineManager, market: Market, flip: Path, tmp_path: Path
) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(settings(market, flip)))
    runner = manager.start_live(config_of(path), "again")
    path.write_text(json.dumps(settings(market, flip, params={"size": 0.2})))
    assert runner.reload().applied
    before = runner.get_stats().orders_filled
    until(lambda: runner.get_stats().orders_filled > before)
    manager.stop_live("again")
    path.write_text(json.dumps(settings(market, flip, params={"size": 0.3, "every": 3})))  # while it is down
    runner = manager.start_live(
        SessionConfig(**{**config_of(path).to_plain(), "params": {"size": 0.3, "every": 3}}), "again"
    )
    until(lambda: values(runner) == {"size": 0.3, "every": 3})
    manager.stop_live("again")
    _plan, _engine, found = replay_session(runner.folder)
    assert found.faithful, found.differences
    controls = [one.message for one in read_journal(runner.folder / "journal") if one.kind is Kind.CONTROL]
    told = [one.details["values"] for one in controls if isinstance(one, Control) and one.action == "params"]
    assert told == [{"size": 0.2}, {"every": 3, "size": 0.3}]


def test_reloads_from_several_threads_come_one_after_the_other(manager: EngineManager, ask: Ask) -> None:
    runner = manager.start_live(ask("many"))
    threads = [threading.Thread(target=runner.reload, args=(f"every={number}",)) for number in (6, 7, 8, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert runner.ask(lambda session: session.reload.stats.reload_count) == 4
    assert values(runner)["every"] in (6, 7, 8, 9)
