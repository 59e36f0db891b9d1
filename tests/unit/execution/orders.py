"""Orders and venue reports for tests of the execution room."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from lanner.model.enums import Liquidity, OrderStatus, OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.model.reports import OrderFilled, OrderReport

PERP = Instrument.perp("BTCUSDT-PERP.TEST", tick="0.1", lot="0.001", max_leverage=10)
SPOT = Instrument.spot("BTC-USDT.TEST", tick="0.1", lot="0.001")
LEFT = [s for s in OrderStatus if s not in (OrderStatus.INITIALIZED, OrderStatus.DENIED, OrderStatus.HELD)]


def order(lots: int = 10, status: OrderStatus = OrderStatus.INITIALIZED, **more: Any) -> Order:
    made = Order(
        "o1", "s", PERP, more.pop("side", Side.BUY), more.pop("type", OrderType.MARKET), lots, 0, **more
    )
    made.status = status
    return made


def report(kind: type[Any], ts: int = 1, order_id: str = "o1", **fields: Any) -> Any:
    return kind(order_id, PERP.id, ts, ts, **fields)


def fill(
    trade: str,
    lots: int,
    px: int = 100,
    ts: int = 1,
    order_id: str = "o1",
    side: Side = Side.BUY,
    fee: str = "0",
) -> OrderFilled:
    return OrderFilled(order_id, PERP.id, ts, ts, trade, side, px, lots, Decimal(fee), Liquidity.TAKER, px)


Reports = list[OrderReport]
