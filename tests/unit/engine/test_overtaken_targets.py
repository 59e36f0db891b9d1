"""A target that comes while an older order may still fill: what the order brings all the same is made good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.engine.engine import Engine
from lanner.model.commands import AmendOrder, Batch, CancelOrder, Command, SubmitOrder
from lanner.model.enums import Liquidity, OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.market import Bar
from lanner.model.orders import Order
from lanner.model.reports import (
    CancelRejected,
    OrderAccepted,
    OrderCanceled,
    OrderFilled,
    OrderRejected,
    OrderUnanswered,
    PositionAdjusted,
)
from lanner.model.timeframes import series_id
from lanner.risk.gate import TradingState
from lanner.strategy.base import Strategy

PERP = Instrument.perp("BTCUSDT-PERP.TEST", tick="0.1", lot="1", max_leverage=10)
SPOT = Instrument.spot("BTC-USDT.TEST", tick="0.1", lot="1", min_notional="200")
HOUR = 3_600_000_000_000
T0 = 1_704_067_200_000_000_000
Act = Callable[[Strategy], object]


class Acts(Strategy):
    """Does at each bar what the test wants next."""

    timeframe = "1h"

    def __init__(self) -> None:
        super().__init__()
        self.next: Act = lambda _: None

    def on_start(self) -> None:
        self.bars()

    def on_bar(self, bar: Bar) -> None:
        self.next(self)


@dataclass
class Waits:
    """An order at the venue."""

    left: int
    side: Side
    is_limit: bool
    reduce_only: bool
    cancels: list[int] = field(default_factory=list)


class Room:
    """An engine with one strategy, and a venue that does what a test says, no sooner."""

    def __init__(self, instrument: Instrument = PERP) -> None:
        self.instrument = instrument
        self.strategy = Acts()
        self.engine = Engine({instrument.id: instrument}, "USDT")
        self.engine.add_strategy(self.strategy, Decimal(1_000_000))
        self.engine.subscriptions.add_source("bars", instrument.id, "1h")
        self.engine.start(T0)
        self.bars = self.trades = 0
        self.venue: dict[str, Waits] = {}
        self.sent: list[str] = []
        self.do(lambda _: None)

    @property
    def now(self) -> int:
        return self.engine.clock.now

    @property
    def lots(self) -> int:
        return self.engine.portfolio.position("Acts", self.instrument).lots

    def do(self, act: Act) -> None:
        """Let a bar come, and the strategy act on it."""
        self.strategy.next = act
        self.bars += 1
        end = T0 + self.bars * HOUR
        name = series_id(self.instrument.id, "1h")
        self.take(self.engine.step(Bar(name, end, end, end - HOUR, 100.0, 100.0, 100.0, 100.0, 1.0)))

    def take(self, commands: list[Command]) -> None:
        for command in commands:
            for one in command.commands if isinstance(command, Batch) else (command,):
                assert not isinstance(one, AmendOrder)
                if isinstance(one, SubmitOrder):
                    self.sent.append(one.order_id)
                    is_limit = one.type is not OrderType.MARKET
                    self.venue[one.order_id] = Waits(one.lots, one.side, is_limit, one.reduce_only)
                elif one.order_id in self.venue:
                    self.venue[one.order_id].cancels.append(one.request)
                else:
                    self.refuse_cancel(one)

    def refuse_cancel(self, cancel: CancelOrder) -> None:
        self.say(CancelRejected, cancel.order_id, reason="gone", request=cancel.request)

    def say(self, kind: type, order_id: str, **fields: object) -> None:
        self.take(self.engine.step(kind(order_id, self.instrument.id, self.now, self.now, **fields)))

    def fill(self, order_id: str, lots: int) -> None:
        waits = self.venue[order_id]
        if waits.reduce_only:
            room = max(0, -self.lots * waits.side)
            if room < lots:
                waits.left -= lots - room
                lots = room
        waits.left -= lots
        if waits.left <= 0:
            del self.venue[order_id]
        if lots:
            self.trades += 1
            made = (f"t{self.trades}", waits.side, 1000, lots, Decimal(0), Liquidity.TAKER, 1000)
            self.take(self.engine.step(OrderFilled(order_id, self.instrument.id, self.now, self.now, *made)))
        else:
            self.say(OrderCanceled, order_id, reason="reduce-only")
        if waits.left <= 0:
            for number in waits.cancels:
                self.say(CancelRejected, order_id, reason="gone", request=number)

    def cancel(self, order_id: str) -> None:
        del self.venue[order_id]
        self.say(OrderCanceled, order_id)

    def happen(self, kind: str, number: int) -> None:
        """Let one of the orders fill a little, or be gone where it was asked back."""
        if not self.venue:
            return
        order_id = list(self.venue)[number % len(self.venue)]
        waits = self.venue[order_id]
        if kind == "fill":
            self.fill(order_id, min(number, waits.left))
        elif waits.is_limit and waits.cancels:
            self.cancel(order_id)

    def settle(self) -> None:
        """Let the venue answer everything: what was asked back and rests is gone, all else fills."""
        for _ in range(50):
            if not self.venue:
                return
            order_id, waits = next(iter(self.venue.items()))
            if waits.is_limit and waits.cancels:
                self.cancel(order_id)
            else:
                self.fill(order_id, waits.left)
        raise AssertionError("orders without end")


def test_an_entry_at_market_that_is_on_its_way_is_closed_as_soon_as_it_has_filled() -> None:
    room = Room()
    room.do(lambda s: s.target_qty(5))
    room.do(lambda s: s.target(0))
    (entry,) = room.sent
    room.fill(entry, 2)
    assert room.sent == [entry]  # parts may be too small for the venue
    room.fill(entry, 3)
    close = room.engine.execution.orders[room.sent[1]]
    assert (close.side, close.lots, close.reduce_only, close.type) == (Side.SELL, 5, True, OrderType.MARKET)
    room.settle()
    assert (room.lots, len(room.sent)) == (0, 2)


def test_an_order_that_nobody_knows_anything_of_is_closed_when_it_turns_out_to_have_filled() -> None:
    room = Room()
    room.do(lambda s: s.buy(5))
    room.say(OrderUnanswered, room.sent[0], reason="no answer")
    room.do(lambda s: s.close())
    room.fill(room.sent[0], 5)
    room.settle()
    assert (room.lots, len(room.sent)) == (0, 2)


def test_a_limit_that_fills_before_its_cancel_arrives_is_closed_for_what_it_filled() -> None:
    room = Room()
    room.do(lambda s: s.target_qty(5, px=100))
    room.say(OrderAccepted, room.sent[0])
    room.do(lambda s: s.target(0))
    room.fill(room.sent[0], 3)
    room.cancel(room.sent[0])
    room.settle()
    assert (room.lots, len(room.sent)) == (0, 2)


def test_a_turn_that_is_on_its_way_is_brought_back_to_nothing() -> None:
    room = Room()
    room.do(lambda s: s.target_qty(5))
    room.settle()
    room.do(lambda s: s.target_qty(-5))
    room.do(lambda s: s.target(0))
    room.settle()
    assert (room.lots, len(room.sent)) == (0, 3)


def test_an_entry_at_market_that_is_wanted_after_all_is_kept() -> None:
    room = Room()
    room.do(lambda s: s.target_qty(5))
    room.do(lambda s: s.target(0))
    room.do(lambda s: s.target_qty(5))
    room.settle()
    assert (room.lots, len(room.sent)) == (5, 1)


def test_a_limit_that_is_being_taken_back_does_not_count_for_a_new_target() -> None:
    room = Room()
    room.do(lambda s: s.target_qty(5, px=100))
    room.do(lambda s: s.target(0))
    room.do(lambda s: s.target_qty(5))
    room.settle()
    assert (room.lots, len(room.sent)) == (5, 2)


def test_what_an_order_at_market_brings_counts_for_a_target() -> None:
    room = Room()
    room.do(lambda s: (s.buy(5), s.target_qty(5)))
    room.settle()
    assert (room.lots, len(room.sent)) == (5, 1)


def test_what_fills_after_the_end_is_closed_too() -> None:
    room = Room()
    room.do(lambda s: s.target_qty(5, px=100))
    room.do(lambda s: s.target(0))
    (entry,) = room.sent
    room.cancel(entry)
    late = ("late", Side.BUY, 1000, 3, Decimal(0), Liquidity.MAKER, 1000)
    room.take(room.engine.step(OrderFilled(entry, PERP.id, room.now, room.now, *late)))
    room.settle()
    assert (room.lots, len(room.sent)) == (0, 2)


def test_a_rejected_close_is_the_strategys_to_see() -> None:
    room = Room()
    room.do(lambda s: s.target_qty(5))
    room.do(lambda s: s.target(0))
    room.fill(room.sent[0], 5)
    del room.venue[room.sent[1]]
    room.say(OrderRejected, room.sent[1], reason="no")
    assert (room.lots, len(room.sent)) == (5, 2)
    room.do(lambda s: s.target(0))
    room.settle()
    assert room.lots == 0


@pytest.mark.parametrize("instrument", [PERP, SPOT])
def test_what_is_being_closed_already_is_not_closed_again_by_a_fill_that_is_told_late(
    instrument: Instrument,
) -> None:
    """A comparison brought the position to the venue's before the fill was told, and the strategy closed that."""
    room = Room(instrument)
    room.do(lambda s: s.buy(5))
    (entry,) = room.sent
    room.say(OrderUnanswered, entry, reason="no answer")
    then = room.now
    found = PositionAdjusted("Acts", instrument.id, then, then, 5, 1000, reason="found", as_of=then)
    room.take(room.engine.step(found))
    room.do(lambda s: s.target(0))
    del room.venue[entry]
    late = ("late", Side.BUY, 1000, 5, Decimal(0), Liquidity.TAKER, 1000)
    room.take(room.engine.step(OrderFilled(entry, instrument.id, then, room.now, *late)))
    assert (room.lots, len(room.sent)) == (5, 2)
    room.settle()
    assert (room.lots, len(room.sent)) == (0, 2)


def test_what_an_exit_is_closing_at_market_is_not_closed_twice() -> None:
    room = Room()
    room.do(lambda s: s.target_qty(5))
    room.do(lambda s: s.target(0))
    (entry,) = room.sent
    room.fill(entry, 4)
    execution = room.engine.execution
    stop = Order(
        "x", "Acts", PERP, Side.SELL, OrderType.MARKET, 4, room.now, reduce_only=True, intent="stop_loss"
    )
    execution.submit(stop)
    room.take(room.engine.flush())
    room.fill(entry, 1)
    close = execution.orders[room.sent[-1]]
    assert (close.intent, close.lots, close.reduce_only) == ("target", 1, True)
    room.settle()
    assert room.lots == 0


def test_nothing_leaves_while_trading_is_halted() -> None:
    room = Room()
    room.do(lambda s: s.target_qty(5))
    room.do(lambda s: s.target(0))
    room.engine.execution.gate.set(TradingState.HALTED, "a test")
    room.settle()
    assert (room.lots, len(room.engine.execution.orders)) == (5, 1)


@pytest.mark.parametrize(("filled", "orders"), [(1, 1), (2, 2)])
def test_dust_is_left_alone_on_spot(filled: int, orders: int) -> None:
    room = Room(SPOT)
    room.do(lambda s: s.target_qty(5, px=100))
    room.do(lambda s: s.target(0))
    room.fill(room.sent[0], filled)
    room.cancel(room.sent[0])
    room.settle()
    assert len(room.sent) == orders
    assert room.lots == (filled if orders == 1 else 0)


def test_a_limit_that_was_asked_back_is_placed_anew_with_the_next_target() -> None:
    room = Room()
    for px in (100, 99, 98):
        room.do(lambda s, px=px: (s.cancel_all(), s.target_qty(5, px=px)))  # type: ignore[misc]
    assert [room.engine.execution.orders[name].px_ticks for name in room.sent] == [1000, 990, 980]
    room.settle()
    assert (room.lots, len(room.sent)) == (5, 3)


def test_what_a_limit_fills_that_was_asked_back_is_taken_off_the_one_that_took_its_place() -> None:
    room = Room()
    room.do(lambda s: s.target_qty(5, px=100, stop="5%"))
    room.do(lambda s: (s.cancel_all(), s.target_qty(6, px=99, stop="5%")))
    first, second = room.sent
    room.fill(first, 4)
    room.cancel(first)
    entries = [o for o in room.engine.execution.orders.values() if o.intent == "target"]
    assert [(order.lots, order.px_ticks) for order in entries] == [(5, 1000), (6, 990), (2, 990)]
    room.cancel(second)
    room.fill(entries[2].order_id, 2)
    stops = [order for order in room.engine.execution.orders.values() if order.intent == "stop"]
    assert [order.lots for order in stops] == [4, 2]
    assert room.lots == 6


def test_what_closes_is_told_from_what_opens_in_an_order_that_turns_a_position() -> None:
    room = Room()
    room.do(lambda s: s.target_qty(5))
    room.settle()
    room.do(lambda s: s.target_qty(-5))
    room.do(lambda s: s.target(0))
    room.do(lambda s: s.target_qty(-3, px=101))
    room.settle()
    assert room.lots == -3


EVENTS = st.tuples(st.sampled_from(["fill", "answer"]), st.integers(1, 9))
MOVES = st.one_of(
    st.tuples(st.just("target"), st.integers(-4, 4)),
    st.tuples(st.just("limit"), st.integers(-4, 4)),
    st.tuples(st.just("order"), st.sampled_from([-3, -1, 1, 3])),
    st.tuples(st.just("cancel"), st.just(0)),
    EVENTS,
)


@given(
    moves=st.lists(MOVES, max_size=14),
    last=st.integers(-4, 4),
    crossing=st.lists(EVENTS, max_size=6),
    limit=st.booleans(),
    shared=st.booleans(),
)
def test_in_the_end_the_position_is_the_last_target_whatever_crossed_it(
    moves: list[tuple[str, int]], last: int, crossing: list[tuple[str, int]], *, limit: bool, shared: bool
) -> None:
    """Limits that were asked back are gone in the end, all other orders have filled.

    Closing orders are sent reduce-only unless strategies share the instrument. A venue cancels such an order when
    another one turned the position before it; so raw orders beside targets are tried where nothing is reduce-only.
    """
    room = Room()
    if shared:
        room.engine.execution.shared = frozenset({PERP.id})
    for kind, number in moves:
        if kind == "target":
            room.do(lambda s, n=number: s.target_qty(n))  # type: ignore[misc]
        elif kind == "limit":
            room.do(lambda s, n=number: s.target_qty(n, px=100))  # type: ignore[misc]
        elif kind == "order" and shared:
            room.do(lambda s, n=number: s.buy(n) if n > 0 else s.sell(-n))  # type: ignore[misc]
        elif kind == "cancel":
            room.do(lambda s: s.cancel_all())
        else:
            room.happen(kind, number)
    room.do(lambda s: s.target_qty(last, px=100 if limit else None))
    for kind, number in crossing:
        room.happen(kind, number)
    room.settle()
    assert room.lots == last
