"""Leverage and margin mode of a live session, set at the venue before it trades."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lanner.core.bus import MessageBus
from lanner.core.errors import ConfigError
from lanner.live.session import Session
from lanner.model.accounts import MarginMode, VenuePosition
from tests.integration.live.conftest import STRATEGY
from tests.integration.live.stage import Stage, on_stage

PERPS = {"binance-usdm": "BTCUSDT-PERP.BINANCE", "hyperliquid": "BTC-PERP.HYPERLIQUID"}


@pytest.fixture
def strategy(tmp_path: Path) -> Path:
    path = tmp_path / "flip.py"
    path.write_text(STRATEGY)
    return path


async def position_there(stage: Stage, name: str) -> VenuePosition:
    async with stage.reach() as link:
        for call in link.codec.account():
            for position in (await link.ask(call)).positions:
                if position.instrument_id == name:
                    return position
    raise AssertionError("nothing is held")


@pytest.mark.parametrize("product", PERPS)
@pytest.mark.parametrize(("told", "times"), [("3", 3), ("2.5", 3)])
def test_a_session_sets_its_leverage_before_it_trades(
    tmp_path: Path, strategy: Path, product: str, told: str, times: int
) -> None:
    async def play(stage: Stage) -> None:
        async def look(session: Session) -> None:
            await stage.until(lambda: any(p.lots for p in session.engine.portfolio.positions.values()))
            position = await position_there(stage, PERPS[product])
            assert (round(position.leverage or 0), position.margin_mode) == (times, MarginMode.ISOLATED)

        plan = await stage.plan(
            strategy, [PERPS[product]], params={"every": 400}, leverage=Decimal(told), margin_mode="isolated"
        )
        await stage.trade(plan, "s1", 0.5, look)

    on_stage(tmp_path, product, play)


@pytest.mark.parametrize("product", PERPS)
def test_without_leverage_the_account_stays_as_it_is(tmp_path: Path, strategy: Path, product: str) -> None:
    async def play(stage: Stage) -> None:
        async def look(session: Session) -> None:
            await stage.until(lambda: any(p.lots for p in session.engine.portfolio.positions.values()))
            position = await position_there(stage, PERPS[product])
            assert (round(position.leverage or 0), position.margin_mode) == (7, MarginMode.CROSS)

        async with stage.reach() as link:
            for call in link.codec.set_leverage(PERPS[product], 7, MarginMode.CROSS):
                await link.ask(call)
        plan = await stage.plan(strategy, [PERPS[product]], params={"every": 400})
        await stage.trade(plan, "s1", 0.5, look)

    on_stage(tmp_path, product, play)


def test_a_refusal_stops_the_start_and_warns_a_session_that_goes_on(tmp_path: Path, strategy: Path) -> None:
    name = PERPS["binance-usdm"]
    warnings: list[Any] = []

    async def play(stage: Stage) -> None:
        def refuse() -> None:
            stage.venue.faults.add("server-error", {"path": "/fapi/v1/leverage"}, stage.venue.now_ns())

        plan = await stage.plan(strategy, [name], leverage=Decimal(3))
        refuse()
        with pytest.raises(ConfigError, match=r"does not take leverage 3 \(cross\).*`leverage`"):
            await stage.trade(plan, "refused", 0.5)
        stage.venue.faults.remove()
        first = await stage.trade(plan, "s1", 3.0)
        refuse()
        bus = MessageBus()
        bus.subscribe("alert.warning", lambda _topic, text: warnings.append(text))
        second = await stage.trade(plan, "s1", 3.0, bus=bus)
        assert second.heart.inputs > first.heart.inputs
        assert any("does not take leverage 3" in text for text in warnings)

    on_stage(tmp_path, "binance-usdm", play)


def test_leverage_that_has_no_use_or_is_too_much_is_refused(tmp_path: Path, strategy: Path) -> None:
    async def spot(stage: Stage) -> None:
        with pytest.raises(ConfigError, match="no use on spot"):
            await stage.plan(strategy, ["BTC-USDT.BINANCE"], leverage=Decimal(2))

    async def perpetual(stage: Stage) -> None:
        with pytest.raises(ConfigError, match=r"more than the instrument allows.*at most 40"):
            await stage.plan(strategy, [PERPS["hyperliquid"]], leverage=Decimal(400))

    on_stage(tmp_path, "binance-spot", spot)
    on_stage(tmp_path, "hyperliquid", perpetual)
