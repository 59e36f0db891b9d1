"""Orders of ``on_start``, and timers that came due while nobody could act on them; against the simulator."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lanner.core.errors import LannerError
from lanner.live.parity import compare_session
from lanner.live.replaying import replay_session
from lanner.live.session import Session
from lanner.model.enums import OrderStatus
from tests.integration.live.stage import Stage, on_stage

NAME = "BTC-USDT.BINANCE"
SECOND = 1_000_000_000
EARLY = '''
import lanner as ln


class Early(ln.Strategy):
    """Buy before anything is known."""

    def on_start(self):
        self.quotes()
        self.order_there = self.buy(0.01)
        self.filled = 0

    def on_fill(self, fill):
        self.filled += 1
'''
TICKER = '''
import lanner as ln


class Ticker(ln.Strategy):
    """Note when timers fire: one of a second, and one that is set for a moment and sets itself anew."""

    def on_start(self):
        self.quotes()
        self.beats, self.calls = [], []
        self.set_timer("beat", every="1s")
        self.set_timer("call", at=self.now + 7_000_000_000)

    def on_timer(self, timer):
        if timer.name == "beat":
            self.beats.append((timer.ts, self.now))
            self.cancel_all()
            if self.price() == self.price():
                self.buy(0.001, self.price() * 0.999)
        else:
            self.calls.append((timer.ts, self.now))
            self.set_timer("call", at=self.now + 7_000_000_000)
'''


def write(folder: Path, text: str) -> Path:
    path = folder / "one.py"
    path.write_text(text)
    return path


@pytest.mark.parametrize("product", ["binance-spot", "binance-usdm", "hyperliquid"])
def test_an_order_of_on_start_leaves_once_the_venue_is_there(tmp_path: Path, product: str) -> None:
    name = {"binance-spot": NAME, "binance-usdm": "BTCUSDT-PERP.BINANCE"}.get(product, "BTC-PERP.HYPERLIQUID")

    async def play(stage: Stage) -> None:
        plan = await stage.plan(write(tmp_path, EARLY), [name])
        session = await stage.trade(plan, "s1", 10.0)
        [order] = session.engine.execution.orders.values()
        assert order.status is OrderStatus.FILLED
        assert session.engine.desks["Early"].strategy.filled >= 1  # type: ignore[attr-defined]
        _, _, found = replay_session(session.folder)
        assert found.differences == []

    on_stage(tmp_path, product, play)


def test_a_session_that_is_still_starting_says_so_when_it_is_to_be_changed(tmp_path: Path) -> None:
    asked: list[asyncio.Task[object]] = []

    def attach(session: Session) -> None:
        asked.append(asyncio.get_running_loop().create_task(session.reload.change(["size=0.2"])))

    async def play(stage: Stage) -> None:
        await stage.trade(await stage.plan(write(tmp_path, EARLY), [NAME]), "s1", 1.0, attach=attach)
        with pytest.raises(LannerError, match=r"s1 is still starting.*Try again in a moment"):
            await asked[0]

    on_stage(tmp_path, "binance-spot", play)


def beats(session: Session, name: str = "beats") -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = getattr(session.engine.desks["Ticker"].strategy, name)
    return found


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_timers_that_a_session_missed_fire_once_when_it_is_taken_up(tmp_path: Path, mode: str) -> None:
    async def play(stage: Stage) -> None:
        plan = await stage.plan(write(tmp_path, TICKER), [NAME], mode)
        first = await stage.trade(plan, "s1", 10.0)
        before = len(beats(first))
        assert 8 <= before <= 12
        away = first.engine.clock.now
        await asyncio.sleep(300.0)
        second = await stage.trade(plan, "s1", 10.0)
        assert second.recovered is not None
        later = beats(second)[before:]
        assert 8 <= len(later) <= 13, "one for all that were missed, and those of ten seconds"
        assert later[0][1] >= away + 299 * SECOND
        assert later[0][0] > away + 290 * SECOND, "the newest of those that were missed"
        assert len({ts for ts, _ in beats(second)}) == len(beats(second))
        calls = beats(second, "calls")
        assert len([now for _, now in calls if now > away]) >= 1, "a timer for a moment is not lost"
        assert len(second.engine.execution.orders) < 40
        _, _, found = replay_session(second.folder)
        assert found.differences == []
        if mode == "paper":
            report = compare_session(second.folder)
            assert report.explained
            assert report.gap == 0

    on_stage(tmp_path, "binance-spot", play)


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_a_timer_that_came_due_in_a_pause_is_told_once_after_it(tmp_path: Path, mode: str) -> None:
    marks: list[int] = []

    async def act(session: Session) -> None:
        await asyncio.sleep(3.0)
        session.pause("a test")
        marks.append(session.now())
        await asyncio.sleep(30.0)
        marks.append(session.now())
        session.resume("a test")

    async def play(stage: Stage) -> None:
        plan = await stage.plan(write(tmp_path, TICKER), [NAME], mode)
        session = await stage.trade(plan, "s1", 9.0, act)
        paused, resumed = marks
        assert [now for _, now in beats(session) if paused < now < resumed] == []
        calls = beats(session, "calls")
        assert len([now for _, now in calls if now >= resumed]) >= 2, "the one that was missed, and the next"
        after = [ts for ts, now in beats(session) if now >= resumed]
        assert 8 <= len(after) <= 12
        _, _, found = replay_session(session.folder)
        assert found.differences == []

    on_stage(tmp_path, "binance-spot", play)
