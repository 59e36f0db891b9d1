"""What a venue's word makes of an order that we are not sure of."""

from __future__ import annotations

from lanner.live.reconcile import ADJUSTED, LAG_NS, settle_order
from lanner.model.accounts import VenueFill, VenueOrder
from lanner.model.enums import OrderStatus, OrderType, Side
from lanner.model.reports import OrderFilled
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
    assert report.trade_id.startswith(ADJUSTED)
    assert report.lots == 10


def test_the_end_of_an_order_waits_for_its_fills() -> None:
    one = order(10, OrderStatus.ACCEPTED, px_ticks=100)
    end = told(4, OrderStatus.CANCELED)
    assert settle_order(one, end, [], HEARD, absence_ns=LAG_NS) == []
    listed = [VenueFill(fill("t1", 4), "7")]
    kinds = [type(report).__name__ for report in settle_order(one, end, listed, HEARD, absence_ns=LAG_NS)]
    assert kinds == ["OrderFilled", "OrderCanceled"]
