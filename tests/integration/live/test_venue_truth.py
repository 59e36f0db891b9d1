"""What a session believes of its venue, in virtual time: fills once, positions when they stay, nothing at its end."""

from __future__ import annotations

import asyncio
import dataclasses
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lanner.core.errors import RiskRefusedError
from lanner.live.build import build_engine
from lanner.live.config import RecoveryConfig
from lanner.live.heart import JournalFault, replay
from lanner.live.netting import SECOND_LOOK_S
from lanner.live.reality import RealVenues
from lanner.live.reconcile import LAG_NS, settle_order
from lanner.live.replaying import replay_session
from lanner.live.session import Session
from lanner.model.accounts import VenueOrder
from lanner.model.commands import SubmitOrder
from lanner.model.enums import OrderStatus, OrderType, Side
from lanner.model.reports import PositionAdjusted
from lanner.simulator.money import from_atoms
from lanner.storage.journal import Kind, read_journal
from tests.integration.live.stage import START_NS, Stage, on_stage

pytestmark = pytest.mark.timeout(180)

STILL = """
import lanner as ln


class Still(ln.Strategy):
    def on_quote(self, quote):
        pass
"""
PERPS = {"binance-usdm": "BTCUSDT-PERP.BINANCE", "hyperliquid": "BTC-PERP.HYPERLIQUID"}


def buy(session: Session, qty: str) -> None:
    """Buy at market for the session's strategy."""
    [name] = session.plan.instruments
    [strategy] = session.engine.desks
    order: dict[str, Any] = {"side": "BUY", "qty": qty, "px": None, "stop_px": None, "tif": "GTC", "tag": ""}
    order |= {"post_only": False, "reduce_only": False}
    session.control("order", strategy=strategy, instrument=name, **order)


def lots(session: Session) -> int:
    return sum(position.lots for position in session.engine.portfolio.positions.values())


def adjustments(session: Session) -> list[int]:
    return [one.lots for one in session.engine.reports if isinstance(one, PositionAdjusted)]


@pytest.fixture
def still(tmp_path: Path) -> Path:
    path = tmp_path / "still.py"
    path.write_text(STILL)
    return path


@pytest.mark.parametrize("late_ms", ["1", "30"])
@pytest.mark.parametrize("product", PERPS)
def test_a_fill_that_crosses_the_comparison_of_positions_is_no_difference(
    product: str, late_ms: str, still: Path, tmp_path: Path
) -> None:
    async def act(session: Session) -> None:
        for number in range(30):
            comparing = asyncio.create_task(session.reconcile("asked for"))
            await asyncio.sleep(0.002 * number)
            buy(session, "0.002")
            await comparing
            await asyncio.sleep(0.2)
        assert await session.reconcile("asked for") == []
        [step] = {order.lots for order in session.engine.execution.orders.values()}
        assert lots(session) == 30 * step
        assert adjustments(session) == []

    async def play(stage: Stage) -> None:
        stage.venue.faults.add("late-user-events", {"ms": late_ms}, stage.venue.now_ns())
        await stage.trade(await stage.plan(still, [PERPS[product]]), "crossing", 0.5, act)

    on_stage(tmp_path, product, play, latency_s=0.005)


@pytest.mark.parametrize("product", PERPS)
def test_a_position_that_somebody_else_changed_is_taken_over_when_it_stays(
    product: str, still: Path, tmp_path: Path
) -> None:
    async def act(session: Session) -> None:
        buy(session, "0.01")
        await asyncio.sleep(1.0)
        had = lots(session)
        [position] = session.engine.portfolio.positions.values()
        position.lots -= 3
        began = asyncio.get_running_loop().time()
        [told] = await session.reconcile("asked for")
        assert f"we had {had - 3} lots, the venue {had}" in told
        assert asyncio.get_running_loop().time() - began > SECOND_LOOK_S
        assert (lots(session), adjustments(session)) == (had, [3])

    async def play(stage: Stage) -> None:
        await stage.trade(await stage.plan(still, [PERPS[product]]), "taken-over", 0.5, act)

    on_stage(tmp_path, product, play)


@pytest.mark.parametrize("product", PERPS)
def test_a_fill_that_is_told_after_it_was_concluded_counts_once(
    product: str, still: Path, tmp_path: Path
) -> None:
    async def act(session: Session) -> None:
        buy(session, "0.01")
        [order] = session.engine.execution.orders.values()
        end = VenueOrder(
            order.instrument_id, order.order_id, "", "", Side.BUY, order.type, order.lots, order.lots,
            OrderStatus.FILLED, avg_px=session.engine.cache.price(order.instrument_id),
        )  # fmt: skip
        for report in settle_order(order, end, [], session.now() + LAG_NS, absence_ns=LAG_NS):
            session.report(report)
        assert (order.status, lots(session)) == (OrderStatus.FILLED, order.lots)
        await asyncio.sleep(15.0)
        assert len(order.trade_ids) >= 2, "the venue has told it"
        assert (lots(session), order.concluded, adjustments(session)) == (order.lots, None, [])
        [position] = session.engine.portfolio.positions.values()
        [held] = stage_exchange[0].accounts["test"].positions.values()
        assert abs(float(position.money(position.cash_flow)) + float(from_atoms(held.cost))) < 1e-6
        assert position.fees == sum((from_atoms(one.fee_atoms) for one in held_fills()), Decimal(0))

    def held_fills() -> list[Any]:
        return list(stage_exchange[0].accounts["test"].fills)

    stage_exchange: list[Any] = []

    async def play(stage: Stage) -> None:
        stage_exchange.append(stage.exchange)
        stage.venue.faults.add("late-user-events", {"ms": "12000"}, stage.venue.now_ns())
        plan = await stage.plan(still, [PERPS[product]])
        session = await stage.trade(plan, "late", 0.5, act)
        again = build_engine(plan, session.id)
        assert replay(again, read_journal(session.folder / "journal")).faithful
        assert again.hash.hexdigest() == session.engine.hash.hexdigest()
        assert [p.fees for p in again.portfolio.positions.values()] == [
            p.fees for p in session.engine.portfolio.positions.values()
        ]

    on_stage(tmp_path, product, play)


@pytest.mark.parametrize("counts", [True, False], ids=["the order's count says it", "nothing says it"])
@pytest.mark.parametrize("product", PERPS)
def test_a_fill_that_neither_stream_nor_list_tells_for_long_is_never_counted_twice(
    product: str, counts: bool, still: Path, tmp_path: Path
) -> None:
    """``counts``: the venue's word on the order itself is true, all the time."""

    async def act(session: Session) -> None:
        [link] = session.links.values()
        hide(link, until_s=10.0, order_too=not counts)
        buy(session, "0.01")
        [order] = session.engine.execution.orders.values()
        highest: set[int] = set()
        watching = asyncio.create_task(watch(session, highest))
        await asyncio.sleep(1.0)
        await session.reconcile("asked for")
        assert lots(session) == order.lots, "the venue has it"
        assert adjustments(session) == ([] if counts else [order.lots])
        await asyncio.sleep(20.0)
        watching.cancel()
        assert highest == {0, order.lots}
        assert (order.status, order.cum_lots, order.concluded) == (OrderStatus.FILLED, order.lots, None)
        assert adjustments(session) == ([] if counts else [order.lots, -order.lots])
        assert await session.reconcile("asked for") == []
        [position] = session.engine.portfolio.positions.values()
        [held] = accounts[0].positions.values()
        assert abs(float(position.money(position.cash_flow)) + float(from_atoms(held.cost))) < 1e-6
        assert position.fees == sum((from_atoms(one.fee_atoms) for one in accounts[0].fills), Decimal(0))
        assert position.avg_px == order.avg_px

    accounts: list[Any] = []

    async def play(stage: Stage) -> None:
        accounts.append(stage.exchange.accounts["test"])
        stage.venue.faults.add("late-user-events", {"ms": "12000"}, stage.venue.now_ns())
        plan = await stage.plan(still, [PERPS[product]], recovery=RecoveryConfig(reconcile_s=300.0))
        session = await stage.trade(plan, "told-late", 0.5, act)
        again = build_engine(plan, session.id)
        assert replay(again, read_journal(session.folder / "journal")).faithful
        assert again.hash.hexdigest() == session.engine.hash.hexdigest()
        assert lots(session) == sum(position.lots for position in again.portfolio.positions.values())

    on_stage(tmp_path, product, play)


async def watch(session: Session, seen: set[int]) -> None:
    while True:
        seen.add(lots(session))
        await asyncio.sleep(0.02)


def hide(link: Any, *, until_s: float, order_too: bool) -> None:
    """Let a venue's answers tell no fill for a while, and where that is wanted not even that an order has some."""
    ask, end = link.ask, asyncio.get_running_loop().time() + until_s

    async def asked(call: Any) -> Any:
        told = await ask(call)
        if asyncio.get_running_loop().time() < end:
            if hasattr(told, "rows"):
                return dataclasses.replace(told, rows=[])
            if order_too and isinstance(told, VenueOrder):
                return replace(told, status=OrderStatus.ACCEPTED, cum_lots=0)
        return told

    link.ask = asked


def test_what_is_begun_while_a_session_ends_does_not_run(still: Path, tmp_path: Path) -> None:
    ran = []

    async def late() -> None:
        ran.append("late")

    def attach(session: Session) -> None:
        session.bus.subscribe("control.stop", lambda _topic, _control: session.spawn(late()))

    async def play(stage: Stage) -> None:
        plan = await stage.plan(still, [PERPS["hyperliquid"]])
        session = await stage.trade(plan, "ending", 1.0, attach=attach)
        assert session.fault is None

    on_stage(tmp_path, "hyperliquid", play)
    assert ran == []


def test_a_session_ends_at_the_moment_at_which_orders_are_asked_about(still: Path, tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        plan = await stage.plan(still, [PERPS["hyperliquid"]])
        for turns in range(5):

            async def act(session: Session, turns: int = turns) -> None:
                assert isinstance(session.venues, RealVenues)
                session.venues._wake.set()
                for _ in range(turns):
                    await asyncio.sleep(0)
                session.stop()

            async with asyncio.timeout(30.0):
                await stage.trade(plan, f"asking-{turns}", 1.0, act)

    on_stage(tmp_path, "hyperliquid", play)


def test_a_stream_that_comes_or_goes_while_the_journal_takes_nothing_ends_the_session(
    still: Path, tmp_path: Path
) -> None:
    async def act(session: Session) -> None:
        session.heart.broken = "no space left on device"
        assert isinstance(session.venues, RealVenues)
        asyncio.get_running_loop().call_soon(session.venues._user_stream, "hyperliquid", False)
        await asyncio.sleep(1.0)

    async def play(stage: Stage) -> None:
        plan = await stage.plan(still, [PERPS["hyperliquid"]])
        with pytest.raises(JournalFault):
            await stage.trade(plan, "full", 1.0, act)

    on_stage(tmp_path, "hyperliquid", play)


EAGER = """
import lanner as ln


class Eager(ln.Strategy):
    timeframe = "1m"

    def on_start(self):
        self.bars()
        self.quotes()
        self.told = []

    def on_quote(self, quote):
        if not any(what == "quote" for what, _ in self.told):
            self.buy(0.002)
        self.told.append(("quote", self.now))

    def on_bar(self, bar):
        self.told.append(("bar", self.now))
"""


@pytest.mark.parametrize("mode", ["live", "paper"])
def test_what_came_while_a_session_was_starting_is_past_for_its_strategies(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "eager.py"
    path.write_text(EAGER)
    ready: list[int] = []

    async def act(session: Session) -> None:
        ready.append(session.now())
        [price] = session.engine.cache.marks.values()
        assert price == price, "the price is known at once"
        await asyncio.sleep(2.0)

    def attach(session: Session) -> None:
        enter = session._enter_venue

        async def slowly() -> None:
            await asyncio.sleep(8.0)
            await enter()

        session._enter_venue = slowly  # type: ignore[method-assign]

    async def play(stage: Stage) -> None:
        plan = await stage.plan(path, [PERPS["binance-usdm"]], mode)
        session = await stage.trade(plan, "eager", 1.0, act, attach=attach)
        [desk] = session.engine.desks.values()
        told = desk.strategy.told  # type: ignore[attr-defined]
        assert told[0][0] == "bar", "the bar that closed a moment ago comes first"
        assert min(at for _, at in told[1:]) >= ready[0]
        [order] = session.engine.execution.orders.values()
        assert order.ts_init >= ready[0]
        again = build_engine(plan, session.id)
        if mode == "live":
            assert replay(again, read_journal(session.folder / "journal")).faithful
            assert again.hash.hexdigest() == session.engine.hash.hexdigest()
        quotes = [r.message for r in read_journal(session.folder / "journal") if r.kind is Kind.QUOTE]
        assert quotes[0].ts_recv < ready[0] - 7_000_000_000, "what came early keeps its time"

    on_stage(tmp_path, "binance-usdm", play, start_ns=START_NS + 55_000_000_000)


async def hold(stage: Stage, name: str) -> int:
    """Have another program buy a little; return its lots."""
    async with stage.reach() as link:
        quote = await link.ask(link.codec.quote(name))
        instrument = link.codec.instrument(name)
        lots = instrument.quantise_qty(Decimal("0.01"))
        px = instrument.quantise_px(Decimal(str(round(quote.ask_px * 1.01))))
        command = SubmitOrder("other-1", name, 0, Side.BUY, OrderType.LIMIT, lots, px_ticks=px)
        await link.send_order(link.codec.order(command)[0])
    return int(lots)


@pytest.mark.parametrize("product", PERPS)
def test_what_an_account_holds_before_stops_a_new_session_or_is_taken_over(
    product: str, still: Path, tmp_path: Path
) -> None:
    name = PERPS[product]

    async def play(stage: Stage) -> None:
        had = await hold(stage, name)
        plan = await stage.plan(still, [name])
        with pytest.raises(RiskRefusedError, match=f"holds 0.01.* {name} already.*adopt"):
            await stage.trade(plan, "refused", 0.5)

        async def close(session: Session) -> None:
            assert (lots(session), adjustments(session)) == (had, [had])
            [position] = session.engine.portfolio.positions.values()
            assert abs(session.engine.portfolio.total_equity() - 10_000) < 50, (
                "booked at about what it is worth"
            )
            assert position.lots == had
            report = await session.kill("a test")
            assert (report.flat, report.positions_closed) == (True, 1), report

        recovery = RecoveryConfig(reconcile_s=10.0, foreign_positions="adopt")
        told = await stage.trade(await stage.plan(still, [name], recovery=recovery), "adopts", 0.5, close)
        assert replay_session(told.folder)[2].differences == []

    on_stage(tmp_path, product, play)


def test_what_another_program_buys_beside_a_session_is_booked_at_the_next_comparison(
    still: Path, tmp_path: Path
) -> None:
    async def play(stage: Stage) -> None:
        async def look(session: Session) -> None:
            had = await hold(stage, PERPS["binance-usdm"])
            await session.reconcile("asked for")
            assert (lots(session), adjustments(session)) == (had, [had])

        await stage.trade(await stage.plan(still, [PERPS["binance-usdm"]]), "beside", 0.5, look)

    on_stage(tmp_path, "binance-usdm", play)
