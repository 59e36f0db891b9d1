"""What a venue cannot do is denied before it leaves, with the reason; what it can do leaves as ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from lanner.engine.engine import Engine
from lanner.live.build import Plan, build_engine, products_of_session
from lanner.live.config import SessionConfig
from lanner.model.commands import SubmitOrder
from lanner.model.enums import OrderStatus, OrderType
from lanner.model.instruments import Instrument
from lanner.model.market import Quote
from lanner.model.reports import OrderAccepted

CODE = """
import lanner as ln


class Wish(ln.Strategy):
    def on_quote(self, quote):
        if not self.open_orders:
            {wish}
"""


def engine_for(tmp_path: Path, wish: str, instrument: Instrument) -> Engine:
    path = tmp_path / "wish.py"
    path.write_text(CODE.format(wish=wish))
    config = SessionConfig(strategy=str(path), instruments=[instrument.id], cash=100_000, leverage=5)
    plan = Plan(config, {instrument.id: instrument}, instrument.settle, products_of_session(config))
    engine = build_engine(plan, "abilities")
    engine.start(1)
    return engine


def decide(engine: Engine) -> list[SubmitOrder]:
    [name] = engine.cache.instruments
    commands = engine.step(Quote(name, 2, 2, 59_999.0, 1.0, 60_001.0, 1.0))
    return [command for command in commands if isinstance(command, SubmitOrder)]


HYPERLIQUID = Instrument.perp("BTC-PERP.HYPERLIQUID", tick="1", lot="0.001")
HYPERLIQUID_SPOT = Instrument.spot("HYPE-USDC.HYPERLIQUID", tick="0.001", lot="0.01")
SPOT = Instrument.spot("BTC-USDT.BINANCE", tick="0.01", lot="0.00001")
USDM = Instrument.perp("BTCUSDT-PERP.BINANCE", tick="0.1", lot="0.001")


@pytest.mark.parametrize(
    ("instrument", "wish", "words"),
    [
        (HYPERLIQUID, 'self.sell(0.01, trail="2%", reduce_only=True)', "no trailing stop orders"),
        (HYPERLIQUID, "self.buy(0.01, 59000, display_qty=0.001)", "no iceberg orders"),
        (HYPERLIQUID, "self.buy(0.01, 59000, tif=ln.TimeInForce.FOK)", "no fok orders"),
        (HYPERLIQUID, 'self.target(0.5, trail="2%")', "no trailing stop, which shall protect"),
        (SPOT, "self.buy(0.01, 59000, tif=ln.TimeInForce.GTD, expire=10**18)", "no gtd orders"),
        (USDM, "self.buy(0.01, 59000, display_qty=0.001)", "no iceberg orders"),
        (HYPERLIQUID_SPOT, 'self.target(0.5, stop="2%")', "no stop market, which shall protect"),
        (HYPERLIQUID_SPOT, "self.sell(1, stop_px=50000)", "no stop market orders"),
        (USDM, 'self.target(0.5, trail="15%")', "what shall protect this order: the venue trails by 0.1 %"),
        (SPOT, "self.sell(0.01, trail=100)", "spot trails by a fraction"),
        (SPOT, "self.buy(0.01, 59000, reduce_only=True)", "cannot be reduce-only"),
    ],
)
def test_what_the_venue_cannot_do_is_denied(
    tmp_path: Path, instrument: Instrument, wish: str, words: str
) -> None:
    engine = engine_for(tmp_path, wish, instrument)
    assert decide(engine) == []
    [order] = engine.execution.orders.values()
    assert order.status is OrderStatus.DENIED
    assert words in order.reason
    assert order.reject_code == "VENUE_CAPABILITIES"


@pytest.mark.parametrize(
    ("instrument", "wish"),
    [
        (USDM, 'self.sell(0.01, trail="2%", reduce_only=True)'),
        (SPOT, "self.buy(0.01, 59000, display_qty=0.001)"),
        (HYPERLIQUID, 'self.target(0.5, stop="2%", take="4%")'),
    ],
)
def test_what_the_venue_has_leaves(tmp_path: Path, instrument: Instrument, wish: str) -> None:
    [command] = decide(engine_for(tmp_path, wish, instrument))
    assert command.type in (OrderType.TRAILING_STOP, OrderType.LIMIT, OrderType.MARKET)


def test_an_amend_is_denied_where_orders_cannot_be_changed(tmp_path: Path) -> None:
    engine = engine_for(tmp_path, "self.buy(0.01, 59000)", USDM)
    engine.execution.abilities.forbid(USDM.id, ["amend"])
    [command] = decide(engine)
    engine.step(OrderAccepted(command.order_id, USDM.id, 3, 3, "v1"))
    order = engine.execution.orders[command.order_id]
    assert not engine.execution.amend(order, None, order.px_ticks - 10 if order.px_ticks else None, None)
    assert "cannot amend" in order.reason
    assert order.status is OrderStatus.ACCEPTED
