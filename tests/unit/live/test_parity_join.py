"""Joining the orders of two runs."""

from __future__ import annotations

from lanner.live.parity.join import join_orders
from lanner.live.parity.split import sized_note
from lanner.model.enums import OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.orders import Order

COIN = Instrument.spot("BTC-USDT.DEMO", tick="0.01", lot="0.001", maker="0.001", taker="0.001")
SECOND = 10**9


def order(name: str, side: Side, ts: int, strategy: str = "one", lots: int = 5) -> Order:
    return Order(name, strategy, COIN, side, OrderType.MARKET, lots, ts)


def names(ours: list[Order], theirs: list[Order]) -> list[tuple[str | None, str | None]]:
    return [
        (pair.session.order_id if pair.session else None, pair.backtest.order_id if pair.backtest else None)
        for pair in join_orders(ours, theirs)
    ]


def test_the_nth_order_is_joined_to_the_nth_whatever_its_size_and_a_little_later() -> None:
    ours = [order("a1", Side.BUY, 100), order("a2", Side.SELL, 200)]
    theirs = [order("b1", Side.BUY, 101, lots=7), order("b2", Side.SELL, 200)]
    assert names(ours, theirs) == [("a1", "b1"), ("a2", "b2")]


def test_an_order_in_the_middle_that_one_side_lacks_stands_alone() -> None:
    sides = [Side.BUY, Side.SELL, Side.BUY, Side.SELL, Side.BUY]
    theirs = [order(f"b{n}", side, n * 100) for n, side in enumerate(sides)]
    ours = [order(f"a{n}", side, n * 100 + 1) for n, side in enumerate(sides) if n not in (1, 2)]
    assert names(ours, theirs) == [("a0", "b0"), (None, "b1"), (None, "b2"), ("a3", "b3"), ("a4", "b4")]
    ours.insert(1, order("a9", Side.BUY, 50))
    found = names(ours, theirs)
    assert ("a3", "b3") in found
    assert ("a4", "b4") in found


def test_orders_far_apart_in_time_are_not_one_intent() -> None:
    found = names([order("a1", Side.BUY, 0)], [order("b1", Side.BUY, 60 * SECOND)])
    assert sorted(found, key=str) == [("a1", None), (None, "b1")]


def test_strategies_do_not_mix() -> None:
    ours = [order("a1", Side.BUY, 1, "one"), order("a2", Side.BUY, 2, "two")]
    theirs = [order("b2", Side.BUY, 2, "two")]
    assert names(ours, theirs) == [("a1", None), ("a2", "b2")]


def test_two_sizes_of_which_nothing_was_filled_are_not_called_another_fill() -> None:
    denied, other = order("a1", Side.BUY, 1, lots=5), order("b1", Side.BUY, 1, lots=6)
    assert sized_note(denied, other) == "another size was asked"
    other.cum_lots = 6
    assert sized_note(denied, other) == "another quantity was filled"
