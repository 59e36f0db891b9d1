"""Orders of other programs, taken over: whose they are."""

from __future__ import annotations

from decimal import Decimal

from lanner.live.build import build_engine, make_plan
from lanner.live.config import SessionConfig
from lanner.live.foreign import adopt, adoption
from lanner.model.accounts import VenueOrder
from lanner.model.enums import Liquidity, OrderStatus, OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.reports import OrderFilled

ONE = Instrument.spot("BTC-USDT.BINANCE", tick="0.01", lot="0.00001")
OTHER = Instrument.spot("ETH-USDT.BINANCE", tick="0.01", lot="0.0001")


def test_an_order_of_an_instrument_that_no_strategy_trades_is_the_first_strategys() -> None:
    config = SessionConfig(
        mode="live",
        instruments=[ONE.id, OTHER.id],
        strategies=[{"strategy": "lanner.live.idle:Idle", "instruments": [ONE.id]}],
    )
    engine = build_engine(make_plan(config, {ONE.id: ONE, OTHER.id: OTHER}), "foreign")
    engine.start(1)
    told = VenueOrder(
        OTHER.id, "", "theirs", "77", Side.BUY, OrderType.LIMIT, 100, 0, OrderStatus.ACCEPTED, 200_000
    )
    adopt(engine, adoption(engine, "theirs", told, ()))
    [strategy] = engine.desks
    [order] = engine.execution.open_orders(strategy)
    assert (order.order_id, order.instrument_id) == ("theirs", OTHER.id)
    fill = OrderFilled(
        "theirs", OTHER.id, 2, 2, "t1", Side.BUY, 200_000, 100, Decimal(0), Liquidity.MAKER, 200_000
    )
    engine.step(fill)
    assert order.status is OrderStatus.FILLED
    assert engine.portfolio.positions[strategy, OTHER.id].lots == 100
