"""Sessions with their ledger: trading goes on whatever becomes of the database, and afterwards no row is missing."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lanner.core.errors import StrategyError
from lanner.live.config import LedgerConfig
from lanner.live.ledger import LedgerHandle, attach_ledger
from lanner.live.replaying import replay_session
from lanner.live.session import Session
from lanner.live.status import status_of_session
from lanner.storage.ledger.reading import LedgerView
from lanner.storage.ledger.rebuild import rebuild
from lanner.storage.ledger.store import Ledger
from lanner.storage.ledger.writer import LedgerState
from tests.integration.live.conftest import STRATEGY
from tests.integration.live.stage import Stage, on_stage
from tests.postgres import Postgres, postgres_server

BTC = "BTC-USDT.BINANCE"
DENIED = STRATEGY.replace(
    "self.target(0.5", "self.buy(999) if self.n % 4 == 0 else None\n            self.target(0.5"
)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """Run a server for the tests of this module."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def flip(tmp_path: Path) -> Path:
    """Write a strategy that trades often and sometimes asks for more than its limits allow."""
    path = tmp_path / "flip.py"
    path.write_text(DENIED)
    return path


def rows(url: str, session: str) -> dict[str, Any]:
    ledger = Ledger(url)
    view = LedgerView(ledger)
    found = {
        "session": view.session(session),
        "orders": view.orders(session),
        "fills": view.fills(session),
        "adjustments": view.adjustments(session),
        "equity": {point["ts"]: point["equity"] for point in view.equity(session)},
        "topics": [event["topic"] for event in view.events(session)],
    }
    ledger.close()
    return found


def from_journal(folder: Path, tmp_path: Path) -> dict[str, Any]:
    """Return the rows that a session's journal leads to, in a ledger of their own."""
    url = f"sqlite:///{tmp_path}/from-journal.db"
    ledger = Ledger(url)
    rebuild(ledger, folder)
    ledger.close()
    return rows(url, folder.name)


def assert_the_same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found["orders"] == wanted["orders"]
    assert found["fills"] == wanted["fills"]
    assert found["adjustments"] == wanted["adjustments"]
    assert sorted(found["equity"]) == sorted(wanted["equity"])
    told = ("state", "reason", "capital", "started_ns", "ended_ns", "complete", "fees")
    assert {key: found["session"][key] for key in told} == {key: wanted["session"][key] for key in told}
    assert found["session"]["equity"] == pytest.approx(wanted["session"]["equity"])
    assert found["topics"] == wanted["topics"]


class Kept:
    """A session's ledger handle, and what was said about it on the bus."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.told: list[str] = []
        self.why: list[str] = []
        self.handle: LedgerHandle | None = None

    def attach(self, session: Session) -> None:
        session.bus.subscribe("ledger.*", self._hear)
        config = session.plan.config.ledger.model_copy(update={"flush_ms": 10, **self.settings})
        self.handle = attach_ledger(session, config)

    def _hear(self, topic: str, state: LedgerState) -> None:
        self.told.append(topic)
        self.why.append(state.error)

    def close(self) -> LedgerState:
        assert self.handle is not None
        return self.handle.close()

    async def until(self, holds: Callable[[], object], what: str) -> None:
        """Let the ledger's thread work in its own time while the session's stands still, until something holds."""
        end = time.monotonic() + 120
        while not holds():
            assert time.monotonic() < end, f"{what} does not come"
            time.sleep(0.02)
            await asyncio.sleep(0.001)


def test_a_paper_session_is_in_the_ledger_as_its_journal_has_it(tmp_path: Path, flip: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    kept = Kept(url=url, wait_s=60.0)

    async def play(stage: Stage) -> None:
        plan = await stage.plan(flip, [BTC], "paper", risk={"max_order_notional": "100000"})
        session = await stage.trade(plan, "paper1", 40.0, attach=kept.attach)
        state = kept.close()
        assert (state.complete, state.dropped) == (True, 0)
        found = rows(url, "paper1")
        assert len(found["fills"]) == len(session.engine.execution.fills) > 10
        assert len(found["orders"]) == len(session.engine.execution.orders)
        assert {order["strategy"] for order in found["orders"]} == {"Flip"}
        assert any(order["status"] == "DENIED" for order in found["orders"])
        assert found["session"]["equity"] == session.engine.portfolio.total_equity()
        assert len(found["equity"]) >= 5  # the start, one every ten seconds, the end
        assert found["topics"].count("control.start") == found["topics"].count("control.stop") == 1

    on_stage(tmp_path, "binance-spot", play)
    assert kept.told == [], kept.why
    assert_the_same(rows(url, "paper1"), from_journal(tmp_path / "paper1", tmp_path))
    assert replay_session(tmp_path / "paper1")[2].faithful  # the notes about orders disturb no replay


def test_the_database_stops_in_the_middle_and_trading_does_not_notice(
    tmp_path: Path, flip: Path, postgres: Postgres
) -> None:
    url = postgres.create("middle")
    kept = Kept(url=url, queue=20, wait_s=1.0)

    async def play(stage: Stage) -> None:
        plan = await stage.plan(flip, [BTC])

        async def act(session: Session) -> None:
            fills = session.engine.execution.fills
            await stage.until(lambda: len(fills) > 3)
            assert kept.handle is not None
            state = kept.handle.state
            await kept.until(lambda: state.written > 3, "the first row")
            postgres.stop()
            try:
                before = len(fills)
                await stage.until(lambda: len(fills) > before + 30)
                await kept.until(lambda: "ledger.down" in kept.told, "the alarm")
                assert status_of_session(session)["ledger"].startswith("down: ")
                assert state.dropped > 0
            finally:
                postgres.start()
            await kept.until(lambda: "ledger.up" in kept.told, "the all-clear")
            assert status_of_session(session)["ledger"] == "up"

        await stage.trade(plan, "middle", 5.0, act, attach=kept.attach)
        state = kept.close()
        assert state.complete
        assert state.caught_up > 0

    on_stage(tmp_path, "binance-spot", play)
    found = rows(url, "middle")
    assert {"ledger.down", "ledger.up", "system.connected"} <= set(found["topics"])
    assert_the_same(found, from_journal(tmp_path / "middle", tmp_path))
    assert replay_session(tmp_path / "middle")[2].faithful


def test_a_session_without_its_database_ends_in_time_and_is_rebuilt_later(tmp_path: Path, flip: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    Ledger(url).open().close()
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    kept = Kept(url=url, wait_s=0.2)

    async def play(stage: Stage) -> None:
        plan = await stage.plan(flip, [BTC], "paper")
        session = await stage.trade(plan, "alone", 20.0, attach=kept.attach)
        assert len(session.engine.execution.fills) > 5
        state = kept.close()
        assert not state.up
        assert "locked" in state.error

    on_stage(tmp_path, "binance-spot", play)
    other.execute("COMMIT")
    other.close()
    ledger = Ledger(url)
    told = rebuild(ledger, tmp_path / "alone")
    ledger.close()
    assert told.fills > 5
    found = rows(url, "alone")
    assert {"system.connected", "system.shutdown"} <= set(found["topics"])
    assert_the_same(found, from_journal(tmp_path / "alone", tmp_path))


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_a_session_that_is_continued_keeps_its_rows_and_makes_up_for_what_a_crash_left_out(
    tmp_path: Path, flip: Path, mode: str
) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    first, second = Kept(enabled=False), Kept(url=url)

    async def play(stage: Stage) -> None:
        plan = await stage.plan(flip, [BTC], mode)
        # as if it had been killed before the first row was written: the journal is all that is there
        session = await stage.trade(plan, "again", 10.0, attach=first.attach)
        first.close()
        before = len(session.engine.execution.fills)
        assert before > 3
        session = await stage.trade(plan, "again", 10.0, attach=second.attach)
        assert len(session.engine.execution.fills) > before + 3
        state = second.close()
        assert (state.complete, state.dropped) == (True, 0)

    on_stage(tmp_path, "binance-spot", play)
    found, wanted = rows(url, "again"), from_journal(tmp_path / "again", tmp_path)
    assert found["orders"] == wanted["orders"]
    assert found["fills"] == wanted["fills"]
    assert found["topics"].count("control.start") == 1
    assert replay_session(tmp_path / "again")[2].faithful


def test_each_of_several_strategies_has_its_orders_fills_and_equity(tmp_path: Path, flip: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    kept = Kept(url=url)
    two = [
        {"strategy": str(flip), "id": "fast", "allocation": 0.5},
        {"strategy": str(flip), "id": "slow", "allocation": 0.25, "params": {"every": 20}},
    ]

    async def play(stage: Stage) -> None:
        plan = await stage.plan(flip, [BTC], "paper", strategies=two)
        session = await stage.trade(plan, "both", 40.0, attach=kept.attach)
        assert kept.close().complete
        ledger = Ledger(url)
        view = LedgerView(ledger)
        row = view.session("both")
        assert row["capital"] == 7_500
        for name in ("fast", "slow"):
            own = [order for order in session.engine.execution.orders.values() if order.strategy_id == name]
            assert {order["order_id"] for order in view.orders("both", strategy=name)} == {
                order.order_id for order in own
            }
            assert view.equity("both", strategy=name)[-1]["equity"] == session.engine.portfolio.equity(name)
        assert view.equity("both")[0]["equity"] == 7_500.0
        ledger.close()

    on_stage(tmp_path, "binance-spot", play)
    found, wanted = rows(url, "both"), from_journal(tmp_path / "both", tmp_path)
    assert {order["strategy"] for order in found["orders"]} == {"fast", "slow"}
    assert_the_same(found, wanted)


def test_a_session_that_a_fault_ends_has_failed_and_says_why(tmp_path: Path, flip: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    flip.write_text(STRATEGY.replace("self.n += 1", "self.n += 1\n        assert self.n < 60, 'enough'"))
    kept = Kept(url=url)

    async def play(stage: Stage) -> None:
        plan = await stage.plan(flip, [BTC], "paper")
        with pytest.raises(StrategyError) as caught:
            await stage.trade(plan, "broken", 60.0, attach=kept.attach)
        assert kept.close().complete
        assert "enough" in caught.value.message()

    on_stage(tmp_path, "binance-spot", play)
    found = rows(url, "broken")
    assert found["session"]["state"] == "failed"
    assert "enough" in found["session"]["reason"]
    assert "system.fault" in found["topics"]
    assert len(found["fills"]) > 5
    assert_the_same(found, from_journal(tmp_path / "broken", tmp_path))


def test_the_password_of_the_ledger_is_in_no_file_of_the_session(tmp_path: Path, flip: Path) -> None:
    pytest.importorskip("psycopg")
    url = "postgresql://me:hush-hush@127.0.0.1:1/db"

    async def play(stage: Stage) -> None:
        plan = await stage.plan(flip, [BTC], "paper", ledger=LedgerConfig(url=url))
        assert "hush-hush" not in f"{plan.config!r} {plan.config.to_plain()}"
        kept = Kept()
        await stage.trade(plan, "quiet", 3.0, attach=kept.attach)
        assert not kept.close().up

    on_stage(tmp_path, "binance-spot", play)
    files = [path for path in (tmp_path / "quiet").rglob("*") if path.is_file()]
    assert len(files) > 1
    assert not [path for path in files if b"hush-hush" in path.read_bytes()]
