"""The venue's own rules, where a strategy's verbs cannot reach them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lanner.core.rng import Rng
from lanner.model.commands import AmendOrder, SubmitOrder
from lanner.model.enums import OrderType, Side, TimeInForce
from lanner.model.instruments import Instrument, PriceRule
from lanner.model.reports import AmendRejected, OrderAccepted, OrderRejected
from lanner.sim.settings import VenueSettings
from lanner.sim.venue import SimVenue

COARSE = Instrument.perp(
    "BTC-PERP.SIM", tick="0.1", lot="0.001", max_qty="5", price_rule=PriceRule(significant_figures=5)
)


def venue() -> SimVenue:
    made = SimVenue(VenueSettings("SIM", {"USDT": Decimal(10_000)}), {COARSE.id: COARSE}, {}, Rng(1))
    made.see_price(COARSE.id, 1_000)
    return made


def submit(order_id: str = "o1", **more: object) -> SubmitOrder:
    values: dict[str, object] = {"type": OrderType.LIMIT, "lots": 10, "px_ticks": 990} | more
    return SubmitOrder(order_id, COARSE.id, 0, Side.BUY, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"px_ticks": 123_456}, "PRICE_FILTER"),
        ({"lots": 5_001}, "MAX_QTY"),
        ({"px_ticks": None}, "BAD_ORDER"),
        ({"type": OrderType.STOP_MARKET, "px_ticks": None}, "BAD_ORDER"),
        ({"tif": TimeInForce.GTD}, "BAD_ORDER"),
        ({"tif": TimeInForce.GTD, "expire_ts": 5}, "BAD_ORDER"),
    ],
)
def test_an_order_that_breaks_a_rule_is_rejected_with_its_code(changes: dict[str, Any], code: str) -> None:
    made = venue()
    made.receive(submit("o1", **changes), 10, 0)
    (report,) = made.outbox
    assert isinstance(report, OrderRejected)
    assert report.code == code
    assert made.working == 0


def test_an_order_id_is_used_once() -> None:
    made = venue()
    made.receive(submit(), 10, 0)
    made.receive(submit(), 11, 0)
    assert [type(report) for report in made.outbox] == [OrderAccepted, OrderRejected]
    assert made.working == 1


@pytest.mark.parametrize("changes", [{"stop_ticks": 980}, {"px_ticks": 123_456}, {"lots": 5_001}])
def test_a_refused_amendment_leaves_the_order_as_it_was(changes: dict[str, int]) -> None:
    made = venue()
    made.receive(submit(), 10, 0)
    made.receive(AmendOrder("o1", COARSE.id, 11, **changes), 11, 11)
    assert isinstance(made.outbox[-1], AmendRejected)
    order = made.books[COARSE.id].orders["o1"]
    assert (order.lots, order.px_ticks, order.stop_ticks) == (10, 990, None)
