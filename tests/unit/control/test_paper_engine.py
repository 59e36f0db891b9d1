"""Trading on paper by calls."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lanner.control import paper_engine
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
    assert engine.get_balance() == 10_000 - paid - paid / 1000
    assert float(engine.get_position("BTC-USDT").qty) == 10
    assert engine.sell("BTC-USDT", 10).status is OrderStatus.FILLED
    assert engine.get_stats().total_commission == (paid + 990) / 1000
    assert engine.get_equity() == engine.get_balance()


def test_a_limit_order_rests_until_the_market_comes_to_it() -> None:
    told: list[str] = []
    bus = MessageBus()
    bus.subscribe("order.*", lambda topic, order: told.append(topic))
    engine = started(FREE, bus)
    order = engine.buy("BTC-USDT", 1, 95)
    assert order.is_open
    assert engine.get_available_balance() == 10_000 - 95
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


def test_of_the_orders_that_ended_the_newest_are_kept_and_all_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(paper_engine, "KEPT", 3)
    engine = started(FREE)
    resting = engine.buy("BTC-USDT", 1, 50)
    orders = [engine.buy("BTC-USDT", 1) for _ in range(5)]
    assert [engine.order(one.order_id) is None for one in orders] == [True, True, False, False, False]
    assert orders[0].status is OrderStatus.FILLED, "a view of it can still be read"
    assert [one.order_id for one in engine.open_orders()] == [resting.order_id]
    stats = engine.get_stats()
    assert (stats.orders, stats.open_orders, stats.fills) == (6, 1, 5)
    assert engine.get_available_balance() == 10_000 - 5 * 101 - 50


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
    assert engine.get_stats().orders == 0


def test_a_perpetual_may_be_sold_short() -> None:
    engine = PaperTradingEngine(FREE)
    engine.start()
    engine.update_price("BTC-PERP", 100.0)
    engine.sell("BTC-PERP", 10)
    engine.update_price("BTC-PERP", 90.0)
    assert engine.get_equity() == 10_100
    engine.buy("BTC-PERP", 10)
    assert engine.get_balance() == 10_100
    assert engine.get_stats().realized_pnl == 100


def test_fills_can_be_delayed_and_a_reset_begins_anew() -> None:
    engine = PaperTradingEngine(PaperTradingConfig(fill_delay_ms=100, commission_rate=Decimal(0)))
    engine.start()
    engine.update_price("BTC-USDT", 100.0, ts=10**9)
    order = engine.buy("BTC-USDT", 1)
    assert not order.is_final
    engine.tick(2 * 10**18)
    assert order.is_final
    engine.reset()
    assert engine.get_balance() == 10_000
    assert engine.get_stats().orders == 0


def test_what_trading_came_to_is_counted_and_drawn() -> None:
    engine = started(PaperTradingConfig(commission_rate=Decimal("0.001"), slippage=Decimal(0)))
    assert engine.get_stats().profit_factor == 0
    for bought, sold in ((100, 110), (100, 120), (100, 90)):
        engine.update_price("BTC-PERP", bought)
        engine.buy("BTC-PERP", 2)
        engine.update_price("BTC-PERP", sold)
        engine.sell("BTC-PERP", 1)
        engine.sell("BTC-PERP", 1)
    stats = engine.get_stats()
    assert (stats.orders, stats.fills, stats.open_orders) == (9, 9, 0)
    assert (stats.total_trades, stats.winning_trades, stats.losing_trades) == (6, 4, 2)
    assert (stats.avg_win, stats.avg_loss) == (15, 10)
    assert stats.win_rate == pytest.approx(100 * 4 / 6)
    assert stats.profit_factor == 3
    assert stats.realized_pnl == 40
    assert stats.total_commission == Decimal("0.001") * (600 + 220 + 240 + 180)
    assert stats.total_pnl == 40 - stats.total_commission == stats.current_balance - 10_000
    assert stats.total_return_pct == pytest.approx(float(stats.total_pnl) / 100)
    curve = engine.get_equity_curve()
    peak = max(worth for _, worth in curve)
    assert stats.max_drawdown == pytest.approx(float(1 - curve[-1][1] / peak))
    assert stats.max_drawdown > 0
    newest = engine.get_trade_history(2)
    assert [(one.side, one.qty, one.px, one.pnl) for one in newest] == [("SELL", 1, 90, -10)] * 2
    assert engine.get_trade_history()[-1].pnl is None
    engine.reset()
    assert engine.get_stats().fills == 0
    engine.start()
    engine.update_price("BTC-PERP", 100)
    engine.buy("BTC-PERP", 1)
    engine.update_price("BTC-PERP", 101)
    engine.sell("BTC-PERP", 1)
    assert engine.get_stats().profit_factor == float("inf")
