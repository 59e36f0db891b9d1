"""Fills that are told after a position was adjusted for want of them: the position is the venue's at every moment."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanner.engine.engine import Engine
from lanner.execution.retention import FILLS_AT_ONCE, LEAST_FILLS
from lanner.model.enums import Liquidity, OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.model.reports import Fill, OrderCanceled, OrderFilled, PositionAdjusted
from lanner.strategy.base import Strategy

PERP = Instrument.perp("AAA-PERP.TEST", tick="0.1", lot="0.001", max_leverage=10)
SECOND = 1_000_000_000


class Holder(Strategy):
    """Remembers what it held when it heard of a fill."""

    def on_start(self) -> None:
        self.seen: list[Decimal] = []

    def on_fill(self, fill: Fill) -> None:
        self.seen.append(self.position.qty)


class Room:
    """An engine with two strategies on one perpetual, and what the venue says."""

    def __init__(self) -> None:
        self.engine = Engine({PERP.id: PERP}, "USDT")
        self.a, self.b = Holder(), Holder()
        self.a.id, self.b.id = "a", "b"
        for one in (self.a, self.b):
            self.engine.add_strategy(one, Decimal(1_000_000))
        self.now = SECOND
        self.engine.start(self.now)
        self.engine.portfolio.marks[PERP.id] = 100.0
        self.trades = 0

    def order(self, strategy: str, side: Side, lots: int) -> Order:
        engine = self.engine.execution
        order = Order(
            engine.ids.next("o"), strategy, PERP, side, OrderType.LIMIT, lots, self.now, px_ticks=1000
        )
        engine.submit(order)
        self.engine.flush()
        return order

    def fill(self, order: Order, lots: int, px: int = 1000, at: int = 0, fee: str = "0.1") -> OrderFilled:
        """Make a fill; ``at`` is the venue's time of it."""
        self.trades += 1
        return OrderFilled(
            order.order_id, PERP.id, at or self.now, self.now, f"t{self.trades}", order.side, px, lots,
            Decimal(fee), Liquidity.TAKER, px,
        )  # fmt: skip

    def take(self, report: Any) -> None:
        self.engine.step(report)

    def adjust(self, strategy: str, lots: int, px: int = 1005, as_of: int | None = None) -> None:
        until = self.now if as_of is None else as_of
        self.take(PositionAdjusted(strategy, PERP.id, self.now, self.now, lots, px, "a difference", until))

    def lots(self, strategy: str) -> int:
        position = self.engine.portfolio.positions.get((strategy, PERP.id))
        return 0 if position is None else position.lots

    def books(self, strategy: str) -> tuple[int, int, int, int, Decimal, int]:
        position = self.engine.portfolio.positions[strategy, PERP.id]
        assert position.realised - position.cost == position.cash_flow
        return (
            position.lots, position.cost, position.realised, position.cash_flow, position.fees, position.volume,
        )  # fmt: skip


def test_a_fill_that_explains_an_adjustment_takes_its_place_in_quantity_money_and_average() -> None:
    late, at_once = Room(), Room()
    for room in (late, at_once):
        room.take(room.fill(room.order("a", Side.BUY, 4), 4, 990))
    order = late.order("a", Side.BUY, 10)
    fill = late.fill(order, 10, 1001)
    late.now += 3 * SECOND
    late.adjust("a", 10)
    assert late.lots("a") == 14
    late.now += SECOND
    late.take(fill)
    at_once.take(at_once.fill(at_once.order("a", Side.BUY, 10), 10, 1001))
    assert late.books("a") == at_once.books("a")
    assert order.cum_lots == 10
    assert late.a.seen == [PERP.qty(4), PERP.qty(14)], "nobody ever saw it twice"
    late.take(fill)
    assert late.lots("a") == 14, "told again it is nothing new"


def test_a_late_fill_of_an_exit_closes_at_the_price_that_was_told() -> None:
    late, at_once = Room(), Room()
    for room in (late, at_once):
        room.take(room.fill(room.order("a", Side.BUY, 10), 10, 990))
    fill = late.fill(late.order("a", Side.SELL, 4), 4, 1010)
    late.adjust("a", -4)
    late.now += SECOND
    late.take(fill)
    at_once.take(at_once.fill(at_once.order("a", Side.SELL, 4), 4, 1010))
    assert late.books("a") == at_once.books("a")


@pytest.mark.parametrize("held", [0, 10, 3])
def test_what_another_strategy_was_given_goes_back_to_the_one_whose_order_it_was(held: int) -> None:
    late, at_once = Room(), Room()
    for room in (late, at_once):
        if held:
            room.take(room.fill(room.order("a", Side.BUY, held), held, 990))
        room.take(room.fill(room.order("b", Side.SELL, 2), 2, 995))
    fill = late.fill(late.order("b", Side.SELL, 7), 7, 1002)
    late.adjust("a", -7)
    net = late.lots("a") + late.lots("b")
    late.now += SECOND
    late.take(fill)
    assert late.lots("a") + late.lots("b") == net
    at_once.take(at_once.fill(at_once.order("b", Side.SELL, 7), 7, 1002))
    assert late.books("b") == at_once.books("b")
    assert late.lots("a") == held
    a = late.engine.portfolio.position("a", PERP)
    assert (a.cash_flow, a.volume) == (-990 * held, 990 * held)
    if held > 7:
        assert late.books("a") == at_once.books("a")


def test_fills_that_partly_cancel_out_leave_the_position_as_it_is_whatever_comes_first() -> None:
    room = Room()
    bought, sold = room.order("a", Side.BUY, 9), room.order("a", Side.SELL, 4)
    fills = [room.fill(bought, 5), room.fill(sold, 4), room.fill(bought, 4)]
    room.adjust("a", 5)
    for fill in fills:
        room.now += SECOND
        room.take(fill)
        assert room.lots("a") == 5, fill
    assert room.books("a")[3] == -5_000


def test_a_fill_after_what_the_adjustment_has_counted_is_news() -> None:
    room = Room()
    order = room.order("a", Side.BUY, 10)
    room.adjust("a", 5, as_of=room.now - 1)
    room.take(room.fill(order, 5))
    assert room.lots("a") == 10


def test_an_adjustment_that_does_not_say_what_it_has_counted_is_final() -> None:
    room = Room()
    order = room.order("a", Side.BUY, 10)
    room.adjust("a", 5, as_of=0)
    room.take(room.fill(order, 5, at=1))
    assert room.lots("a") == 10


def test_a_fill_of_an_order_of_somebody_else_takes_nothing_back() -> None:
    room = Room()
    stranger = Order("x1", "a", PERP, Side.BUY, OrderType.LIMIT, 5, room.now)
    room.adjust("a", 5)
    room.take(room.fill(stranger, 5))
    assert (room.lots("a"), len(room.engine.reports), room.engine.execution.stray_reports) == (5, 1, 1)


def test_what_was_adjusted_and_taken_back_stands_among_the_reports_each_with_a_time_of_its_own() -> None:
    room = Room()
    order = room.order("a", Side.BUY, 10)
    fills = [room.fill(order, 5), room.fill(order, 5)]
    room.adjust("a", 10)
    for fill in fills:
        room.take(fill)
    told = [one for one in room.engine.reports if isinstance(one, PositionAdjusted)]
    assert [one.lots for one in told] == [10, -5, -5]
    assert len({(one.ts_event, one.ts_recv) for one in told}) == 3
    assert all(one.as_of == 0 for one in told[1:]), "what takes back is taken back by nothing"


def test_a_fill_of_an_order_that_had_ended_explains_an_adjustment_too() -> None:
    room = Room()
    order = room.order("a", Side.BUY, 10)
    fill = room.fill(order, 6)
    room.take(OrderCanceled(order.order_id, PERP.id, room.now, room.now))
    room.adjust("a", 6)
    room.now += SECOND
    room.take(fill)
    assert (room.lots("a"), order.cum_lots) == (6, 6)


@pytest.mark.parametrize("most", [0, 3])
def test_a_long_session_keeps_the_newest_news_of_its_account(most: int) -> None:
    room = Room()
    room.engine.execution.retention.limit(most, 0, compares=True)
    for number in range(LEAST_FILLS + 2 * FILLS_AT_ONCE):
        room.now += SECOND
        room.adjust("a", 1 if number % 2 else -1)
    kept = len(room.engine.reports)
    assert kept == (LEAST_FILLS + 2 * FILLS_AT_ONCE if most == 0 else LEAST_FILLS)
    assert room.engine.news.gone + kept == LEAST_FILLS + 2 * FILLS_AT_ONCE
    assert len(room.engine.funding_after) == kept
    assert room.engine.reports[-1].ts_recv == room.now


class Sessions:
    """Two strategies that trade, a stranger who does, too, and a venue whose fills come when they like."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.room = Room()
        self.waiting: list[OrderFilled] = []
        self.counted = 0
        self.there = 0
        self.lots = {"a": 0, "b": 0}
        self.cash = {"a": 0, "b": 0}
        self.fees = {"a": Decimal(0), "b": Decimal(0)}

    @property
    def net(self) -> int:
        return self.room.lots("a") + self.room.lots("b")

    def happen(self) -> None:
        self.room.now += SECOND
        chance = self.dice.random()
        if chance < 0.5:
            self.trade()
        elif chance < 0.75 and self.waiting:
            number = self.dice.randrange(len(self.waiting))
            self.tell(number)
        elif chance < 0.80:
            self.there += self.dice.randint(-5, 5)
        elif chance < 0.95:
            self.compare()

    def trade(self) -> None:
        strategy, side, lots = (
            self.dice.choice("ab"),
            self.dice.choice((Side.BUY, Side.SELL)),
            self.dice.randint(1, 9),
        )
        px = self.dice.randint(900, 1100)
        fill = self.room.fill(self.room.order(strategy, side, lots), lots, px)
        self.there += int(side) * lots
        self.lots[strategy] += int(side) * lots
        self.cash[strategy] -= int(side) * lots * px
        self.fees[strategy] += fill.fee
        self.waiting.append(fill)
        if self.dice.random() < 0.5:
            self.tell(len(self.waiting) - 1)

    def tell(self, number: int) -> None:
        """Tell a fill; where an adjustment has counted it, the position stays as it is."""
        before, is_counted = self.net, number < self.counted
        self.counted -= is_counted
        self.room.take(self.waiting.pop(number))
        if is_counted:
            assert self.net == before

    def compare(self) -> None:
        if self.net != self.there:
            self.room.adjust(self.dice.choice("ab"), self.there - self.net, self.dice.randint(900, 1100))
            self.counted = len(self.waiting)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_no_fill_is_counted_twice_at_any_moment_and_each_is_its_strategys_in_the_end(seed: int) -> None:
    market = Sessions(seed)
    for _ in range(60):
        market.happen()
    while market.waiting:
        market.tell(0)
    market.compare()
    assert market.net == market.there
    for strategy in "ab":
        position = market.room.engine.portfolio.position(strategy, PERP)
        adjusted = [
            one
            for one in market.room.engine.reports
            if isinstance(one, PositionAdjusted) and one.strategy_id == strategy
        ]
        assert position.lots == market.lots[strategy] + sum(one.lots for one in adjusted)
        assert position.cash_flow == market.cash[strategy] - sum(one.lots * one.px_ticks for one in adjusted)
        assert position.fees == market.fees[strategy]
        assert position.realised - position.cost == position.cash_flow
