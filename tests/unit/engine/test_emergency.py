"""What counts as flat: everything that a venue would take back."""

from __future__ import annotations

from decimal import Decimal

import pytest

import lanner as ln
from lanner.engine.emergency import dust_of, flatten, is_flat
from lanner.engine.engine import Engine
from lanner.model.commands import SubmitOrder
from lanner.model.enums import Liquidity
from lanner.model.instruments import Instrument
from lanner.model.market import Quote
from lanner.model.reports import OrderAccepted, OrderExpired, OrderFilled

SPOT = Instrument.spot("BTC-USDT.SIM", tick="0.01", lot="0.00001", min_qty="0.00002", min_notional="5")


class Buyer(ln.Strategy):
    """Buys once."""

    bought = False

    def on_quote(self, quote: Quote) -> None:
        if not self.bought:
            self.bought = True
            self.buy(0.01)


def filled(order: SubmitOrder, lots: int, ts: int) -> OrderFilled:
    return OrderFilled(
        order.order_id, SPOT.id, ts, ts, f"t{ts}", order.side, 6_000_000, lots, Decimal(0), Liquidity.TAKER, 0
    )


def engine_that_sold_all_but(lots: int) -> Engine:
    """Return an engine that bought 1,000 lots and whose closing order ended when so many were left."""
    engine = Engine({SPOT.id: SPOT}, "USDT")
    engine.subscriptions.add_source("quotes", SPOT.id)
    engine.add_strategy(Buyer(), Decimal(100_000))
    engine.start(1)
    (order,) = engine.step(Quote(SPOT.id, 2, 2, 60_000.0, 1.0, 60_000.01, 1.0))
    assert isinstance(order, SubmitOrder)
    engine.step(OrderAccepted(order.order_id, SPOT.id, 3, 3, "v1"))
    engine.step(filled(order, 1_000, 4))
    (sale,) = flatten(engine, 5)
    assert isinstance(sale, SubmitOrder)
    engine.step(OrderAccepted(sale.order_id, SPOT.id, 6, 6, "v2"))
    engine.step(filled(sale, 1_000 - lots, 7))
    engine.step(OrderExpired(sale.order_id, SPOT.id, 8, 8, "the book was empty"))
    return engine


@pytest.mark.parametrize("lots", [1, 8])
def test_what_is_too_little_to_be_sold_counts_as_flat_and_is_told(lots: int) -> None:
    engine = engine_that_sold_all_but(lots)
    assert is_flat(engine)
    assert flatten(engine, 9) == []
    (note,) = dust_of(engine)
    assert note.startswith(f"{SPOT.lot * lots:f} BTC stay: too little to be sold")
    assert "5 USDT at least" in note


def test_what_can_be_sold_is_not_flat_and_is_sold() -> None:
    engine = engine_that_sold_all_but(9)
    assert not is_flat(engine)
    assert dust_of(engine) == []
    (again,) = flatten(engine, 9)
    assert isinstance(again, SubmitOrder)
    assert again.lots == 9
