"""Sessions that end, or break off, and are taken up again from their checkpoints; against the simulator."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lanner.core.bus import MessageBus
from lanner.live import checkpointing
from lanner.live.build import make_plan
from lanner.live.config import JournalConfig, RecoveryConfig, SessionConfig
from lanner.live.connect import Where, connect, load_instruments
from lanner.live.replaying import replay_session
from lanner.live.session import Session
from lanner.live.status import state_of_session
from lanner.simulator.config import ServeConfig
from lanner.simulator.server import VenueServer
from tests.integration.live.conftest import STRATEGY
from tests.integration.live.stage import Stage, on_stage

NAME = "BTC-USDT.BINANCE"
OFTEN = RecoveryConfig(reconcile_s=10.0, max_checkpoints=3)


@pytest.fixture
def strategy(tmp_path: Path) -> Path:
    path = tmp_path / "flip.py"
    path.write_text(STRATEGY)
    return path


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_a_session_goes_on_from_its_checkpoint_and_its_replay_is_the_same(
    tmp_path: Path, strategy: Path, mode: str
) -> None:
    async def play(stage: Stage) -> None:
        plan = await stage.plan(strategy, [NAME], mode, recovery=OFTEN)
        first = await stage.trade(plan, "s1", 30.0)
        assert first.checkpoints.stats.saved > 2
        assert first.checkpoints.stats.problem == ""
        assert len(list((first.folder / "checkpoints").iterdir())) == 3
        second = await stage.trade(plan, "s1", 20.0)
        assert second.recovered is not None
        assert second.recovered.how == "checkpoint"
        assert second.recovered.records < 20
        assert len(second.engine.execution.fills) > len(first.engine.execution.fills) > 0
        _, engine, found = replay_session(second.folder)
        assert found.differences == []
        assert engine.hash.hexdigest() == second.engine.hash.hexdigest()
        assert found.inputs == second.heart.inputs

    on_stage(tmp_path, "binance-spot", play)


def test_a_session_that_broke_off_plays_only_what_came_after_its_checkpoint(
    tmp_path: Path, strategy: Path
) -> None:
    sessions: list[Session] = []

    async def break_down() -> None:
        await asyncio.sleep(35)
        raise RuntimeError("a fault of the house")

    async def crash(session: Session) -> None:
        sessions.append(session)
        session.spawn(break_down())

    async def play(stage: Stage) -> None:
        plan = await stage.plan(
            strategy, [NAME], recovery=OFTEN, journal=JournalConfig(sync="none", checkpoint_s=8)
        )
        with pytest.raises(RuntimeError, match="a fault of the house"):
            await stage.trade(plan, "s1", 40.0, crash)
        [first] = sessions
        second = await stage.trade(plan, "s1", 20.0)
        assert second.recovered is not None
        assert second.recovered.how == "checkpoint"
        assert 0 < second.recovered.records < first.heart.inputs / 2
        assert "checkpoint" in second.recovered.in_words()
        _, engine, found = replay_session(second.folder)
        assert found.differences == []
        assert engine.hash.hexdigest() == second.engine.hash.hexdigest()

    on_stage(tmp_path, "binance-spot", play)


def test_a_venue_that_cannot_be_compared_with_at_the_start_leaves_the_state_and_lets_nobody_trade(
    tmp_path: Path, strategy: Path
) -> None:
    alarms: list[str] = []

    async def play(stage: Stage) -> None:
        plan = await stage.plan(strategy, [NAME], recovery=OFTEN)
        first = await stage.trade(plan, "s1", 20.0)
        orders = len(first.engine.execution.orders)
        assert orders > 0
        bus = MessageBus()
        bus.subscribe("execution_engine.sync_failed", lambda _topic, reason: alarms.append(reason))
        stage.venue.faults.add("server-error", {"path": "/api/v3/openOrders"}, stage.venue.now_ns())

        async def look(session: Session) -> None:
            assert alarms
            state = state_of_session(session)
            assert state["sync_failed"] == alarms[0]
            assert (state["trading"], state["paused"]) == ("REDUCING", True)
            assert state["orders"] == orders
            await asyncio.sleep(3.0)
            assert state_of_session(session)["orders"] == orders
            stage.venue.faults.remove()
            await stage.until(lambda: not session.engine.paused)
            state = state_of_session(session)
            assert (state["sync_failed"], state["trading"]) == ("", "ACTIVE")

        second = await stage.trade(plan, "s1", 20.0, look, bus)
        assert len(second.engine.execution.orders) > orders
        assert replay_session(second.folder)[2].differences == []

    on_stage(tmp_path, "binance-spot", play)


def test_a_pause_by_a_person_outlives_that_of_a_failed_comparison_and_that_one_no_restart(
    tmp_path: Path, strategy: Path
) -> None:
    async def play(stage: Stage) -> None:
        plan = await stage.plan(strategy, [NAME], recovery=OFTEN)
        first = await stage.trade(plan, "s1", 20.0)
        orders = len(first.engine.execution.orders)
        away = {"path": "/api/v3/openOrders"}

        async def pause(session: Session) -> None:
            session.pause("by hand")
            stage.venue.faults.remove()
            await stage.until(lambda: not session.venues.sync_failed)  # type: ignore[union-attr]
            assert state_of_session(session)["paused"]
            session.resume("by hand")
            assert not state_of_session(session)["paused"]
            stage.venue.faults.add("server-error", away, stage.venue.now_ns())
            await session.venues.reconcile("start")  # type: ignore[union-attr]
            session.resume("by hand, too early")
            assert state_of_session(session)["paused"]
            stage.venue.faults.remove()

        stage.venue.faults.add("server-error", away, stage.venue.now_ns())
        second = await stage.trade(plan, "s1", 0.5, pause)
        assert second.engine.paused
        third = await stage.trade(plan, "s1", 20.0)
        assert not third.engine.paused
        assert len(third.engine.execution.orders) > orders
        assert replay_session(third.folder)[2].differences == []

    on_stage(tmp_path, "binance-spot", play)


def test_a_large_state_is_written_by_a_copy_of_the_process(
    tmp_path: Path, strategy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpointing, "SMALL", 0)
    monkeypatch.setattr(checkpointing, "AFTER_TRADE_S", 0.1)

    async def play() -> None:
        venue = VenueServer(ServeConfig(dialects=["binance-spot"], seed=7, rate=400.0, history_s=0.0))
        ready = await venue.start()
        where = Where({"": ready["dialects"]["binance-spot"]["http"]})
        config = SessionConfig(
            strategy=str(strategy),
            instruments=[NAME],
            url=dict(where.urls),
            journal=JournalConfig(checkpoint_s=0.2),
        )
        async with connect("binance-spot", where) as link:
            plan = make_plan(config, await load_instruments(link))
        for taken_up in (False, True):
            session = Session(plan, "s1", tmp_path / "s1", where)
            life = asyncio.create_task(session.run())
            async with asyncio.timeout(60):
                while session.checkpoints.stats.saved < 2 and not life.done():
                    await asyncio.sleep(0.02)
            session.stop()
            await life
            assert session.checkpoints.stats.problem == ""
            if taken_up:
                assert session.recovered is not None
                assert (session.recovered.how, session.recovered.problems) == ("checkpoint", [])
            files = sorted((tmp_path / "s1" / "checkpoints").iterdir())
            files[-1].unlink()  # the last one was written by the session itself at its end
        await venue.stop()

    asyncio.run(play())
    assert replay_session(tmp_path / "s1")[2].differences == []
