"""A spot account that owns money only: what was bought there, less the fee that the venue kept, can be sold again."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from lanner.core.bus import MessageBus
from lanner.live.killswitch import KillReport, kill_session
from lanner.live.replaying import replay_session
from lanner.live.session import Session
from lanner.model.enums import OrderStatus, OrderType
from lanner.model.orders import Order
from lanner.simulator.money import from_atoms
from tests.integration.live.stage import Stage, on_stage

NAME = "BTC-USDT.BINANCE"
STRATEGY = '''
import lanner as ln


class Buyer(ln.Strategy):
    """Buy once, at the fifth quote; sell everything at the hundredth where nothing else does."""

    take = ln.Param("")
    stop = ln.Param("")
    sells = ln.Param(True)

    def on_start(self):
        self.seen = 0

    def on_quote(self, quote):
        self.seen += 1
        if self.seen == 5:
            self.buy(0.02, stop=self.stop or None, take=self.take or None)
        if self.seen == 100 and self.sells:
            self.close()
'''


@pytest.fixture
def buyer(tmp_path: Path) -> Path:
    path = tmp_path / "buyer.py"
    path.write_text(STRATEGY)
    return path


def own_money_only(stage: Stage) -> None:
    account = stage.exchange.accounts["test"]
    coins = from_atoms(account.balance("BTC").total)
    stage.exchange.deposit("test", "BTC", -coins, stage.venue.now_ns())
    assert account.balance("BTC").total == 0


def coins(stage: Stage) -> float:
    return float(from_atoms(stage.exchange.accounts["test"].balance("BTC").total))


def lots(session: Session) -> int:
    position = session.engine.portfolio.positions.get(("Buyer", NAME))
    return 0 if position is None else position.lots


def orders(session: Session, kind: OrderType) -> list[Order]:
    return [order for order in session.engine.execution.orders.values() if order.type is kind]


def test_what_was_bought_is_sold_whole_and_the_session_is_replayed_the_same(
    tmp_path: Path, buyer: Path
) -> None:
    async def play(stage: Stage) -> None:
        own_money_only(stage)
        plan = await stage.plan(buyer, [NAME], cash=100_000)

        async def look(session: Session) -> None:
            await stage.until(lambda: lots(session) > 0)
            assert lots(session) == 1_998
            assert coins(stage) == pytest.approx(0.01998)
            await stage.until(lambda: lots(session) == 0)
            assert coins(stage) == pytest.approx(0.0)

        session = await stage.trade(plan, "s1", 1.0, look)
        assert not [o for o in session.engine.execution.orders.values() if o.status is OrderStatus.REJECTED]
        assert replay_session(session.folder)[2].differences == []

    on_stage(tmp_path, "binance-spot", play)


def test_the_kill_switch_leaves_no_coins(tmp_path: Path, buyer: Path) -> None:
    async def play(stage: Stage) -> None:
        own_money_only(stage)
        plan = await stage.plan(buyer, [NAME], cash=100_000, params={"sells": False, "stop": "5%"})
        reports: list[KillReport] = []

        async def look(session: Session) -> None:
            await stage.until(lambda: lots(session) > 0)
            await asyncio.sleep(1.0)
            reports.append(await kill_session(session, "a test"))

        await stage.trade(plan, "s1", 0.5, look)
        [report] = reports
        assert (report.flat, report.left, report.errors) == (True, [], [])
        assert coins(stage) == pytest.approx(0.0)

    on_stage(tmp_path, "binance-spot", play)


@pytest.mark.parametrize("mode", ["live", "paper"])
def test_of_a_bracket_the_stop_rests_and_the_target_is_watched_and_sold_at_market(
    tmp_path: Path, buyer: Path, mode: str
) -> None:
    async def play(stage: Stage) -> None:
        own_money_only(stage)
        params = {"sells": False, "stop": "5%", "take": "0.02%"}
        plan = await stage.plan(buyer, [NAME], mode, cash=100_000, params=params)

        async def look(session: Session) -> None:
            await stage.until(lambda: orders(session, OrderType.STOP_MARKET))
            [stop] = orders(session, OrderType.STOP_MARKET)
            await stage.until(lambda: lots(session) == 0, 600.0)
            assert stop.status is OrderStatus.CANCELED
            assert orders(session, OrderType.LIMIT) == []
            assert orders(session, OrderType.MARKET)[-1].status is OrderStatus.FILLED

        session = await stage.trade(plan, "s1", 1.0, look)
        assert not [o for o in session.engine.execution.orders.values() if o.status is OrderStatus.REJECTED]
        assert replay_session(session.folder)[2].differences == []
        if mode == "live":
            assert coins(stage) == pytest.approx(0.0)

    on_stage(tmp_path, "binance-spot", play)


def test_a_session_that_has_more_to_trade_with_than_the_account_says_so(tmp_path: Path, buyer: Path) -> None:
    async def play(stage: Stage) -> None:
        own_money_only(stage)
        there = from_atoms(stage.exchange.accounts["test"].balance("USDT").total)
        stage.exchange.deposit("test", "USDT", Decimal("512.5") - there, stage.venue.now_ns())
        told: list[str] = []
        bus = MessageBus()
        bus.subscribe("alert.warning", lambda _topic, text: told.append(text))
        await stage.trade(await stage.plan(buyer, [NAME], cash=512), "fits", 1.0, bus=bus)
        assert told == []
        await stage.trade(await stage.plan(buyer, [NAME], cash=5_000), "more", 1.0, bus=bus)
        [text] = told
        assert "5000 USDT" in text
        assert "512.5" in text

    on_stage(tmp_path, "binance-spot", play)
