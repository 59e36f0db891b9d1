"""The engine with small strategies: who is called when, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from lanner.core.clock import TimerEvent
from lanner.core.errors import ConfigError, LannerError, StrategyError
from lanner.engine.engine import Engine
from lanner.model.commands import CancelOrder, SubmitOrder
from lanner.model.enums import Liquidity, OrderStatus, Side
from lanner.model.instruments import Instrument
from lanner.model.market import Bar, Quote, Trade
from lanner.model.orders import OrderView
from lanner.model.reports import Fill, OrderFilled
from lanner.model.timeframes import series_id
from lanner.portfolio.snapshots import PositionSnapshot
from lanner.risk.checks import RiskLimits
from lanner.strategy.base import Strategy

PERP = Instrument.perp("BTCUSDT-PERP.TEST", tick="0.1", lot="0.001", max_leverage=10)
OTHER = Instrument.perp("ETHUSDT-PERP.TEST", tick="0.1", lot="0.001", max_leverage=10)
HOUR = 3_600_000_000_000
T0 = 1_704_067_200_000_000_000


def bar(number: int, close: float = 100.0, timeframe: str = "1h", instrument: Instrument = PERP) -> Bar:
    end = T0 + (number + 1) * HOUR
    return Bar(series_id(instrument.id, timeframe), end, end, end - HOUR, close, close, close, close, 1.0)


def engine(
    *strategies: Strategy,
    bars: tuple[str, ...] = ("1h",),
    ticks: tuple[str, ...] = (),
    start: bool = True,
    **more: Any,
) -> Engine:
    made = Engine({PERP.id: PERP, OTHER.id: OTHER}, "USDT", **more)
    for strategy in strategies:
        made.add_strategy(strategy, Decimal(1000))
    for spec in bars:
        made.subscriptions.add_source("bars", PERP.id, spec)
    for kind in ticks:
        made.subscriptions.add_source(kind, PERP.id)
    if start:
        made.start(T0)
    return made


def fill(order: OrderView, trade: str, lots: int, ts: int, px: int = 1000) -> OrderFilled:
    return OrderFilled(
        order.order_id, PERP.id, ts, ts, trade, order.side, px, lots, Decimal(0), Liquidity.TAKER, px
    )


class Diary(Strategy):
    """Writes down what it is told, and does in each handler what the test wants."""

    timeframe = "1h"

    def __init__(self, **plans: Callable[[Diary, Any], object]) -> None:
        super().__init__()
        self.plans = plans
        self.told: list[tuple[str, Any]] = []

    def note(self, handler: str, news: Any) -> None:
        self.told.append((handler, news))
        if handler in self.plans:
            self.plans[handler](self, news)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.told]

    def on_start(self) -> None:
        if "start" in self.plans:
            self.plans["start"](self, None)
        else:
            self.bars()

    def on_bar(self, bar: Bar) -> None:
        self.note("bar", bar)

    def on_timer(self, timer: TimerEvent) -> None:
        self.note("timer", timer)

    def on_order(self, order: OrderView) -> None:
        self.note("order", order)

    def on_fill(self, fill: Fill) -> None:
        self.note("fill", fill)


# -- warm-up and series ----------------------------------------------------------------------------


def test_the_handler_waits_until_its_indicators_are_warm() -> None:
    one = Diary(start=lambda self, _: self.bars().sma(3))
    running = engine(one)
    for number in range(5):
        running.step(bar(number))
    assert [b.ts_event for _, b in one.told] == [T0 + n * HOUR for n in (3, 4, 5)]


def test_bars_before_the_start_warm_indicators_up_without_calling_handlers() -> None:
    one = Diary(start=lambda self, _: self.bars().sma(3))
    running = engine(one)
    for number in range(-3, 0):
        running.warm_bar(bar(number))
    assert one.told == []
    running.step(bar(0))
    assert one.names == ["bar"]


def test_the_handler_waits_for_the_slowest_of_several_series_of_one_timeframe() -> None:
    def declare(self: Diary, _: Any) -> None:
        self.bars().sma(2)
        self.bars().sma(4)

    one = Diary(start=declare)
    running = engine(one)
    for number in range(5):
        running.step(bar(number))
    assert len(one.told) == 2


def test_coarser_bars_are_built_from_finer_ones_and_told_before_them() -> None:
    def declare(self: Diary, _: Any) -> None:
        self.bars("1h")
        self.bars("2h")

    one = Diary(start=declare)
    running = engine(one)
    for number, close in enumerate((10.0, 20.0, 30.0, 5.0)):
        running.step(bar(number, close))
    assert [b.timeframe for _, b in one.told] == ["1h", "2h", "1h", "1h", "2h", "1h"]
    built = [b for _, b in one.told if b.timeframe == "2h"]
    assert [(b.open, b.high, b.low, b.close, b.volume) for b in built] == [
        (10.0, 20.0, 10.0, 20.0, 2.0),
        (30.0, 30.0, 5.0, 5.0, 2.0),
    ]


def test_two_strategies_hear_the_same_bar_in_the_order_of_their_seats() -> None:
    heard: list[str] = []
    strategies = []
    for name in ("b", "a"):
        made = Diary(bar=lambda self, _: heard.append(self.id))
        made.id = name
        strategies.append(made)
    engine(*strategies).step(bar(0))
    assert heard == ["b", "a"]


def test_bars_that_nothing_can_be_built_from_are_refused_with_what_there_is() -> None:
    with pytest.raises(LannerError, match=r"no 30m bars of BTCUSDT-PERP\.TEST.*found 1h"):
        engine(Diary(start=lambda self, _: self.bars("30m")))


@pytest.mark.parametrize("verb", ["bars", "quotes", "trades"])
def test_series_declared_after_the_start_are_refused(verb: str) -> None:
    late = Diary(bar=lambda self, _: getattr(self, verb)())
    running = engine(late, ticks=("quotes", "trades"))
    with pytest.raises(StrategyError, match=rf"{verb} must be declared in on_start.*Move the call there"):
        running.step(bar(0))


def test_two_strategies_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="two strategies are called 'Diary'"):
        engine(Diary(), Diary())


# -- timers ----------------------------------------------------------------------------------------


def test_timers_fire_before_the_input_that_is_due_with_them_at_their_own_time() -> None:
    seen: list[int] = []

    def declare(self: Diary, _: Any) -> None:
        self.bars()
        self.set_timer("half", every="30m")

    one = Diary(start=declare, timer=lambda self, _: seen.append(self.now))
    running = engine(one)
    running.step(bar(0))
    running.step(bar(1))
    assert one.names == ["timer", "timer", "bar", "timer", "timer", "bar"]
    assert seen == [T0 + n * HOUR // 2 for n in (1, 2, 3, 4)]


@pytest.mark.parametrize(("every", "seconds"), [("7s", 7), ("20m", 1_200), ("2w", 14 * 86_400)])
def test_a_timer_takes_any_length_of_time(every: str, seconds: int) -> None:
    seen: list[int] = []
    one = Diary(
        start=lambda self, _: self.set_timer("t", every=every),
        timer=lambda self, _: seen.append(self.now),
    )
    period = seconds * 1_000_000_000
    first = (T0 // period + 1) * period
    engine(one).advance(first + period)
    assert seen == [first, first + period]


def test_a_timer_that_is_set_anew_for_its_own_moment_is_stopped() -> None:
    class Spin(Strategy):
        def on_start(self) -> None:
            self.set_timer("spin", at=self.now + 1)

        def on_timer(self, timer: TimerEvent) -> None:
            self.set_timer("spin", at=self.now)

    running = engine(Spin())
    with pytest.raises(LannerError, match="'spin' is set anew for the moment at which it fires"):
        running.advance(running.clock.now + 10)


def test_orders_of_a_timer_leave_when_the_clock_is_advanced() -> None:
    one = Diary(start=lambda self, _: self.set_timer("once", at=T0 + 5), timer=lambda self, _: self.buy(1))
    running = engine(one)
    assert running.advance(T0 + 4) == []
    [command] = running.advance(T0 + 5)
    assert isinstance(command, SubmitOrder)
    assert command.ts == T0 + 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "say either every or at"),
        ({"every": "5m", "at": T0 + 1}, "say either every or at"),
        ({"at": T0 - 1}, "a time not before now"),
        ({"every": "0s"}, "not a length of time"),
        ({"every": "100tick"}, "not a length of time"),
    ],
)
def test_timers_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        engine(Diary(start=lambda self, _: self.set_timer("t", **options)))


# -- orders ----------------------------------------------------------------------------------------


def test_a_fill_is_told_with_the_new_position_and_the_answer_leaves_in_the_same_step() -> None:
    one = Diary(bar=lambda self, _: self.buy(1), fill=lambda self, told: self.sell(told.qty, 110))
    running = engine(one)
    [command] = running.step(bar(0))
    assert isinstance(command, SubmitOrder)
    order = running.execution.find(command.order_id)
    [answer] = running.step(fill(OrderView(order), "t1", 1_000, T0 + HOUR + 1))
    assert isinstance(answer, SubmitOrder)
    assert (answer.side, answer.px_ticks, answer.lots) == (Side.SELL, 1100, 1_000)
    assert one.names == ["bar", "fill", "order"]
    assert one.position.qty == 1


def test_a_step_that_wants_nothing_returns_nothing() -> None:
    assert engine(Diary()).step(bar(0)) == []


def test_a_strategy_that_answers_denials_with_orders_without_end_is_stopped() -> None:
    one = Diary(bar=lambda self, _: self.buy(1), order=lambda self, _: self.buy(1))
    running = engine(one, limits=RiskLimits(max_order_notional=Decimal(1)))
    with pytest.raises(LannerError, match="answers its own orders' news without end"):
        running.step(bar(0))


def test_a_strategy_cannot_touch_the_orders_of_another() -> None:
    owner = Diary(bar=lambda self, _: self.buy(1))
    thief = Diary(bar=lambda self, _: self.cancel("run-o1"))
    thief.id = "thief"
    with pytest.raises(StrategyError, match=r"order run-o1 belongs to Diary"):
        engine(owner, thief).step(bar(0))


def test_a_cancel_leaves_as_a_command_and_the_order_waits_for_the_answer() -> None:
    def act(self: Diary, _: Any) -> None:
        self.cancel(self.buy(1, 90))

    one = Diary(bar=act)
    commands = engine(one).step(bar(0))
    assert [type(c) for c in commands] == [SubmitOrder, CancelOrder]
    [order] = one.open_orders
    assert order.status is OrderStatus.PENDING_CANCEL


def test_an_order_view_cannot_be_written_to() -> None:
    one = Diary(bar=lambda self, _: setattr(self.buy(1), "lots", 5))
    with pytest.raises(StrategyError, match=r"changed with self\.amend"):
        engine(one).step(bar(0))


# -- errors of user code ---------------------------------------------------------------------------


@pytest.mark.parametrize("handler", ["start", "bar", "timer", "order", "fill"])
def test_an_error_in_user_code_shows_the_users_line_and_the_time(handler: str) -> None:
    def breaks(self: Diary, _: Any) -> None:
        raise KeyError("my own mistake")

    plans: dict[str, Any] = {
        "start": lambda self, _: (self.bars(), self.set_timer("t", at=T0 + 1)),
        "bar": lambda self, _: self.buy(1),
    }
    plans[handler] = breaks

    def play() -> None:
        running = engine(Diary(**plans))
        running.step(bar(0))
        order = OrderView(next(iter(running.execution.orders.values())))
        running.step(fill(order, "t", 1_000, T0 + HOUR))

    with pytest.raises(StrategyError) as caught:
        play()
    text = str(caught.value)
    assert f"strategy Diary failed in on_{handler} at 2024-01-01" in text
    assert "test_engine.py" in text
    assert 'raise KeyError("my own mistake")' in text
    assert "KeyError: 'my own mistake'" in text
    assert "lanner/engine" not in text


# -- the bus ---------------------------------------------------------------------------------------


def test_what_happens_is_published_while_somebody_listens() -> None:
    one = Diary(bar=lambda self, _: self.buy(1))
    running = engine(one, start=False)
    heard: list[str] = []
    running.bus.subscribe("*", lambda topic, event: heard.append(topic))
    running.start(T0)
    running.step(bar(0))
    order = OrderView(running.execution.find("run-o1"))
    running.step(fill(order, "t1", 400, T0 + HOUR))
    running.step(fill(order, "t2", 600, T0 + HOUR))
    running.stop(T0 + 2 * HOUR)
    assert heard == [
        "live_engine.started",
        "bar.closed",
        f"candle.{PERP.id}.1h",
        f"market_data.{PERP.id}",
        "order.submitted",
        f"position.{PERP.id}",
        "order.partially_filled",
        f"position.{PERP.id}",
        "order.filled",
        "live_engine.stopped",
    ]


def test_a_position_is_told_as_it_was_and_nobody_can_change_it() -> None:
    running = engine(Diary(bar=lambda self, _: self.buy(1)))
    told: list[PositionSnapshot] = []
    running.bus.subscribe("position.*", lambda _, event: told.append(event))
    running.step(bar(0))
    order = OrderView(running.execution.find("run-o1"))
    running.step(fill(order, "t1", 400, T0 + HOUR))
    running.step(fill(order, "t2", 600, T0 + HOUR))
    first, second = told
    assert (first.qty, second.qty) == (PERP.qty(400), PERP.qty(1000))
    assert (first.side, first.instrument_id, first.ts) == ("long", PERP.id, T0 + HOUR)
    assert first.strategy_id == order.strategy_id
    assert first.avg_px == order.avg_px
    with pytest.raises(AttributeError):
        first.qty = PERP.qty(1)  # type: ignore[misc]


def test_a_listener_that_joins_in_the_middle_hears_from_then_on_and_a_broken_one_stops_nothing() -> None:
    one = Diary()
    running = engine(one)
    heard: list[Any] = []

    def broken(topic: str, event: object) -> None:
        raise RuntimeError

    running.step(bar(0))
    running.bus.subscribe("bar.closed", broken)
    running.bus.subscribe("bar.closed", lambda topic, event: heard.append(event))
    running.step(bar(1))
    running.step(bar(2))
    assert heard == [bar(1), bar(2)]
    assert len(one.told) == 3
    assert running.bus.stats().handler_faults == 2


# -- ticks -----------------------------------------------------------------------------------------


def test_the_price_is_the_quotes_middle_where_there_are_quotes_else_the_last_trade() -> None:
    class Ticks(Strategy):
        def on_quote(self, quote: Quote) -> None:
            seen.append(self.price())

        def on_trade(self, trade: Trade) -> None:
            seen.append(self.price())

    seen: list[float] = []
    made = Engine({PERP.id: PERP}, "USDT")
    made.add_strategy(Ticks(), Decimal(1000))
    for kind in ("quotes", "trades"):
        made.subscriptions.add_source(kind, PERP.id)
    made.start(T0)
    made.step(Trade(PERP.id, T0, T0, 90.0, 1.0))
    made.step(Quote(PERP.id, T0 + 1, T0 + 1, 99.0, 1.0, 101.0, 1.0))
    made.step(Trade(PERP.id, T0 + 2, T0 + 2, 95.0, 1.0))
    assert seen == [90.0, 100.0, 100.0]


# -- the fingerprint -------------------------------------------------------------------------------


def test_a_quote_with_an_empty_side_leaves_the_last_price_known() -> None:
    nan = float("nan")
    seen: list[float] = []

    class Watcher(Strategy):
        def on_quote(self, quote: Quote) -> None:
            seen.append(self.price(PERP.id))

    made = Engine({PERP.id: PERP}, "USDT")
    made.add_strategy(Watcher(), Decimal(1000))
    made.subscriptions.add_source("quotes", PERP.id)
    made.start(T0)
    made.step(Quote(PERP.id, T0, T0, nan, 0.0, 101.0, 1.0))
    made.step(Quote(PERP.id, T0 + 1, T0 + 1, 99.0, 1.0, 101.0, 1.0))
    made.step(Quote(PERP.id, T0 + 2, T0 + 2, 98.0, 1.0, nan, 0.0))
    assert seen[0] != seen[0]
    assert seen[1:] == [100.0, 100.0]
    assert made.portfolio.marks[PERP.id] == 100.0


def fingerprint(seed: int, **plans: Any) -> str:
    running = engine(Diary(bar=lambda self, b: self.buy(1 + self.rng.integer(0, 50)), **plans), seed=seed)
    for number in range(20):
        for command in running.step(bar(number)):
            assert isinstance(command, SubmitOrder)
            order = OrderView(running.execution.find(command.order_id))
            running.step(fill(order, f"t{number}", command.lots, command.ts))
    return running.hash.hexdigest()


def test_the_same_seed_gives_the_same_fingerprint_and_another_seed_another() -> None:
    assert fingerprint(1) == fingerprint(1)
    assert fingerprint(1) != fingerprint(2)
    assert fingerprint(1) != fingerprint(1, fill=lambda self, _: self.sell(1, 200))


PAUSED = Instrument.perp("BTCUSDT-PERP.TEST", tick="0.1", lot="0.001")


class Ticking(Strategy):
    """Buys on a timer."""

    def on_start(self) -> None:
        self.quotes()
        self.set_timer("tick", every="1s")

    def on_timer(self, timer: object) -> None:
        self.buy(1)


def test_the_timers_of_a_paused_engine_call_no_handler_and_go_on_when_it_does() -> None:
    engine = Engine({PAUSED.id: PAUSED}, "USDT")
    engine.subscriptions.add_source("quotes", PAUSED.id)
    engine.add_strategy(Ticking(), Decimal(100_000))
    engine.start(0)
    second = 1_000_000_000
    engine.step(Quote(PAUSED.id, 1, 1, 10.0, 1.0, 10.1, 1.0))
    assert len(engine.advance(second)) == 1
    engine.paused = True
    assert engine.advance(4 * second) == []
    engine.paused = False
    assert len(engine.advance(5 * second)) == 1


class Both(Strategy):
    """Want both instruments at every quote, whichever comes first."""

    def on_start(self) -> None:
        for instrument in self.instruments:
            self.quotes(instrument.id)
        self.sent: list[str] = []

    def on_quote(self, quote: Quote) -> None:
        for instrument in self.instruments:
            order = self.target(0.2, instrument=instrument.id)
            self.sent += [] if order is None else [order.instrument_id]


class TooSoon(Strategy):
    def on_start(self) -> None:
        self.target(0.5)


def test_a_target_of_an_instrument_without_a_price_waits_while_another_one_has_a_price() -> None:
    both = Both()
    made = engine(both, start=False)
    for instrument in (PERP, OTHER):
        made.subscriptions.add_source("quotes", instrument.id)
    made.start(T0)
    made.step(Quote(OTHER.id, T0 + 1, T0 + 1, 10.0, 1.0, 10.1, 1.0))
    assert both.sent == [OTHER.id]
    made.step(Quote(PERP.id, T0 + 2, T0 + 2, 100.0, 1.0, 100.1, 1.0))
    assert both.sent[:2] == [OTHER.id, PERP.id]


def test_a_target_before_anything_has_a_price_is_a_mistake() -> None:
    with pytest.raises(StrategyError, match="no price is known yet"):
        engine(TooSoon())
