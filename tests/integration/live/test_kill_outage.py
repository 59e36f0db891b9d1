"""A kill switch while the venue cannot be asked: what was not taken back at first is taken back before it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lanner.live.aftermath import end_session
from lanner.live.kill_reports import done_in_words
from lanner.live.session import Session
from tests.integration.live.stage import Stage, on_stage
from tests.integration.live.test_foreign_orders import place
from tests.integration.live.test_watchdog import HOLDER

NAMES = {
    "binance-spot": ("BTC-USDT.BINANCE", "/api/v3/openOrders"),
    "hyperliquid": ("BTC-PERP.HYPERLIQUID", "/info"),
}


@pytest.fixture
def holder(tmp_path: Path) -> Path:
    path = tmp_path / "holder.py"
    path.write_text(HOLDER)
    return path


async def open_orders(stage: Stage, name: str) -> int:
    async with stage.reach() as link:
        working = await link.ask(link.codec.open_orders(name))
    return len(working)


@pytest.mark.parametrize("product", NAMES)
def test_orders_that_could_not_be_taken_back_at_first_are_taken_back_when_the_venue_answers(
    tmp_path: Path, holder: Path, product: str
) -> None:
    name, path = NAMES[product]

    async def kill(session: Session) -> None:
        await stage_of[0].until(lambda: any(o.is_open for o in session.engine.execution.orders.values()))
        stage = stage_of[0]
        async with stage.reach() as link:
            await place(link, name, "other-1")
        stage.venue.faults.add("server-error", {"path": path}, stage.venue.now_ns())
        stage.loop.create_task(mend(stage))
        report = await session.kill("a test")
        assert report.flat, report
        assert report.left == []
        assert report.errors
        assert len(report.errors) == len(set(report.errors))
        assert (report.orders_cancelled, report.foreign_cancelled, report.positions_closed) == (1, 1, 1)
        told = "; ".join([done_in_words(report.as_dict()), *report.notes])
        assert told.count("other programs") == 1  # said once, wherever the report is shown
        assert await open_orders(stage, name) == 0

    async def mend(stage: Stage) -> None:
        await asyncio.sleep(8.0)
        stage.venue.faults.remove()

    stage_of: list[Stage] = []

    async def play(stage: Stage) -> None:
        stage_of.append(stage)
        plan = await stage.plan(holder, [name], cash=100_000)
        await stage.trade(plan, "s1", 0.5, kill)

    on_stage(tmp_path, product, play)


def test_what_a_dead_session_left_is_taken_back_when_the_venue_answers_again(
    tmp_path: Path, holder: Path
) -> None:
    name, path = NAMES["binance-spot"]

    async def play(stage: Stage) -> None:
        async def rest(session: Session) -> None:
            await stage.until(lambda: any(o.is_open for o in session.engine.execution.orders.values()))

        plan = await stage.plan(holder, [name], cash=100_000)
        await stage.trade(plan, "s1", 0.5, rest)
        async with stage.reach() as link:
            await place(link, name, "other-1")
        assert await open_orders(stage, name) == 2
        stage.venue.faults.add("server-error", {"path": path}, stage.venue.now_ns())

        async def mend() -> None:
            await asyncio.sleep(8.0)
            stage.venue.faults.remove()

        mending = stage.loop.create_task(mend())
        report = await end_session(tmp_path / "s1", "a test", lambda _: stage.keys, reach=stage.connect)
        await mending
        assert report.flat, report
        assert (report.orders_cancelled, report.foreign_cancelled, report.positions_closed) == (1, 1, 1)
        assert await open_orders(stage, name) == 0

    on_stage(tmp_path, "binance-spot", play)
