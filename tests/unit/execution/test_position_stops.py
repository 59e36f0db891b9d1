"""``self.stops``: what is refused, what goes off when, and what protects a position after a part of it is closed."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from lanner.core.errors import (
    ConfigError,
    InvalidOrderError,
    InvalidStopLoss,
    InvalidTakeProfit,
    InvalidTrailingPercent,
)
from lanner.engine.engine import Engine
from lanner.execution.stops import StopEvent
from lanner.model.commands import AmendOrder, CancelOrder, Command, SubmitOrder
from lanner.model.enums import Liquidity, OrderType, Side
from lanner.model.features import Feature
from lanner.model.instruments import Instrument
from lanner.model.market import Bar, Quote
from lanner.model.reports import (
    AmendRejected,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    OrderUnanswered,
    PositionAdjusted,
)
from lanner.model.timeframes import series_id
from lanner.risk.checks import RiskLimits
from lanner.risk.gate import TradingState
from lanner.strategy.base import Strategy

PERP = Instrument.perp("AAA-PERP.TEST", tick="0.1", lot="0.001", max_leverage=10)
SPOT = Instrument.spot("AAA-USDT.TEST", tick="0.1", lot="0.001")
SECOND = 1_000_000_000
MINUTE = 60 * SECOND


class Holder(Strategy):
    """Holds what it is given; the test uses its ``stops``."""

    def on_start(self) -> None:
        self.heard: list[StopEvent] = []
        self.stops.callback = self.heard.append


class Room:
    """An engine with one strategy, and a venue that answers as the test wants."""

    def __init__(self, *, resident: bool = True, instrument: Instrument = PERP, forbid: str = "") -> None:
        self.instrument = instrument
        limits = RiskLimits(resident_stops=resident)
        self.engine = Engine({instrument.id: instrument}, "USDT", limits=limits)
        self.one = Holder()
        self.engine.add_strategy(self.one, Decimal(1_000_000))
        self.engine.subscriptions.add_source("quotes", instrument.id)
        if forbid:
            self.engine.execution.abilities.forbid(instrument.id, [forbid])
        self.now = SECOND
        self.engine.start(self.now)
        self.trades = 0
        self.alarms: list[StopEvent] = []
        self.engine.bus.subscribe("risk.stop.*", lambda _, event: self.alarms.append(event))
        self.out: list[Command] = []

    def flush(self, commands: list[Command] | None = None) -> list[Command]:
        found = [*self.out, *(commands or []), *self.engine.flush()]
        self.out = []
        return found

    def price(self, px: float, after_s: float = 1.0) -> list[Command]:
        self.now += int(after_s * SECOND)
        quote = Quote(self.instrument.id, self.now, self.now, px - 0.1, 9.0, px + 0.1, 9.0)
        return self.flush(self.engine.step(quote))

    def hold(self, lots: int, px: float = 100.0) -> list[Command]:
        """Buy (or sell) at a price, as one market order that fills at once."""
        order = self.one.order(Side.BUY if lots > 0 else Side.SELL, self.instrument.qty(abs(lots)))
        self.flush()
        return self.fill(order.order_id, abs(lots), px)

    def fill(self, order_id: str, lots: int, px: float = 100.0) -> list[Command]:
        self.trades += 1
        order = self.engine.execution.orders[order_id]
        ticks = self.instrument.quantise_px(px)
        name = (order_id, self.instrument.id, self.now, self.now)
        return self.flush(
            self.engine.step(
                OrderFilled(
                    *name, f"t{self.trades}", order.side, ticks, lots, Decimal(0), Liquidity.TAKER, ticks
                )
            )
        )

    def say(self, kind: type[Any], order_id: str, *rest: object) -> list[Command]:
        return self.flush(self.engine.step(kind(order_id, self.instrument.id, self.now, self.now, *rest)))

    def accept(self, commands: list[Command]) -> list[SubmitOrder]:
        """Let the venue take every order and every change, and return the orders."""
        made = []
        for command in list(commands):
            if isinstance(command, SubmitOrder):
                made.append(command)
                self.later(self.say(OrderAccepted, command.order_id, f"v-{command.order_id}"))
            elif isinstance(command, AmendOrder):
                order = self.engine.execution.orders[command.order_id]
                after = (
                    command.lots or order.lots,
                    command.px_ticks or order.px_ticks,
                    command.stop_ticks or order.stop_ticks,
                )
                self.later(self.say(OrderAmended, command.order_id, *after, command.request))
            elif isinstance(command, CancelOrder):
                self.later(self.say(OrderCanceled, command.order_id))
        return made

    def later(self, commands: list[Command]) -> None:
        """Keep what the venue's answers led to."""
        self.out = [*self.out, *commands]

    def settle(self) -> None:
        """Let the venue take what is left, until nothing is."""
        while self.out:
            waiting, self.out = self.out, []
            self.accept(waiting)

    @property
    def resting(self) -> list[tuple[str, int]]:
        """Return kind and lots of the open orders of stops."""
        return sorted(
            (o.intent, o.leaves_lots)
            for o in self.engine.execution.orders.values()
            if o.is_open and o.intent != "order"
        )

    @property
    def told(self) -> list[str]:
        return [event.what for event in self.alarms]


# -- what is refused -----------------------------------------------------------------------------------------


def test_a_stop_loss_must_lie_on_the_losing_side_of_the_entry() -> None:
    room = Room()
    room.hold(10)
    for price in (100, 100.1, "0%", "100%"):
        with pytest.raises(InvalidStopLoss):
            room.one.stops.set_stop_loss(price)
    room.hold(-20)
    with pytest.raises(InvalidStopLoss, match="above"):
        room.one.stops.set_stop_loss(99)
    room.one.stops.set_stop_loss(101)
    assert room.one.stops.get_stats()["active_stops"] == 1


def test_a_stop_may_lock_a_profit_in_when_that_is_said() -> None:
    room = Room()
    room.hold(10)
    room.price(110)
    with pytest.raises(InvalidStopLoss, match="lock_in"):
        room.one.stops.set_stop_loss(105)
    with pytest.raises(InvalidStopLoss, match="market"):
        room.one.stops.set_stop_loss(111, lock_in=True)
    room.one.stops.set_stop_loss(105, lock_in=True)
    assert room.one.stops.active()[0]["level"] == 105.0


def test_a_take_profit_must_lie_on_the_winning_side_of_the_entry() -> None:
    room = Room()
    room.hold(-10)
    for price in (100, 101, "0%"):
        with pytest.raises(InvalidTakeProfit):
            room.one.stops.set_take_profit(price)
    room.one.stops.set_take_profit("1%")
    assert room.one.stops.active()[0]["level"] == 99.0


@pytest.mark.parametrize("percent", [0, 1, -0.1, 1.5, "0%", "100%"])
def test_a_trailing_percent_is_more_than_nothing_and_less_than_all(percent: Any) -> None:
    room = Room()
    room.hold(10)
    with pytest.raises(InvalidTrailingPercent):
        room.one.stops.set_trailing_stop(percent)


def test_other_mistakes_are_named() -> None:
    room = Room()
    stops = room.one.stops
    with pytest.raises(InvalidStopLoss, match="no position"):
        stops.set_stop_loss(90)
    room.hold(10)
    with pytest.raises(InvalidTrailingPercent, match="distance"):
        stops.set_trailing_stop()
    with pytest.raises(InvalidTrailingPercent):
        stops.set_trailing_stop(distance=0)
    with pytest.raises(InvalidOrderError, match="partial_close_pct"):
        stops.set_stop_loss(90, partial_close_pct=0)
    with pytest.raises(InvalidOrderError, match="limit_px"):
        stops.set_stop_loss(90, order_type="stop_limit")
    with pytest.raises(InvalidOrderError, match="order type"):
        stops.set_stop_loss(90, order_type="iceberg")
    with pytest.raises(ConfigError, match="either at or after"):
        stops.set_time_stop()
    with pytest.raises(InvalidOrderError, match="alert_only"):
        stops.set_time_stop(5, action="pray")


# -- watched by the engine -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lots", "stop", "before", "at"), [(10, 95.0, 95.1, 95.0), (-10, 105.0, 104.9, 105.0)]
)
def test_a_stop_loss_goes_off_at_its_price_and_not_before(
    lots: int, stop: float, before: float, at: float
) -> None:
    room = Room(resident=False)
    room.hold(lots)
    room.one.stops.set_stop_loss(stop)
    assert room.flush() == []
    assert room.price(before) == []
    (exit_order,) = room.price(at)
    assert isinstance(exit_order, SubmitOrder)
    assert (exit_order.side, exit_order.type, exit_order.lots) == (
        -1 if lots > 0 else 1,
        OrderType.MARKET,
        10,
    )
    assert exit_order.reduce_only
    assert room.price(at) == [], "one exit is enough"
    room.fill(exit_order.order_id, 10, at)
    stats = room.one.stops.get_stats()
    assert (stats["stops_triggered"], stats["active_stops"]) == (1, 0)
    assert room.told == ["armed", "triggered", "executed"]
    assert [event.what for event in room.one.heard] == room.told


@pytest.mark.parametrize(("lots", "at", "before"), [(10, 110.0, 109.9), (-10, 90.0, 90.1)])
def test_a_take_profit_goes_off_at_its_price_and_not_before(lots: int, at: float, before: float) -> None:
    room = Room(resident=False)
    room.hold(lots)
    room.one.stops.set_take_profit(at, order_type="limit")
    assert room.price(before) == []
    (exit_order,) = room.price(at)
    assert isinstance(exit_order, SubmitOrder)
    assert (exit_order.type, exit_order.px_ticks) == (OrderType.LIMIT, round(at * 10))
    assert room.one.stops.get_stats()["takes_triggered"] == 1


def test_a_stop_limit_sends_its_own_price() -> None:
    room = Room(resident=False)
    room.hold(10)
    room.one.stops.set_stop_loss(95, order_type="stop_limit", limit_px=94.5)
    (exit_order,) = room.price(94.8)
    assert isinstance(exit_order, SubmitOrder)
    assert (exit_order.type, exit_order.px_ticks) == (OrderType.LIMIT, 945)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("how", [{"percent": 0.05}, {"percent": "5%", "distance": 1}, {"distance": 5}])
def test_a_trailing_stop_follows_the_best_price(side: int, how: dict[str, Any]) -> None:
    room = Room(resident=False)
    room.hold(10 * side)
    stops = room.one.stops
    stops.set_trailing_stop(**how)
    by_percent = "percent" in how

    def level(best: float) -> float:
        return best * (1 - side * 0.05) if by_percent else best - side * 5

    assert stops.get_trailing_stop_price() == pytest.approx(level(100))
    assert room.price(100 + side * 8) == []
    assert stops.get_trailing_stop_price() == pytest.approx(level(100 + side * 8))
    room.price(100 + side * 4)
    assert stops.get_trailing_stop_price() == pytest.approx(level(100 + side * 8)), "it never goes back"
    assert stops.get_stats()["trailing_updates"] == 1
    (exit_order,) = room.price(level(100 + side * 8) - side * 0.01)
    assert isinstance(exit_order, SubmitOrder)
    assert exit_order.type is OrderType.MARKET
    assert stops.get_stats()["trails_triggered"] == 1


def test_the_first_in_order_goes_off_when_several_are_reached_at_once() -> None:
    room = Room(resident=False)
    room.hold(10)
    stops = room.one.stops
    stops.set_trailing_stop(distance=4)
    stops.set_stop_loss(95)
    (exit_order,) = room.price(90)
    assert isinstance(exit_order, SubmitOrder)
    assert room.alarms[-1].kind == "stop_loss"
    room.fill(exit_order.order_id, 10, 90)
    assert stops.get_stats()["active_stops"] == 0, "the others go with the position"


def test_check_and_execute_looks_at_a_price_that_the_engine_does_not_see() -> None:
    room = Room(resident=False)
    room.hold(10)
    room.price(100)
    stops = room.one.stops
    stops.set_stop_loss(95)
    assert stops.check_and_execute(95.1) is None
    found = stops.check_and_execute(94)
    assert found is not None
    assert found.intent == "stop_loss"
    assert stops.check_and_execute(94) is None, "it is under way"


def test_a_trailing_stop_may_be_told_another_price() -> None:
    room = Room(resident=False)
    room.hold(10)
    stops = room.one.stops
    assert stops.update_trailing_stop(120) is None
    stops.set_trailing_stop("10%")
    assert stops.update_trailing_stop(120) == pytest.approx(108)
    assert stops.update_trailing_stop(90) == pytest.approx(108)
    assert room.flush() == [], "only a check lets it go off"
    assert stops.check_and_execute(107) is not None


def test_bars_count_with_their_range_but_not_with_what_was_before_the_stop() -> None:
    room = Room(resident=False)
    room.hold(10)
    room.engine.cache.quotes.clear()
    room.one.stops.set_stop_loss(95)

    def bar(minute: int, low: float) -> list[Command]:
        end = (minute + 1) * MINUTE
        name = series_id(PERP.id, "1m")
        return room.flush(room.engine.step(Bar(name, end, end, end - MINUTE, 100, 101, low, 99, 1.0)))

    assert bar(0, 94) == [], "the bar began before the stop was set"
    (exit_order,) = bar(1, 94)
    assert isinstance(exit_order, SubmitOrder)


def test_protection_does_not_pause() -> None:
    room = Room(resident=False)
    room.hold(10)
    room.one.stops.set_stop_loss(95)
    room.engine.paused = True
    assert len(room.price(94)) == 1


def test_nothing_goes_off_while_trading_is_halted() -> None:
    room = Room(resident=False)
    room.hold(10)
    room.one.stops.set_stop_loss(95)
    room.engine.execution.gate.set(TradingState.HALTED, "drill")
    assert room.price(94) == []
    room.engine.execution.gate.set(TradingState.ACTIVE, "over")
    assert len(room.price(94)) == 1


# -- time stops ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("action", "lots"), [("close", 10), ("reduce", 5)])
def test_a_time_stop_acts_when_its_time_has_come(action: str, lots: int) -> None:
    room = Room()
    room.hold(10)
    room.one.stops.set_time_stop(61, action=action)
    assert room.price(100, 59) == []
    (exit_order,) = room.price(100, 1)
    assert isinstance(exit_order, SubmitOrder)
    assert (exit_order.type, exit_order.lots) == (OrderType.MARKET, lots)
    assert room.one.stops.get_stats()["times_triggered"] == 1


def test_a_time_stop_may_only_tell() -> None:
    room = Room()
    room.hold(10)
    room.one.stops.set_time_stop(after="30s", action="alert_only")
    assert room.price(100, 31) == []
    assert room.told == ["armed", "alert", "removed"]


def test_a_time_stop_in_the_past_acts_at_once() -> None:
    room = Room()
    room.hold(10)
    room.one.stops.set_time_stop(0)
    assert len(room.price(100)) == 1


# -- at the venue --------------------------------------------------------------------------------------------


def test_stops_rest_at_the_venue_reduce_only_and_sized_to_what_is_filled() -> None:
    room = Room()
    order = room.one.buy(room.instrument.qty(10), 100)
    room.flush()
    room.fill(order.order_id, 4)
    room.one.stops.set_stop_loss("5%")
    room.one.stops.set_take_profit("10%", order_type="limit")
    room.one.stops.set_take_profit("20%", name="far", partial_close_pct=0.5)
    made = room.accept(room.flush())
    assert [(m.type, m.lots, m.reduce_only) for m in made] == [
        (OrderType.STOP_MARKET, 4, True),
        (OrderType.LIMIT, 4, True),
        (OrderType.TAKE_PROFIT_MARKET, 2, True),
    ]
    commands = room.fill(order.order_id, 6)
    assert [type(command) for command in commands] == [SubmitOrder, CancelOrder] * 3, "never without one"
    room.accept(commands)
    assert room.resting == [("stop_loss", 10), ("take_profit", 5), ("take_profit", 10)]
    assert room.price(50) == [], "the venue watches"
    assert room.one.stops.get_stats()["resting_stops"] == 3


def test_setting_a_stop_again_moves_the_order_that_rests() -> None:
    room = Room()
    room.hold(10)
    room.one.stops.set_stop_loss(95)
    (first,) = room.accept(room.flush())
    room.one.stops.set_stop_loss(97)
    new, old = room.flush()
    assert isinstance(new, SubmitOrder)
    assert isinstance(old, CancelOrder)
    assert (new.stop_ticks, old.order_id) == (970, first.order_id)


def test_a_partial_take_profit_leaves_the_rest_protected() -> None:
    room = Room()
    room.hold(10)
    stops = room.one.stops
    stops.set_stop_loss(95)
    stops.set_take_profit(105, partial_close_pct=0.4)
    made = room.accept(room.flush())
    room.accept(room.fill(made[1].order_id, 4, 105))
    assert room.resting == [("stop_loss", 6)]
    assert stops.get_stats()["takes_triggered"] == 1
    room.accept(room.fill(made[0].order_id, 6, 95))
    assert (room.resting, stops.get_stats()["active_stops"]) == ([], 0)


def test_a_partial_stop_loss_is_followed_by_another_one_as_far_again() -> None:
    room = Room()
    room.hold(10)
    room.one.stops.set_stop_loss(95, partial_close_pct=0.5)
    (first,) = room.accept(room.flush())
    assert first.lots == 5
    room.accept(room.fill(first.order_id, 5, 95))
    (second,) = room.one.stops.active()
    assert (second["level"], second["part"], second["kept_by"]) == (90.0, 0.5, "venue")
    assert room.resting == [("stop_loss", 2)]


def test_a_stop_that_fills_in_parts_is_not_sized_anew() -> None:
    room = Room()
    room.hold(10)
    room.one.stops.set_stop_loss(95, partial_close_pct=0.5)
    room.one.stops.set_trailing_stop("10%")
    made = room.accept(room.flush())
    room.accept(room.fill(made[0].order_id, 2, 95))
    assert room.resting == [("stop_loss", 3), ("trailing_stop", 8)]
    room.accept(room.fill(made[0].order_id, 3, 95))
    assert room.resting == [("trailing_stop", 5)]
    assert room.one.stops.get_stats()["stops_triggered"] == 1


def test_a_trailing_stop_rests_and_is_moved_at_most_once_a_second() -> None:
    room = Room()
    room.hold(10)
    room.one.stops.set_trailing_stop(distance=5)
    (sent,) = room.accept(room.flush())
    assert (sent.type, sent.stop_ticks) == (OrderType.STOP_MARKET, 950)
    moved = room.price(102, 2)
    assert isinstance(moved[0], SubmitOrder)
    assert moved[0].stop_ticks == 970
    assert room.price(103, 2) == [], "it is still under way"
    room.accept(moved)
    room.settle()
    assert room.resting == [("trailing_stop", 10)]
    moved = room.price(104, 1)
    assert isinstance(moved[0], SubmitOrder)
    assert moved[0].stop_ticks == 990
    room.accept(moved)
    assert room.price(105, 0.2) == [], "it has just moved"


def test_a_resting_stop_that_is_gone_is_sent_again_and_an_alarm_is_raised() -> None:
    room = Room()
    room.hold(10)
    room.one.stops.set_stop_loss(95)
    (sent,) = room.accept(room.flush())
    assert room.say(OrderCanceled, sent.order_id, "found so when the venue was asked") == []
    assert room.told == ["armed"], "perhaps the fill that ended the position is still on its way"
    (again,) = room.price(100)
    assert isinstance(again, SubmitOrder)
    assert (again.type, again.stop_ticks, again.lots) == (OrderType.STOP_MARKET, 950, 10)
    assert room.told == ["armed", "missing", "replaced"]
    assert "asked" in room.alarms[1].reason
    assert room.say(OrderRejected, again.order_id, "never heard of it", "NEVER_ARRIVED") == []
    assert room.price(94, 0.5) != [], "meanwhile the engine watches"
    assert room.alarms[-1].what == "triggered"
    assert room.one.stops.get_stats()["replaced"] == 1


def test_a_stop_that_the_venue_ends_with_its_position_raises_no_alarm() -> None:
    room = Room()
    room.hold(10)
    room.one.stops.set_stop_loss(95)
    room.one.stops.set_take_profit(105)
    stop, take = room.accept(room.flush())
    assert room.say(OrderCanceled, stop.order_id, "REDUCE_ONLY") == []
    room.fill(take.order_id, 10, 105)
    assert room.price(100, 2) == []
    assert "missing" not in room.told
    assert room.one.stops.get_stats()["active_stops"] == 0


def test_a_second_change_waits_for_the_answer_to_the_first() -> None:
    room = Room(instrument=SPOT)
    room.hold(10)
    room.one.stops.set_stop_loss(95)
    room.accept(room.flush())
    (first,) = room.hold(5)
    assert room.hold(5) == []
    room.accept([first])
    (second,) = room.out
    assert isinstance(second, AmendOrder)
    assert second.lots == 20


def test_where_a_waiting_order_cannot_be_changed_it_is_replaced() -> None:
    room = Room(instrument=SPOT, forbid=Feature.AMEND_TRIGGER)
    room.hold(10)
    room.one.stops.set_stop_loss(95)
    room.accept(room.flush())
    room.accept(room.hold(5))
    room.settle()
    assert room.resting == [("stop_loss", 15)]


def test_a_stop_that_the_venue_refuses_is_watched_by_the_engine() -> None:
    room = Room()
    room.hold(10)
    room.price(100)
    room.one.stops.set_stop_loss(95)
    (sent,) = room.flush()
    assert isinstance(sent, SubmitOrder)
    assert room.say(OrderRejected, sent.order_id, "stop orders are off today", "OTHER") == []
    assert room.told == ["armed", "failed"]
    assert room.one.stops.get_stats()["execution_errors"] == 1
    assert room.one.stops.active()[0]["kept_by"] == "engine"
    assert len(room.price(94.9)) == 1


def test_what_a_venue_cannot_keep_is_watched_by_the_engine() -> None:
    room = Room(forbid=Feature.STOP_MARKET)
    room.hold(10)
    room.one.stops.set_trailing_stop(distance=5)
    assert room.flush() == []
    assert len(room.price(95)) == 1


def test_an_unanswered_stop_counts_as_there() -> None:
    room = Room()
    room.hold(10)
    room.one.stops.set_stop_loss(95)
    (sent,) = room.flush()
    assert isinstance(sent, SubmitOrder)
    assert room.say(OrderUnanswered, sent.order_id, "no answer within 5 s") == []
    assert room.price(90) == []
    assert room.resting == [("stop_loss", 10)]


def test_an_amend_that_is_refused_leads_to_another_order() -> None:
    room = Room(instrument=SPOT)
    room.hold(10)
    room.one.stops.set_stop_loss(95)
    (sent,) = room.accept(room.flush())
    (change,) = room.hold(5)
    assert isinstance(change, AmendOrder)
    (back,) = room.say(AmendRejected, sent.order_id, "cannot be amended", change.request)
    assert isinstance(back, CancelOrder)
    assert room.price(94) == [], "the coins are locked"
    (exit_order,) = room.say(OrderCanceled, sent.order_id)
    assert isinstance(exit_order, SubmitOrder)
    assert (exit_order.type, exit_order.lots) == (OrderType.MARKET, 15), "it went off meanwhile"


def test_a_stop_that_found_no_liquidity_is_sent_after_at_market() -> None:
    room = Room()
    room.hold(10)
    room.one.stops.set_stop_loss(95)
    (sent,) = room.accept(room.flush())
    assert room.say(OrderTriggered, sent.order_id) == []
    room.fill(sent.order_id, 3, 95)
    assert room.say(OrderExpired, sent.order_id, "no liquidity") == []
    assert room.told[-1] == "failed"
    assert room.price(94, 0.5) == []
    (again,) = room.price(94, 0.6)
    assert isinstance(again, SubmitOrder)
    assert (again.type, again.lots) == (OrderType.MARKET, 7)


def test_an_exit_that_the_venue_keeps_refusing_is_sent_again_ever_more_seldom() -> None:
    room = Room(resident=False)
    room.hold(10)
    room.price(100)
    room.one.stops.set_stop_loss(95)
    (sent,) = room.price(94)
    waits = []
    for _ in range(8):
        assert isinstance(sent, SubmitOrder)
        assert room.say(OrderRejected, sent.order_id, "overloaded", "OTHER") == []
        refused = room.now
        while not (again := room.price(94, 0.5)):
            pass
        (sent,) = again
        waits.append((room.now - refused) // SECOND)
    assert waits == [1, 2, 4, 8, 16, 32, 32, 32]
    assert isinstance(sent, SubmitOrder)
    room.fill(sent.order_id, 4, 94)
    assert room.say(OrderExpired, sent.order_id, "no liquidity") == []
    assert len(room.price(94)) == 1, "what fills counts as no failure"


def test_a_stop_that_goes_off_while_anothers_exit_is_under_way_closes_all_that_this_leaves() -> None:
    room = Room(resident=False)
    room.hold(100)
    room.price(100)
    room.one.stops.set_stop_loss(95, name="near", partial_close_pct=0.4)
    room.one.stops.set_stop_loss(90, name="far")
    (near,) = room.price(94)
    (far,) = room.price(89)
    assert isinstance(near, SubmitOrder)
    assert isinstance(far, SubmitOrder)
    assert (near.lots, far.lots) == (40, 60)


def test_cancel_all_spares_stops_and_an_order_asked_back_by_name_gives_its_stop_up() -> None:
    room = Room()
    room.hold(10)
    room.one.stops.set_stop_loss(95)
    (sent,) = room.accept(room.flush())
    assert room.one.cancel_all() == 0
    assert room.flush() == []
    with pytest.raises(InvalidOrderError, match=r"self\.stops"):
        room.one.amend(sent.order_id, stop_px=90)
    room.one.cancel(sent.order_id)
    room.accept(room.flush())
    assert (room.resting, room.one.stops.active()) == ([], [])


def test_a_kill_takes_stops_back_and_a_resume_places_them_again() -> None:
    room = Room()
    room.hold(10)
    room.one.stops.set_stop_loss(95)
    room.accept(room.flush())
    room.engine.execution.gate.set(TradingState.HALTED, "kill")
    room.engine.execution.cancel_all(room.one.id)
    room.accept(room.flush())
    assert room.resting == []
    assert "missing" not in room.told
    assert room.price(99) == []
    room.engine.execution.gate.set(TradingState.ACTIVE, "resume")
    room.accept(room.price(99))
    assert room.resting == [("stop_loss", 10)]


def test_a_position_that_the_venue_corrects_takes_its_stops_along() -> None:
    room = Room()
    room.hold(10)
    room.one.stops.set_stop_loss(95)
    room.accept(room.flush())

    def adjust(lots: int) -> list[Command]:
        report = PositionAdjusted(room.one.id, PERP.id, room.now, room.now, lots, 1000, "the venue has more")
        return room.flush(room.engine.step(report))

    room.accept(adjust(5))
    assert room.resting == [("stop_loss", 15)]
    room.accept(adjust(-15))
    assert room.resting == []
    assert room.told[-1] == "removed"


def test_closing_by_hand_leaves_no_stop_behind() -> None:
    room = Room()
    room.hold(10)
    room.one.stops.set_stop_loss(95)
    room.accept(room.flush())
    order = room.one.close()
    assert order is not None
    room.flush()
    room.accept(room.fill(order.order_id, 10, 99))
    assert room.resting == []


def test_the_stops_of_a_kind_or_of_one_name_can_be_given_up() -> None:
    room = Room()
    room.hold(10)
    stops = room.one.stops
    stops.set_stop_loss(95)
    stops.set_stop_loss(90, name="last")
    stops.set_take_profit(110)
    stops.set_trailing_stop("5%")
    stops.set_time_stop(after="1h")
    room.accept(room.flush())
    assert stops.cancel_stop_loss("last") == 1
    assert stops.cancel_take_profit() == 1
    assert stops.cancel_trailing_stop() == 1
    assert stops.cancel_time_stop() == 1
    room.accept(room.flush())
    assert room.resting == [("stop_loss", 10)]
    assert stops.remove_all() == 1
    room.accept(room.flush())
    assert (room.resting, stops.get_stats()["active_stops"]) == ([], 0)


def test_stops_move_between_venue_and_engine_when_the_settings_change() -> None:
    room = Room()
    room.hold(10)
    room.one.stops.set_stop_loss(95)
    room.accept(room.flush())
    execution = room.engine.execution
    execution.limits = RiskLimits(resident_stops=False)
    execution.stops.bring_all()
    (back,) = room.flush()
    assert isinstance(back, CancelOrder)
    room.accept([back])
    assert room.price(96) == []
    execution.limits = RiskLimits()
    execution.stops.bring_all()
    room.accept(room.flush())
    assert room.resting == [("stop_loss", 10)]
    assert "missing" not in room.told


# -- spot: an order locks what it sells ----------------------------------------------------------------------


def test_on_spot_one_stop_rests_and_the_others_are_watched() -> None:
    room = Room(instrument=SPOT)
    room.hold(10)
    room.price(100)
    room.one.stops.set_stop_loss(95)
    room.one.stops.set_take_profit(105)
    (sent,) = room.accept(room.flush())
    assert sent.type is OrderType.STOP_MARKET
    assert not sent.reduce_only
    (back,) = room.price(105)
    assert isinstance(back, CancelOrder), "the coins must be free before they can be sold"
    (exit_order,) = room.say(OrderCanceled, sent.order_id)
    assert isinstance(exit_order, SubmitOrder)
    assert (exit_order.type, exit_order.lots) == (OrderType.MARKET, 10)
    room.fill(exit_order.order_id, 10, 105)
    assert room.one.stops.get_stats()["active_stops"] == 0


def test_on_spot_a_stop_that_was_given_up_does_not_keep_the_next_one_from_working() -> None:
    room = Room(instrument=SPOT)
    room.hold(10)
    room.price(100)
    room.one.stops.set_stop_loss(95)
    room.accept(room.flush())
    room.one.stops.remove_all()
    room.accept(room.flush())
    assert room.resting == []
    room.one.stops.set_stop_loss(94)
    (sent,) = room.accept(room.flush())
    assert (sent.type, sent.lots, sent.stop_ticks) == (OrderType.STOP_MARKET, 10, 940)


def test_a_price_is_checked_in_less_than_a_hundred_microseconds() -> None:
    room = Room(resident=False)
    room.hold(10)
    stops = room.one.stops
    stops.set_stop_loss(90)
    stops.set_take_profit(110)
    stops.set_trailing_stop("20%")
    stops.set_time_stop(after="1h")
    room.flush()
    best = min(_time(stops.check_and_execute) for _ in range(200))
    assert best < 100e-6


def _time(check: Any) -> float:
    began = time.perf_counter()
    check(100.0)
    return time.perf_counter() - began
