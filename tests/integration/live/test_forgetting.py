"""Sessions that forget their ended orders, against a venue in virtual time: nothing that people see or own is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lanner.control.stats import Samples, picture_of, stats_of
from lanner.control.upkeep import count_orders
from lanner.live.build import build_engine
from lanner.live.config import RecoveryConfig, RetentionConfig
from lanner.live.heart import replay
from lanner.live.parity.compare import compare_session
from lanner.live.replaying import replay_session
from lanner.live.session import Session
from lanner.live.status import state_of_session
from lanner.model.enums import OrderStatus
from lanner.storage.journal import Control, read_journal
from tests.integration.live.stage import Stage, on_stage
from tests.integration.live.test_ledger import Kept, assert_the_same, from_journal, rows

pytestmark = pytest.mark.timeout(180)

STRATEGY = """
import lanner as ln


class Restless(ln.Strategy):
    def on_start(self):
        self.n = 0
        self.first = None

    def on_quote(self, quote):
        self.n += 1
        if self.n % 4 == 0:
            self.cancel_all()
            order = self.buy(0.01, px=round(quote.bid_px * 0.98))
            self.first = self.first or order
        if self.n % 6 == 0:
            self.target(0.1 if self.n % 12 == 0 else 0)
        if self.first:
            self.cancel(self.first)
"""
PRODUCTS = {"binance-usdm": "BTCUSDT-PERP.BINANCE", "hyperliquid": "BTC-PERP.HYPERLIQUID"}
TINY = RetentionConfig(ended_orders=3, min_age_s=4)
OFTEN = RecoveryConfig(reconcile_s=5.0)


@pytest.fixture
def restless(tmp_path: Path) -> Path:
    path = tmp_path / "restless.py"
    path.write_text(STRATEGY)
    return path


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_live_session_forgets_after_comparisons_and_every_count_goes_on(
    product: str, restless: Path, tmp_path: Path
) -> None:
    async def play(stage: Stage) -> None:
        plan = await stage.plan(restless, [PRODUCTS[product]], retention=TINY, recovery=OFTEN)
        first = await stage.trade(plan, "s1", 60.0)
        assert_counts_are_of_all(first)
        second = await stage.trade(plan, "s1", 40.0)
        assert second.recovered is not None
        assert second.recovered.how == "checkpoint"
        assert_counts_are_of_all(second)
        told = sum(fill.lots for fill in stage.exchange.accounts["test"].fills)
        assert told == sum(lots_of_all(second))

    on_stage(tmp_path, product, play)


def lots_of_all(session: Session) -> list[int]:
    whole = build_engine(session.plan, session.id, keeps_all=True)
    assert replay(whole, read_journal(session.folder / "journal")).faithful
    return [order.cum_lots for order in whole.execution.orders.values()]


def assert_counts_are_of_all(session: Session) -> None:
    """Compare what a session tells with what an engine tells that forgets nothing."""
    whole = build_engine(session.plan, session.id, keeps_all=True)
    assert replay(whole, read_journal(session.folder / "journal")).faithful
    everything, execution = whole.execution, session.engine.execution
    assert execution.retention.forgotten > 40
    assert len(execution.orders) < len(everything.orders) / 2
    assert set(execution.orders) <= set(everything.orders)
    state = state_of_session(session)
    assert (state["orders"], state["fills"]) == (len(everything.orders), len(everything.fills))
    counts = count_orders(session)
    assert counts.submitted == len(everything.orders)
    assert counts.filled == sum(o.status is OrderStatus.FILLED for o in everything.orders.values())
    assert counts.cancelled == sum(o.status is OrderStatus.CANCELED for o in everything.orders.values())
    fees = sum(float(order.fees) for order in everything.orders.values())
    assert counts.total_commission == pytest.approx(fees)
    stats = stats_of(picture_of(session), Samples(), next(iter(session.plan.instruments)))
    assert (stats.orders_filled, stats.orders_cancelled) == (counts.filled, counts.cancelled)
    assert stats.total_volume == pytest.approx(counts.total_volume)
    assert stats.orders_placed == len(everything.orders) - counts.rejected + sum(
        o.status is OrderStatus.REJECTED for o in everything.orders.values()
    )
    _, again, found = replay_session(session.folder)
    assert found.differences == []
    assert again.hash.hexdigest() == session.engine.hash.hexdigest()
    assert list(again.execution.orders) == list(execution.orders)


def test_a_venue_that_cannot_be_compared_with_lets_no_order_be_forgotten(
    restless: Path, tmp_path: Path
) -> None:
    async def play(stage: Stage) -> None:
        plan = await stage.plan(restless, [PRODUCTS["binance-usdm"]], retention=TINY, recovery=OFTEN)

        async def act(session: Session) -> None:
            retention = session.engine.execution.retention
            await stage.until(lambda: retention.forgotten > 10)
            stage.venue.faults.add("server-error", {"path": "/fapi/v1/openOrders"}, stage.venue.now_ns())
            await stage.until(lambda: session.engine.execution.gate.state.name == "REDUCING")
            before = retention.forgotten
            at = retention._compared_ns
            await asyncio.sleep(30.0)
            assert retention._compared_ns == at
            assert retention.forgotten - before < 20  # those that were old by the last comparison
            stage.venue.faults.remove()
            await stage.until(lambda: retention._compared_ns > at)

        await stage.trade(plan, "s1", 5.0, act)

    on_stage(tmp_path, "binance-usdm", play)


def test_the_ledger_has_every_order_and_no_word_of_comparisons(restless: Path, tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        url = f"sqlite:///{tmp_path}/ledger.db"
        kept = Kept(url=url)
        plan = await stage.plan(restless, [PRODUCTS["binance-usdm"]], retention=TINY, recovery=OFTEN)
        session = await stage.trade(plan, "s1", 60.0, attach=kept.attach)
        assert kept.close().complete
        journal = list(read_journal(session.folder / "journal"))
        words = [
            r.message for r in journal if isinstance(r.message, Control) and r.message.action == "compared"
        ]
        assert words
        found = rows(url, "s1")
        retention = session.engine.execution.retention
        assert retention.forgotten > 40
        assert len(found["orders"]) == retention.order_count
        assert len(found["fills"]) == retention.fill_count
        assert "control.compared" not in found["topics"]
        assert_the_same(found, from_journal(session.folder, tmp_path))

    on_stage(tmp_path, "binance-usdm", play)


def test_parity_of_a_paper_session_knows_the_forgotten_orders(restless: Path, tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        plan = await stage.plan(restless, [PRODUCTS["hyperliquid"]], "paper", retention=TINY)
        session = await stage.trade(plan, "s1", 60.0)
        retention = session.engine.execution.retention
        assert retention.forgotten > 40
        report = compare_session(session.folder)
        assert (report.faithful, report.explained, len(report.pairs)) == (True, True, retention.order_count)

    on_stage(tmp_path, "hyperliquid", play)
