"""Orders that another program has in a session's account: told, taken back, or taken over; against the simulator."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lanner.live.config import RecoveryConfig
from lanner.live.parity.compare import compare_session
from lanner.live.replaying import replay_session
from lanner.live.session import Session
from lanner.model.accounts import VenueOrder
from lanner.model.commands import SubmitOrder
from lanner.model.enums import OrderStatus, OrderType, Side
from lanner.model.orders import Order
from lanner.model.reports import OrderReport
from lanner.venues.hyperliquid import actions
from lanner.venues.link import Link
from tests.integration.live.stage import Stage, on_stage

NAMES = {
    "binance-spot": "BTC-USDT.BINANCE",
    "binance-usdm": "BTCUSDT-PERP.BINANCE",
    "hyperliquid": "BTC-PERP.HYPERLIQUID",
}
PATIENT = '''
import lanner as ln


class Patient(ln.Strategy):
    """Do nothing until told."""

    def on_quote(self, quote):
        self.seen = quote
'''


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    path = tmp_path / "patient.py"
    path.write_text(PATIENT)
    return path


async def place(
    link: Link, name: str, order_id: str, share: float = 0.97, *, named: bool = True
) -> VenueOrder:
    """Place a buy order beside the session, below the market; ``named`` with a client id."""
    quote = await link.ask(link.codec.quote(name))
    instrument = link.codec.instrument(name)
    px = instrument.quantise_px(Decimal(str(round(quote.bid_px * share))))
    lots = instrument.quantise_qty(Decimal("0.01"))
    command = SubmitOrder(order_id, name, 0, Side.BUY, OrderType.LIMIT, lots, px_ticks=px)
    known = {order.venue_order_id for order in await link.ask(link.codec.open_orders(name))}
    if named:
        reports: Sequence[OrderReport] = await link.send_order(link.codec.order(command)[0])
        assert [type(report).__name__ for report in reports if not report.order_id] == []
    else:
        codec: Any = link.codec
        terms = codec._terms.submit(command)
        del terms["c"]
        action = actions.place([terms], "na")
        await link.ask(codec._action("order", lambda _ts_ms: action))
    [made] = [o for o in await link.ask(link.codec.open_orders(name)) if o.venue_order_id not in known]
    return made


def adopted(session: Session, told: VenueOrder) -> Order | None:
    """Return what the session has of an order of the venue's."""
    orders = session.engine.execution.orders.values()
    return next((order for order in orders if order.venue_order_id == told.venue_order_id), None)


def held(session: Session, name: str) -> int:
    return session.engine.portfolio.positions["Patient", name].lots


async def working(link: Link, name: str) -> set[str]:
    return {order.venue_order_id for order in await link.ask(link.codec.open_orders(name))}


@pytest.mark.parametrize(
    ("product", "named"), [(product, True) for product in NAMES] + [("hyperliquid", False)]
)
def test_an_adopted_order_counts_fills_survives_a_restart_and_is_taken_back_like_our_own(
    tmp_path: Path, patient: Path, product: str, named: bool
) -> None:
    name = NAMES[product]
    fee_lots = 1 if product == "binance-spot" else 0  # of the 1,000 that are bought, kept of the coin

    async def play(stage: Stage) -> None:
        plan = await stage.plan(
            patient, [name], recovery=RecoveryConfig(foreign_orders="adopt", reconcile_s=10.0), cash=1_000_000
        )
        async with stage.reach() as other:
            before = await place(other, name, "elsewhere-1", named=named)

            async def first_day(session: Session) -> None:
                ours = adopted(session, before)
                assert ours is not None
                assert (ours.status, ours.tag, ours.lots) == (OrderStatus.ACCEPTED, "adopted", before.lots)
                assert [one.order_id for one in session.engine.execution.open_orders("Patient")] == [
                    ours.order_id
                ]
                during = await place(other, name, "elsewhere-2", named=named)
                await stage.until(
                    lambda: adopted(session, during), 5.0
                )  # at once, not at the next comparison
                fills = await place(other, name, "elsewhere-3", 1.0, named=named)
                await stage.until(lambda: adopted(session, fills), 5.0)
                third = adopted(session, fills)
                assert third is not None
                await stage.until(lambda: third.status is OrderStatus.FILLED)
                assert held(session, name) == third.lots - fee_lots
                await stage.until(lambda: session.venues.reconciled_ns > third.ts_last)  # type: ignore[union-attr]
                assert held(session, name) == third.lots - fee_lots

            first = await stage.trade(plan, "s1", 0.1, first_day)
            assert len(await working(other, name)) == 2
            assert replay_session(first.folder)[2].differences == []

            async def second_day(session: Session) -> None:
                assert session.recovered is not None
                ours = adopted(session, before)
                assert ours is not None
                assert ours.status is OrderStatus.ACCEPTED
                lots = held(session, name)
                await asyncio.sleep(25.0)
                assert len(session.engine.execution.orders) == 3
                assert held(session, name) == lots
                session.control("cancel_all")
                await stage.until(lambda: ours.status is OrderStatus.CANCELED)

            second = await stage.trade(plan, "s1", 1.0, second_day)
            assert await working(other, name) == set()
            assert replay_session(second.folder)[2].differences == []
            report = compare_session(second.folder)
            assert report.faithful
            assert report.alone == []
            assert len(report.pairs) == 3
            assert report.parts["manual_action"] != 0  # the fill of an order that no strategy placed

    on_stage(tmp_path, product, play)


@pytest.mark.parametrize("product", list(NAMES))
def test_foreign_orders_are_cancelled_where_the_settings_say_so_and_left_alone_otherwise(
    tmp_path: Path, patient: Path, product: str
) -> None:
    name = NAMES[product]

    async def play(stage: Stage) -> None:
        async with stage.reach() as other:
            told = await place(other, name, "elsewhere-1")
            ignoring = await stage.plan(patient, [name])

            async def look(session: Session) -> None:
                await asyncio.sleep(12.0)
                assert await working(other, name) == {told.venue_order_id}
                assert session.engine.execution.orders == {}

            await stage.trade(ignoring, "s1", 0.1, look)
            plan = await stage.plan(
                patient, [name], recovery=RecoveryConfig(foreign_orders="cancel", reconcile_s=10.0)
            )

            async def gone(session: Session) -> None:
                assert await working(other, name) == set()
                await place(other, name, "elsewhere-2")
                await asyncio.sleep(3.0)
                assert await working(other, name) == set()
                assert session.engine.execution.orders == {}

            await stage.trade(plan, "s2", 0.1, gone)

    on_stage(tmp_path, product, play)
