"""A session that watches its settings while somebody writes them piece by piece, in virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lanner.live.config import ReloadConfig
from lanner.live.session import Session
from tests.integration.live.conftest import STRATEGY
from tests.integration.live.stage import Stage, on_stage

BTC = "BTC-USDT.BINANCE"


def test_half_of_a_settings_file_is_not_taken_for_all_of_it(tmp_path: Path) -> None:
    strategy, path = tmp_path / "flip.py", tmp_path / "run.yaml"
    strategy.write_text(STRATEGY)
    first = "strategy: flip.py\ninstruments: [BTC-USDT@binance]\nparams: {every: 5}\n"
    limits = "risk: {max_open_orders: 7}\n"
    path.write_text(first + limits)

    async def play(stage: Stage) -> None:
        async def write(session: Session) -> None:
            await asyncio.sleep(2.0)
            stats = session.reload.stats
            for size in (0, 30, len(first)):  # the last of these is legal, and has no limits
                path.write_text((first + limits)[:size])
                await asyncio.sleep(0.6)
            path.write_text(first.replace("5", "9") + limits)
            await asyncio.sleep(3.0)
            assert (stats.reload_count, stats.error_count) == (1, 0), stats.last_error
            [desk] = session.engine.desks.values()
            assert desk.strategy.values() == {"every": 9}
            assert session.engine.execution.limits.max_open_orders == 7

        plan = await stage.plan(
            strategy,
            [BTC],
            "paper",
            params={"every": 5},
            risk={"max_open_orders": 7},
            reload=ReloadConfig(watch=True, file=str(path)),
        )
        await stage.trade(plan, "s1", 0.5, write)

    on_stage(tmp_path, "binance-spot", play)
