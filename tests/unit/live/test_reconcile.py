"""What a venue's word makes of an order that we are not sure of."""

from __future__ import annotations

from lanner.live.reconcile import LAG_NS, settle_order
from lanner.model.accounts import VenueFill, VenueOrder
from lanner.model.enums import OrderStatus, OrderType, Side
from lanner.model.reports import CONCLUDED, OrderFilled, OrderRejected
from tests.unit.execution.orders import PERP, fill, order

HEARD = 1_000_000_000_000


def told(cum: int, status: OrderStatus) -> VenueOrder:
    return VenueOrder(
        PERP.id, "o1", "o1", "7", Side.BUY, OrderType.LIMIT, 10, cum, status, 100, avg_px=10.0, ts_last=HEARD
    )


def test_a_fill_that_the_venue_counts_and_does_not_list_is_concluded_only_when_the_list_had_time() -> None:
    one = order(10, OrderStatus.ACCEPTED, px_ticks=100)
    end = told(10, OrderStatus.FILLED)
    assert settle_order(one, end, [], HEARD + LAG_NS - 1, absence_ns=LAG_NS) == []
    (report,) = settle_order(one, end, [], HEARD + LAG_NS, absence_ns=LAG_NS)
    assert isinstance(report, OrderFilled)
    assert report.trade_id.startswith(CONCLUDED)
    assert report.lots == 10


def test_the_end_of_an_order_waits_for_its_fills() -> None:
    one = order(10, OrderStatus.ACCEPTED, px_ticks=100)
    end = told(4, OrderStatus.CANCELED)
    assert settle_order(one, end, [], HEARD, absence_ns=LAG_NS) == []
    listed = [VenueFill(fill("t1", 4), "7")]
    kinds = [type(report).__name__ for report in settle_order(one, end, listed, HEARD, absence_ns=LAG_NS)]
    assert kinds == ["OrderFilled", "OrderCanceled"]


def test_an_order_that_never_arrived_is_given_up_although_it_is_asked_back_again_and_again() -> None:
    one = order(10, OrderStatus.UNKNOWN, px_ticks=100)
    one.venue_order_id = ""
    one.ts_last = HEARD  # a cancel, a moment ago
    assert settle_order(one, None, [], HEARD + 1, absence_ns=LAG_NS, missing_ns=LAG_NS - 1) == []
    (report,) = settle_order(one, None, [], HEARD + 1, absence_ns=LAG_NS, missing_ns=LAG_NS)
    assert isinstance(report, OrderRejected)
    assert report.code == "NEVER_ARRIVED"


def test_a_concluded_fill_without_any_price_has_the_markets() -> None:
    market = order(10, OrderStatus.ACCEPTED)
    end = VenueOrder(
        market.instrument_id, market.order_id, "v", "", market.side, market.type, 10, 10, OrderStatus.FILLED
    )
    [concluded] = settle_order(market, end, [], 10 * LAG_NS, absence_ns=LAG_NS, mark_px=99.97)
    assert isinstance(concluded, OrderFilled)
    assert (concluded.lots, concluded.px_ticks) == (10, 1000)
