"""What happens in a session, and which alerts come of it: in virtual time, and once with real processes."""

from __future__ import annotations

import asyncio
import io
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from lanner.cli.main import main
from lanner.cli.render.status import status_view
from lanner.core.errors import RiskRefusedError
from lanner.live.alerting import SessionAlerts, WatchdogAlerts, attach_alerts, open_log
from lanner.live.alerting.lookout import Lookout
from lanner.live.config import RecoveryConfig, SessionConfig
from lanner.live.killswitch import KillReport
from lanner.live.reality import RealVenues
from lanner.live.session import Session
from lanner.live.status import status_of_session
from lanner.model.accounts import VenueOrder
from lanner.model.enums import OrderStatus, OrderType, Side
from lanner.risk.gate import TradingState
from lanner.telemetry import AlertLevel
from lanner.telemetry.log import read_log
from lanner.venues.codec import Notice, NoticeKind
from tests.integration.live.conftest import STRATEGY, Lanner, Venue
from tests.integration.live.stage import Stage, on_stage
from tests.unit.telemetry.conftest import Shelf
from tests.unit.telemetry.servers import Hook, hook_server, until
from tests.waiting import PATIENCE_S

BTC = "BTC-USDT.BINANCE"
RAISES = """
import lanner as ln


class Raises(ln.Strategy):
    def on_start(self):
        self.n = 0

    def on_quote(self, quote):
        self.n += 1
        if self.n == 20:
            raise ValueError("the strategy has a mistake")
"""
HOLDS = """
import lanner as ln


class Holds(ln.Strategy):
    def on_start(self):
        self.n = 0

    def on_quote(self, quote):
        self.n += 1
        if self.n == 5:
            self.target(0.5, stop="0.01%")
            self.log("the order is out")
"""
ASKS_TOO_MUCH = """
import lanner as ln


class Asks(ln.Strategy):
    def on_start(self):
        self.n = 0

    def on_quote(self, quote):
        self.n += 1
        if self.n % 5 == 0:
            self.buy(999)
"""


SPEAKS = """
import lanner as ln


class Speaks(ln.Strategy):
    def on_start(self):
        self.n = 0

    def on_quote(self, quote):
        self.n += 1
        if self.n == 10:
            self.alert("10 quotes", "warning")
"""


class Ear:
    """A session's alerts with a channel that remembers; ``channels`` and other settings as in ``alerts:``."""

    def __init__(self, **settings: Any) -> None:
        off = {"console": {"enabled": False}, "log": {"enabled": False}}
        self.settings = {"throttle_window_ms": 0, **settings, "channels": off}
        self.shelf = Shelf()
        self.handle: SessionAlerts | None = None

    def attach(self, session: Session) -> None:
        """Listen to a session."""
        config = session.plan.config
        log = open_log(session.folder, config)
        self.handle = attach_alerts(session, config, log=log)
        self.handle.manager.add_channel(self.shelf)

    def told(self) -> list[tuple[str, str, str]]:
        """Close, and return level, category and title of each alert in the order of its time."""
        assert self.handle is not None
        assert self.handle.close()
        kept = sorted(self.shelf.kept, key=lambda alert: alert.timestamp)
        return [(alert.level.word, alert.category.value, alert.title) for alert in kept]

    @property
    def titles(self) -> list[str]:
        """Return what was told so far."""
        assert self.handle is not None
        return [alert.title for alert in self.handle.manager.get_recent_alerts(1000)]

    def message(self, title: str) -> str:
        """Return what one alert said."""
        return next(alert.message for alert in self.shelf.kept if title in alert.title)


def play_session(
    folder: Path,
    code: str,
    ear: Ear,
    seconds: float = 20.0,
    act: Any = None,
    mode: str = "paper",
    **more: Any,
) -> None:
    """Run a session with an ear for some virtual seconds."""
    strategy = folder / "strategy.py"
    strategy.write_text(code)

    async def play(stage: Stage) -> None:
        plan = await stage.plan(strategy, [BTC], mode, alerts=ear.settings, **more)

        async def acting(session: Session) -> None:
            if act is not None:
                await act(stage, session)

        try:
            await stage.trade(plan, "s1", seconds, acting, attach=ear.attach)
        except Exception:
            if ear.handle is None or ear.handle._session.fault is None:
                raise

    on_stage(folder, "binance-spot", play)


def test_start_and_end_are_told(tmp_path: Path) -> None:
    ear = Ear()
    play_session(tmp_path, STRATEGY, ear)
    told = ear.told()
    assert ("info", "strategy_started", "Session s1 was started") in told
    assert ear.message("was started") == f"paper: Flip on {BTC}"
    assert told[-1] == ("info", "strategy_stopped", "Session s1 ended")
    assert ("info", "system_connected", "Connected: market-1") in told
    assert not [one for one in told if one[0] not in ("info",)]


def test_the_kill_switch_wakes_people_up(tmp_path: Path) -> None:
    ear = Ear()

    async def act(_stage: Stage, session: Session) -> None:
        await asyncio.sleep(5.0)
        await session.kill("drill")

    play_session(tmp_path, STRATEGY, ear, 3.0, act, "live")
    told = ear.told()
    assert ("emergency", "risk_kill_switch", "Kill switch") in told
    assert ear.message("Kill switch") == "drill"
    assert ("critical", "risk_kill_switch", "Trading is HALTED") in told
    assert ("critical", "risk_kill_switch", "Kill switch: flat") in told


def test_a_strategy_that_fails_is_told_as_such(tmp_path: Path) -> None:
    ear = Ear()
    play_session(tmp_path, RAISES, ear)
    told = ear.told()
    assert ("critical", "strategy_error", "A strategy failed; the session ends") in told
    assert "the strategy has a mistake" in ear.message("A strategy failed")
    assert told[-1] == ("warning", "strategy_stopped", "Session s1 ended")


def test_denied_orders_are_told_once_in_a_window(tmp_path: Path) -> None:
    ear = Ear(throttle_window_ms=3_600_000)
    play_session(tmp_path, ASKS_TOO_MUCH, ear, risk={"max_order_value": 1000})
    told = [one for one in ear.told() if one[0] == "warning"]
    assert told == [("warning", "risk_position_exceeded", "An order of Asks was denied")]
    assert ear.handle is not None
    assert ear.handle.manager.get_stats()["throttled"] > 0


def test_an_order_that_the_venue_rejects_is_told(tmp_path: Path) -> None:
    ear = Ear()
    play_session(tmp_path, ASKS_TOO_MUCH, ear, mode="live")
    assert ("warning", "trade_failed", "The venue rejected an order of Asks") in ear.told()


def test_a_stop_is_told_and_fills_only_where_they_are_wanted(tmp_path: Path) -> None:
    ear = Ear()
    play_session(tmp_path, HOLDS, ear, 60.0)
    told = ear.told()
    assert ("warning", "trade_stop_loss", f"Stop on {BTC}") in told
    assert not [one for one in told if one[1] == "trade_executed"]
    log = list(read_log(tmp_path / "s1" / "session.log"))
    assert "order.filled" in [line["event"] for line in log]
    ear = Ear(fills=True)
    (tmp_path / "b").mkdir()
    play_session(tmp_path / "b", STRATEGY, ear)
    assert ("info", "trade_executed", f"Filled on {BTC}") in ear.told()


def test_lost_connections_and_silent_feeds_are_told_when_they_begin_and_when_they_are_over(
    tmp_path: Path,
) -> None:
    ear = Ear(stale_feed_s=2.0, max_alerts_per_hour=0)

    async def act(stage: Stage, _session: Session) -> None:
        await asyncio.sleep(3.0)
        stage.venue.faults.add("stall", {"kind": "market", "for": "6", "count": "1"}, stage.venue.now_ns())
        await asyncio.sleep(12.0)
        stage.venue.faults.add("close", {"kind": "market", "count": "1"}, stage.venue.now_ns())
        await asyncio.sleep(5.0)

    play_session(tmp_path, STRATEGY, ear, 3.0, act)
    told = ear.told()
    titles = [title for _, _, title in told]
    assert f"No data of {BTC}" in titles
    assert f"Data of {BTC} come again" in titles
    assert ("warning", "system_disconnected", "Connection lost: market-1") in told
    assert titles.count("Connected: market-1") >= 2


def test_an_order_without_an_answer_is_told_and_its_end_too(tmp_path: Path) -> None:
    ear = Ear(unknown_order_s=2.0)
    recovery = RecoveryConfig(reconcile_s=600, believe_absence_s=30.0)

    async def act(stage: Stage, session: Session) -> None:
        stage.venue.faults.add("lose-request", {"kind": "order"}, stage.venue.now_ns())
        await stage.until(lambda: any("UNKNOWN" in one for one in ear.titles), 90.0)
        stage.venue.faults.remove()
        await stage.until(lambda: any("known again" in one for one in ear.titles), 120.0)

    play_session(tmp_path, STRATEGY, ear, 1.0, act, "live", recovery=recovery)
    [unknown] = [one for one in ear.told() if "is UNKNOWN" in one[2]][:1]
    assert unknown[:2] == ("critical", "trade_failed")
    assert "quarantine" in ear.message("is UNKNOWN")


def test_trading_states_losses_and_pauses_are_told(tmp_path: Path) -> None:
    ear = Ear(daily_loss=0.0000001, drawdown=0.0000001)

    async def act(_stage: Stage, session: Session) -> None:
        await asyncio.sleep(10.0)
        session.set_state(TradingState.REDUCING, "a wish")
        await asyncio.sleep(2.0)
        session.set_state(TradingState.ACTIVE, "enough")
        await asyncio.sleep(2.0)
        session.pause("lunch")
        session.resume("back")

    play_session(tmp_path, STRATEGY, ear, 2.0, act)
    told = ear.told()
    assert ("critical", "system_disconnected", "Trading is REDUCING") in told
    assert ("info", "system_connected", "Trading is ACTIVE again") in told
    assert ("warning", "strategy_stopped", "The strategies are paused") in told
    assert {"risk_daily_loss", "risk_drawdown"} <= {category for _, category, _ in told}


def test_own_words_on_the_bus_and_those_of_a_strategy_become_alerts(tmp_path: Path) -> None:
    ear = Ear()

    async def act(_stage: Stage, session: Session) -> None:
        session.bus.publish("alert.critical", "look at the moon\nit is blue")
        await asyncio.sleep(3.0)

    play_session(tmp_path, SPEAKS, ear, 3.0, act)
    told = ear.told()
    assert ("critical", "strategy_signal", "look at the moon") in told
    assert ear.message("moon") == "it is blue"
    assert ("warning", "strategy_signal", "Speaks: 10 quotes") in told


def test_a_level_that_is_none_is_told_with_the_strategys_line(tmp_path: Path) -> None:
    ear = Ear()
    play_session(tmp_path, SPEAKS.replace('"warning"', '"loud"'), ear)
    ear.told()
    assert "self.alert(…) was given no level" in ear.message("A strategy failed")


def test_clocks_memory_and_a_slow_loop_are_told_when_they_begin_and_when_they_are_over(
    tmp_path: Path,
) -> None:
    ear = Ear(clock_offset_ms=200.0, memory_mb=1.0)

    async def act(stage: Stage, session: Session) -> None:
        await stage.until(lambda: session.health.offset_ms)
        honest = dict(session.health.offset_ms)
        session.health.offset_ms.update(dict.fromkeys(honest, 4000.0))
        await asyncio.sleep(2.0)
        session.health.offset_ms.update(honest)
        await asyncio.sleep(2.0)
        lookout = Lookout(session, session.plan.config.alerts)
        late = [fact.key for fact in lookout.look(session.now(), 1.5)]
        assert "lag" in late
        assert "lag" not in [fact.key for fact in lookout.look(session.now(), 1.4)]

    play_session(tmp_path, STRATEGY, ear, 1.0, act)
    told = ear.told()
    assert told.count(("warning", "system_performance", "Clock offset")) == 1
    assert ("info", "system_performance", "The clock of binance-spot is near ours again") in told
    assert told.count(("warning", "system_memory", "Much memory is used")) == 1


def test_what_keeps_a_session_from_running_is_told(tmp_path: Path) -> None:
    ear = Ear()

    async def act(_stage: Stage, _session: Session) -> None:
        assert ear.handle is not None
        assert await ear.handle.aclose(RiskRefusedError("the latch is set"))

    play_session(tmp_path, STRATEGY, ear, 1.0, act)
    assert ("critical", "system_error", "Session s1 could not go on") in ear.told()
    assert ear.message("could not go on") == "the latch is set"


def test_orders_that_are_not_ours_are_told_and_liquidations_wake_people_up(tmp_path: Path) -> None:
    ear = Ear(throttle_window_ms=60_000)
    other = VenueOrder(BTC, "", "x", "77", Side.BUY, OrderType.LIMIT, 5, 0, OrderStatus.ACCEPTED)
    forced = replace(other, venue_order_id="78", status=OrderStatus.FILLED, reason="liquidation")
    more = replace(other, venue_order_id="79")
    elsewhere = replace(other, venue_order_id="80", instrument_id="ETH-USDT.BINANCE")

    async def act(_stage: Stage, session: Session) -> None:
        assert isinstance(session.venues, RealVenues)
        for one in (other, forced, more, elsewhere):
            session.venues._account(one)
        session.bus.publish("exchange.notice", Notice(NoticeKind.OTHER, "liquidation of 5 USDC", 0))
        session.bus.publish("exchange.notice", Notice(NoticeKind.OTHER, "hello", 0))

    play_session(tmp_path, STRATEGY, ear, 1.0, act, "live")
    told = ear.told()
    foreign = ("warning", "trade_executed", "An order that is not ours")
    assert told.count(foreign) == 1  # once a minute, and only on the session's own instruments
    liquidations = [one for one in told if one[1] == "trade_liquidation"]
    assert [level for level, _, _ in liquidations] == ["emergency", "emergency"]


def test_a_session_that_goes_on_does_not_tell_its_past_again(tmp_path: Path) -> None:
    strategy = tmp_path / "strategy.py"
    strategy.write_text(ASKS_TOO_MUCH)
    first, second = Ear(), Ear()

    async def play(stage: Stage) -> None:
        plan = await stage.plan(
            strategy, [BTC], "paper", alerts=first.settings, risk={"max_order_value": 1000}
        )
        await stage.trade(plan, "s1", 10.0, attach=first.attach)
        strategy.write_text(ASKS_TOO_MUCH)
        await stage.trade(plan, "s1", 0.01, attach=second.attach)

    on_stage(tmp_path, "binance-spot", play)
    assert len([one for one in first.told() if "was denied" in one[2]]) > 3
    again = second.told()
    assert "Session s1 was continued" in [title for _, _, title in again]
    assert not [one for one in again if "was denied" in one[2]]


def test_alerts_that_are_switched_off_leave_only_the_log(tmp_path: Path) -> None:
    ear = Ear(enabled=False)
    play_session(tmp_path, STRATEGY, ear, 2.0)
    assert ear.told() == []
    events = [line["event"] for line in read_log(tmp_path / "s1" / "session.log")]
    assert "lookout.started" in events
    assert events[-1] == "system.shutdown"


def test_the_status_of_a_session_shows_channels_that_fail(tmp_path: Path) -> None:
    ear = Ear()
    ear.shelf = Shelf(faults=1_000, lasting=True)
    seen: list[dict[str, Any]] = []

    async def act(_stage: Stage, session: Session) -> None:
        await asyncio.sleep(2.0)
        assert ear.handle is not None
        assert ear.handle.manager.flush(20)
        seen.append(status_of_session(session))

    play_session(tmp_path, STRATEGY, ear, 1.0, act)
    ear.told()
    [status] = seen
    assert status["alerts"]["channels"]["shelf"]["failed"] >= 1
    page = Console(file=io.StringIO(), width=200)
    page.print(status_view(json.loads(json.dumps(status, default=str))))
    assert "alerts by shelf" in page.file.getvalue()  # type: ignore[attr-defined]
    assert "no room" in page.file.getvalue()  # type: ignore[attr-defined]


def test_a_channel_that_hangs_changes_nothing_of_what_the_session_does(tmp_path: Path) -> None:
    hashes = []
    for name, stuck in (("a", False), ("b", True)):
        folder = tmp_path / name
        folder.mkdir()
        ear = Ear(fills=True)
        if stuck:
            ear.shelf.gate.clear()

        async def act(_stage: Stage, session: Session) -> None:
            await asyncio.sleep(15.0)
            hashes.append((session.engine.hash.hexdigest(), session.heart.inputs))

        play_session(folder, STRATEGY, ear, 1.0, act)
        assert ear.handle is not None
        ear.handle.manager.close(0.05)
        ear.shelf.gate.set()
    assert hashes[0] == hashes[1]


def test_a_watchdog_speaks_with_the_channels_whose_secrets_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = SessionConfig.model_validate(
        {
            "strategy": "x",
            "instruments": ["BTC-USDT@binance"],
            "alerts": {
                "channels": {
                    "ops": {"type": "webhook", "url": "http://127.0.0.1:1/first"},
                    "other": {"type": "webhook", "url": "env:NOT_THERE"},
                }
            },
        }
    )
    kept = SessionConfig.model_validate(config.to_plain()).alerts
    with hook_server() as hook:
        monkeypatch.setenv("LANNER_ALERTS__CHANNELS__OPS__URL", f"{hook.url}/x")
        alerts = WatchdogAlerts(tmp_path, kept)
        assert ["other" in one for one in alerts.problems] == [True]
        alerts.tripped("the session's process is gone")
        alerts.ended(KillReport("x", 0, left=["1 lots at the venue"]))
        alerts.close()
        assert [(body["level"], body["title"]) for body in hook.bodies] == [
            ("emergency", f"Watchdog ends session {tmp_path.name}"),
            ("emergency", "Kill switch: NOT FLAT"),
        ]


@pytest.mark.timeout(180)
def test_a_paper_session_tells_its_start_and_its_kill_switch_to_a_webhook(
    lanner: Lanner,
    venue: Venue,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    secret = "averylongandsecretpath"
    (tmp_path / "talks.py").write_text(STRATEGY.replace("self.n = 0", "self.n = 0; self.log('hello')"))
    settings = tmp_path / "session.yaml"
    with hook_server() as hook:
        settings.write_text(
            f"strategy: talks.py\ninstruments: [BTC-USDT@binance]\n"
            f"alerts:\n  channels:\n    ops: {{type: webhook, min_level: info, url: '{hook.url}/{secret}'}}\n"
        )
        process = lanner.start("paper", str(settings), "--url", venue.url, "--session", "a1")
        until(lambda: _has(hook, "was started"), PATIENCE_S)
        lanner.run("kill", "a1", "--reason", "drill")
        until(lambda: _has(hook, "Kill switch: flat"), PATIENCE_S)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, out + err
        assert _has(hook, "ended")
    assert "[!!!]" in err
    monkeypatch.setenv("LANNER_HOME", str(lanner.home))
    assert main(["alerts", "show", "a1", "--level", "critical", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["alerts"]
    assert [alert["title"] for alert in shown if alert["level"] == "emergency"] == ["Kill switch"]
    assert {alert["level"] for alert in shown} == {"critical", "emergency"}
    assert main(["alerts", "show", "a1"]) == 0
    text = capsys.readouterr().out
    assert "Session a1 was started" in text
    written = b"".join(path.read_bytes() for path in lanner.home.rglob("*") if path.is_file())
    assert secret.encode() not in written + (out + err + text).encode()
    log = read_log(lanner.home / "sessions" / "a1" / "session.log")
    assert [line["strategy"] for line in log if line["message"] == "hello"] == ["Flip"]


def _has(hook: Hook, title: str) -> bool:
    return any(title in body["title"] for body in hook.bodies)


def test_channels_are_tried_and_say_what_each_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LANNER_HOME", str(tmp_path / "home"))
    settings = tmp_path / "session.yaml"
    with hook_server() as hook:
        settings.write_text(
            f"alerts:\n  channels:\n    good: {{type: webhook, url: '{hook.url}/averylongandsecretpath'}}\n"
            "    bad: {type: webhook, url: 'env:NOT_THERE'}\n"
        )
        assert main(["alerts", "test", str(settings), "--channel", "good", "--json"]) == 0
        [answer] = json.loads(capsys.readouterr().out)["channels"]
        assert (answer["channel"], answer["where"], answer["ok"]) == ("good", hook.url, True)
        assert hook.bodies[0]["title"] == "Test alert"
        hook.usual = 500
        assert main(["alerts", "test", str(settings)]) == 1
        text = capsys.readouterr()
        assert f"FAILED: {hook.url} answered 500" in text.out
        assert "NOT_THERE is not set" in text.out
        assert "[I]" in text.err
        assert "averylong" not in text.out + text.err
        assert main(["alerts", "test", str(settings), "--channel", "none"]) == 2
        monkeypatch.setenv("LANNER_ALERTS__CHANNELS__BAD__URL", hook.url)
        hook.usual = 200
        assert main(["alerts", "test", str(settings), "--channel", "bad", "--quiet"]) == 0
    assert main(["alerts", "show", "nosuch"]) == 2


def test_the_level_of_the_log_is_a_setting(tmp_path: Path) -> None:
    config = SessionConfig.model_validate(
        {"strategy": "x", "instruments": ["BTC-USDT@binance"], "log": {"level": "warning"}}
    )
    log = open_log(tmp_path, config)
    assert log is not None
    log.write(AlertLevel.INFO, "small")
    log.write(AlertLevel.WARNING, "big")
    log.close()
    assert [line["event"] for line in read_log(tmp_path / "session.log")] == ["big"]
    off = config.model_copy(update={"log": config.log.model_copy(update={"enabled": False})})
    assert open_log(tmp_path, off) is None
