"""A venue that raises its least quantity above what is held: told once, shown, and in the kill switch's report."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lanner.core.bus import MessageBus
from lanner.live.aftermath import end_session
from lanner.live.session import Session
from lanner.live.status import state_of_session
from tests.integration.live.stage import Stage, on_stage

TIMED = '''
import lanner as ln


class Timed(ln.Strategy):
    """Hold a little, and leave when its time is up."""

    def on_quote(self, quote):
        if not self.position and not self.open_orders:
            self.buy(0.02)

    def on_fill(self, fill):
        self.stops.set_time_stop(after="5s")
'''
NAMES = {
    "binance-spot": "BTC-USDT.BINANCE",
    "binance-usdm": "BTCUSDT-PERP.BINANCE",
    "hyperliquid": "BTC-PERP.HYPERLIQUID",
}


def coarser(stage: Stage) -> None:
    """Let the venue take large quantities only."""
    for market in stage.exchange.markets:
        stage.exchange.change_steps(market, stage.venue.now_ns(), lot_step=10_000_000)


@pytest.mark.parametrize("product", NAMES)
def test_what_the_venue_does_not_take_is_an_alarm_once_and_in_the_report_of_the_kill_switch(
    tmp_path: Path, product: str
) -> None:
    name = NAMES[product]
    strategy = tmp_path / "timed.py"
    strategy.write_text(TIMED)
    told: list[str] = []
    bus = MessageBus()
    bus.subscribe("risk.stop.*", lambda topic, _: told.append(topic))

    async def play(stage: Stage) -> None:
        async def kill(session: Session) -> None:
            positions = session.engine.portfolio.positions
            await stage.until(lambda: any(position.lots for position in positions.values()))
            coarser(stage)
            await stage.until(lambda: "risk.stop.uncloseable" in told)
            before = session.engine.execution.retention.order_count
            await asyncio.sleep(100.0)
            assert session.engine.execution.retention.order_count <= before + 1
            assert told.count("risk.stop.uncloseable") == 1
            assert "risk.stop.failed" not in told
            [text] = state_of_session(session)["uncloseable"]
            assert name in text
            report = await session.kill("a test")
            assert not report.flat
            assert any(name in left and "the venue refuses to close it: " in left for left in report.left)

        plan = await stage.plan(strategy, [name], cash=100_000)
        await stage.trade(plan, "s1", 0.5, kill, bus)
        report = await end_session(tmp_path / "s1", "a test", lambda _: stage.keys, reach=stage.connect)
        assert not report.flat
        assert any(name in left and "the venue refuses to close it: " in left for left in report.left)

    on_stage(tmp_path, product, play)
