"""The risk engine: each check at its limit, what reduces passes, losses change what may be traded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lanner.core.clock import LogicalClock
from lanner.model.enums import Liquidity, OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.market import Quote
from lanner.model.orders import Order
from lanner.model.reports import OrderFilled
from lanner.portfolio.portfolio import Portfolio
from lanner.risk.engine import DAY_NS, RiskEngine
from lanner.risk.gate import Gate, TradingState
from lanner.risk.rules import RiskRules, ScopedRules, ScopeKind

BTC = Instrument.perp("BTCUSDT-PERP.TEST", tick="0.1", lot="0.1", max_leverage=10)
ETH = Instrument.perp("ETHUSDT-PERP.OTHER", tick="0.1", lot="0.1", max_leverage=10)
SECOND = 1_000_000_000


class Desk:
    """A portfolio of two strategies with 1,000 each, a market, and a risk engine over them."""

    def __init__(self, *scoped: ScopedRules, **rules: Any) -> None:
        self.marks: dict[str, float] = {BTC.id: 100.0, ETH.id: 10.0}
        self.quotes: dict[str, Quote] = {}
        self.trades: dict[str, Any] = {}
        self.bars: dict[str, Any] = {}
        self.clock = LogicalClock(DAY_NS)
        self.portfolio = Portfolio("USDT", {}, self.marks)
        self.portfolio.add_strategy("a", Decimal(1000))
        self.portfolio.add_strategy("b", Decimal(1000))
        self.gate = Gate()
        self.working: list[Order] = []
        own = [ScopedRules(RiskRules(**rules))] if rules else []
        self.risk = RiskEngine(
            [*own, *scoped], self.clock, self.portfolio, self, self.gate, lambda: self.working
        )
        self.number = 0

    def order(
        self, lots: int, side: Side = Side.BUY, strategy: str = "a", of: Instrument = BTC, **more: Any
    ) -> Order:
        self.number += 1
        kind = OrderType.LIMIT if "px_ticks" in more else OrderType.MARKET
        return Order(f"o{self.number}", strategy, of, side, kind, lots, 0, **more)

    def why(self, order: Order) -> str:
        position = self.portfolio.position(order.strategy_id, order.instrument)
        own = [
            o for o in self.working if o.strategy_id == order.strategy_id and o.instrument is order.instrument
        ]
        denial = self.risk.check(order, position, own)
        return "" if denial is None else denial.code

    def hold(self, lots: int, strategy: str = "a", of: Instrument = BTC, px_ticks: int = 1000) -> None:
        side = Side.BUY if lots > 0 else Side.SELL
        self.number += 1
        report = OrderFilled(
            "x",
            of.id,
            0,
            0,
            f"t{self.number}",
            side,
            px_ticks,
            abs(lots),
            Decimal(0),
            Liquidity.TAKER,
            px_ticks,
        )
        self.portfolio.apply_fill(strategy, of, report)

    def look(self) -> bool:
        self.risk.look(self.clock.now)
        return self.risk.take_kill()


@pytest.mark.parametrize(
    ("rules", "most", "code"),
    [
        ({"max_position_size": Decimal(500)}, 50, "POSITION_SIZE_EXCEEDED"),
        ({"max_order_value": Decimal(500)}, 50, "ORDER_VALUE_EXCEEDED"),
        ({"max_position_per_symbol": Decimal(500)}, 50, "POSITION_SIZE_EXCEEDED"),
        ({"max_exposure": Decimal(500)}, 50, "POSITION_SIZE_EXCEEDED"),
        ({"max_leverage": Decimal("0.25")}, 50, "LEVERAGE_EXCEEDED"),
    ],
)
def test_a_market_order_is_valued_at_the_mark_and_passes_up_to_the_limit(
    rules: dict[str, Any], most: int, code: str
) -> None:
    desk = Desk(**rules)  # a lot is worth 10 at the mark
    assert desk.why(desk.order(most)) == ""
    assert desk.why(desk.order(most + 1)) == code


def test_what_is_held_and_what_works_counts_in_the_exposure_of_a_symbol() -> None:
    desk = Desk(max_position_per_symbol=Decimal(1000))
    desk.hold(40)
    desk.working.append(desk.order(30, px_ticks=1000))
    assert desk.why(desk.order(30)) == ""
    assert desk.why(desk.order(31)) == "POSITION_SIZE_EXCEEDED"


def test_an_order_at_the_limit_of_the_account_is_refused_whoever_of_the_strategies_sends_it() -> None:
    desk = Desk(max_exposure=Decimal(1000))
    desk.hold(90, "b")
    assert desk.why(desk.order(11, strategy="a")) == "POSITION_SIZE_EXCEEDED"
    assert desk.why(desk.order(10, strategy="a")) == ""


def test_what_reduces_is_never_refused_as_new_exposure() -> None:
    desk = Desk(
        max_position_size=Decimal(1),
        max_leverage=Decimal("0.01"),
        max_orders_per_minute=1,
        allowed_symbols=("ETHUSDT-PERP",),
        max_quote_age_s=1.0,
        max_spread=Decimal("0.0001"),
    )
    desk.hold(50)
    for _ in range(3):
        assert desk.why(desk.order(50, Side.SELL)) == ""
    assert desk.why(desk.order(51, Side.SELL)) == "SYMBOL_NOT_ALLOWED"


def test_a_position_without_a_price_stops_new_orders_and_not_the_way_out() -> None:
    desk = Desk(max_exposure=Decimal(10**9))
    desk.hold(5, of=ETH)
    del desk.marks[ETH.id]
    assert desk.why(desk.order(1)) == "NO_PRICE"
    assert desk.why(desk.order(5, Side.SELL, of=ETH)) == ""


def test_without_a_price_an_unpriced_position_is_not_taken_for_a_loss() -> None:
    desk = Desk(kill_switch_threshold=Decimal(1))
    assert not desk.look()
    desk.hold(5, of=ETH)
    del desk.marks[ETH.id]
    assert not desk.look()
    assert not desk.risk.killed


def test_orders_are_counted_over_the_last_minute_of_the_engines_time() -> None:
    desk = Desk(max_orders_per_minute=2)
    assert [desk.why(desk.order(1)) for _ in range(3)] == ["", "", "ORDER_RATE_EXCEEDED"]
    desk.clock.now += 60 * SECOND
    assert desk.why(desk.order(1)) == ""


def test_the_days_loss_lets_only_reduce_until_the_next_day_in_utc() -> None:
    desk = Desk(max_daily_loss=Decimal(100))
    desk.look()
    desk.hold(50)
    desk.marks[BTC.id] = 80.0
    desk.look()
    assert desk.gate.state is TradingState.ACTIVE
    desk.marks[BTC.id] = 79.9
    desk.look()
    assert desk.gate.state is TradingState.REDUCING
    assert desk.gate.kind == "daily_loss_exceeded"
    assert desk.why(desk.order(1)) == "DAILY_LOSS_EXCEEDED"
    assert desk.why(desk.order(1, Side.SELL)) == ""
    desk.marks[BTC.id] = 100.0
    desk.look()
    assert desk.gate.state is TradingState.REDUCING  # it was reached on this day
    desk.clock.now += DAY_NS
    desk.look()
    assert desk.gate.state is TradingState.ACTIVE


def test_the_days_loss_as_a_share_of_the_first_equity() -> None:
    desk = Desk(max_daily_loss_pct=Decimal("0.05"))
    desk.look()
    desk.hold(50)
    desk.marks[BTC.id] = 79.9  # -100.5 of 2,000
    desk.look()
    assert desk.gate.kind == "daily_loss_exceeded"


def test_a_drawdown_stays_until_somebody_decides() -> None:
    desk = Desk(max_drawdown_pct=Decimal("0.10"))
    desk.look()
    desk.hold(50)
    desk.marks[BTC.id] = 200.0  # 2,500
    desk.look()
    desk.marks[BTC.id] = 149.0  # 2,245: 10.2 % below the peak
    desk.look()
    assert desk.gate.kind == "max_drawdown_exceeded"
    desk.clock.now += 3 * DAY_NS
    desk.look()
    assert desk.gate.state is TradingState.REDUCING
    desk.risk.release()
    desk.look()
    assert desk.gate.state is TradingState.ACTIVE


def test_a_loss_above_the_threshold_ends_all_trading_once() -> None:
    desk = Desk(kill_switch_threshold=Decimal(100))
    desk.look()
    desk.hold(50)
    desk.marks[BTC.id] = 79.0
    assert desk.look()
    assert not desk.look()
    assert desk.gate.state is TradingState.HALTED
    assert desk.why(desk.order(1, Side.SELL)) == "KILL_SWITCH_ACTIVE"
    assert desk.risk.get_stats()["kill_switch_triggers"] == 1


def test_rules_for_a_part_bind_only_that_part() -> None:
    desk = Desk(
        ScopedRules(RiskRules(max_order_value=Decimal(50)), ScopeKind.STRATEGY, "b"),
        ScopedRules(RiskRules(max_order_value=Decimal(50)), ScopeKind.INSTRUMENT, ETH.id),
        ScopedRules(RiskRules(max_exposure=Decimal(70)), ScopeKind.VENUE, "OTHER"),
    )
    assert desk.why(desk.order(100)) == ""
    assert desk.why(desk.order(6, strategy="b")) == "ORDER_VALUE_EXCEEDED"
    assert desk.why(desk.order(51, of=ETH)) == "ORDER_VALUE_EXCEEDED"
    desk.hold(50, of=ETH, px_ticks=100)
    assert desk.why(desk.order(21, of=ETH)) == "POSITION_SIZE_EXCEEDED"


def test_a_loss_in_a_part_stops_that_part_only() -> None:
    desk = Desk(ScopedRules(RiskRules(max_daily_loss=Decimal(10)), ScopeKind.STRATEGY, "b"))
    desk.look()
    desk.hold(50, "b")
    desk.marks[BTC.id] = 97.0
    desk.look()
    assert desk.gate.state is TradingState.ACTIVE
    assert desk.why(desk.order(1, strategy="b")) == "DAILY_LOSS_EXCEEDED"
    assert desk.why(desk.order(1, strategy="a")) == ""


def test_a_collar_refuses_prices_far_from_the_mark_on_both_sides() -> None:
    desk = Desk(price_collar=Decimal("0.05"))
    assert desk.why(desk.order(1, px_ticks=1050)) == ""
    assert desk.why(desk.order(1, px_ticks=1051)) == "PRICE_COLLAR_EXCEEDED"
    assert desk.why(desk.order(1, px_ticks=949)) == "PRICE_COLLAR_EXCEEDED"
    desk.hold(10)
    assert desk.why(desk.order(10, Side.SELL, px_ticks=2000)) == ""  # a target waits
    assert desk.why(desk.order(10, Side.SELL, px_ticks=900)) == "PRICE_COLLAR_EXCEEDED"


def test_old_quotes_and_wide_spreads_stop_new_orders() -> None:
    desk = Desk(max_quote_age_s=2.0, max_spread=Decimal("0.001"))
    assert desk.why(desk.order(1)) == "STALE_DATA"
    desk.quotes[BTC.id] = Quote(BTC.id, desk.clock.now, desk.clock.now, 99.95, 1.0, 100.05, 1.0, 0)
    assert desk.why(desk.order(1)) == ""
    desk.clock.now += 2 * SECOND + 1
    assert desk.why(desk.order(1)) == "STALE_DATA"
    desk.quotes[BTC.id] = Quote(BTC.id, desk.clock.now, desk.clock.now, 99.9, 1.0, 100.1, 1.0, 0)
    assert desk.why(desk.order(1)) == "WIDE_SPREAD"


def test_prices_that_were_held_up_on_their_way_are_as_old_as_the_venue_says() -> None:
    desk = Desk(max_quote_age_s=2.0)
    now = desk.clock.now = 100 * SECOND
    desk.quotes[BTC.id] = Quote(BTC.id, now - 3 * SECOND, now, 99.95, 1.0, 100.05, 1.0, 0)
    assert desk.why(desk.order(1)) == "STALE_DATA"
    desk.quotes[BTC.id] = Quote(BTC.id, now + 3 * SECOND, now, 99.95, 1.0, 100.05, 1.0, 0)
    assert desk.why(desk.order(1)) == "", "a venue whose clock is ahead says nothing new"


def test_no_equity_is_told_as_missing_margin() -> None:
    desk = Desk(max_leverage=Decimal(3))
    desk.portfolio.capital = {"a": Decimal(0)}
    assert desk.why(desk.order(1)) == "INSUFFICIENT_MARGIN"


def test_the_venues_leverage_binds_where_it_is_lower_than_ours() -> None:
    spot = Instrument.spot("BTC-USDT.TEST", tick="0.1", lot="0.1")
    desk = Desk(max_leverage=Decimal(3))
    desk.marks[spot.id] = 100.0
    assert desk.why(desk.order(200, of=spot)) == ""
    assert desk.why(desk.order(201, of=spot)) == "INSUFFICIENT_MARGIN"


def test_the_presets_are_those_of_the_specification() -> None:
    default, careful = RiskRules.default(), RiskRules.conservative()
    assert (default.max_leverage, careful.max_leverage) == (3, 1)
    assert (default.max_orders_per_minute, careful.max_orders_per_minute) == (60, 30)
    assert (default.kill_switch_threshold, careful.kill_switch_threshold) == (10_000, 2_000)
    assert default.close_positions_on_kill_switch
    assert careful.close_positions_on_kill_switch
