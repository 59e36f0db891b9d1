"""Trading on paper by calls."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lanner.control.paper_engine import PaperOrderError, PaperTradingConfig, PaperTradingEngine
from lanner.core.bus import MessageBus
from lanner.model.enums import OrderStatus

FREE = PaperTradingConfig(commission_rate=Decimal(0), slippage=Decimal(0))


def started(config: PaperTradingConfig | None = None, bus: MessageBus | None = None) -> PaperTradingEngine:
    engine = PaperTradingEngine(config, bus)
    engine.start()
    engine.update_price("BTC-USDT", 100.0, 101.0)
    return engine


def test_a_market_order_fills_at_the_other_side_moved_by_the_slippage_and_pays_the_commission() -> None:
    engine = started(PaperTradingConfig(slippage=Decimal("0.01"), commission_rate=Decimal("0.001")))
    order = engine.buy("BTC-USDT", 10)
    assert order.order_id == "paper-1000"
    assert order.status is OrderStatus.FILLED
    assert float(order.avg_px) == pytest.approx(102.01)
    paid = Decimal("1020.1")
    assert engine.balance() == 10_000 - paid - paid / 1000
    assert float(engine.position("BTC-USDT").qty) == 10
    assert engine.sell("BTC-USDT", 10).status is OrderStatus.FILLED
    assert engine.stats().commission == (paid + 990) / 1000
    assert engine.equity() == engine.balance()


def test_a_limit_order_rests_until_the_market_comes_to_it() -> None:
    told: list[str] = []
    bus = MessageBus()
    bus.subscribe("order.*", lambda topic, order: told.append(topic))
    engine = started(FREE, bus)
    order = engine.buy("BTC-USDT", 1, 95)
    assert order.is_open
    assert engine.available_balance() == 10_000 - 95
    engine.update_price("BTC-USDT", 95.5, 96.0)
    engine.tick()
    assert engine.open_orders()
    engine.update_price("BTC-USDT", 94.0, 95.0)
    assert not engine.open_orders()
    assert float(order.avg_px) == 95
    assert told == ["order.filled"]
    resting = engine.sell("BTC-USDT", 1, 200)
    assert engine.cancel_order(resting.order_id)
    assert not engine.cancel_order(resting.order_id)
    assert told[-1] == "order.cancelled"


def test_what_cannot_be_taken_has_its_number() -> None:
    engine = PaperTradingEngine()
    with pytest.raises(PaperOrderError) as error:
        engine.buy("BTC-USDT", 1)
    assert error.value.number == 6001
    engine.start()
    for act, number in ((engine.buy, 5001), (engine.sell, 5002)):
        with pytest.raises(PaperOrderError) as error:
            act("BTC-USDT", 1)
        assert error.value.number == number
    engine.update_price("BTC-USDT", 100.0)
    for act in (engine.buy, engine.sell):
        with pytest.raises(PaperOrderError) as error:
            act("BTC-USDT", 101)
        assert error.value.number == 5003
    assert engine.stats().orders == 0


def test_a_perpetual_may_be_sold_short() -> None:
    engine = PaperTradingEngine(FREE)
    engine.start()
    engine.update_price("BTC-PERP", 100.0)
    engine.sell("BTC-PERP", 10)
    engine.update_price("BTC-PERP", 90.0)
    assert engine.equity() == 10_100
    engine.buy("BTC-PERP", 10)
    assert engine.balance() == 10_100
    assert engine.stats().realized_pnl == 100


def test_fills_can_be_delayed_and_a_reset_begins_anew() -> None:
    engine = PaperTradingEngine(PaperTradingConfig(fill_delay_ms=100, commission_rate=Decimal(0)))
    engine.start()
    engine.update_price("BTC-USDT", 100.0, ts=10**9)
    order = engine.buy("BTC-USDT", 1)
    assert not order.is_final
    engine.tick(2 * 10**18)
    assert order.is_final
    engine.reset()
    assert engine.balance() == 10_000
    assert engine.stats().orders == 0
