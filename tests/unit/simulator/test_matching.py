"""Matching by price and time, against a slow and obvious twin."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanner.model.enums import Liquidity, Side
from lanner.simulator.events import BookChanged, Exec, OrderUpdate, PublicTrade
from lanner.simulator.orders import EndReason, RejectReason, SimStatus, StpMode
from tests.unit.simulator.venue import BUY, FOK, IOC, SELL, SPOT, Venue


@dataclass
class Resting:
    owner: str
    number: int
    side: Side
    lots: int
    ticks: int
    rank: int


class Twin:
    """A list of orders, searched from end to end for the best one each time."""

    def __init__(self) -> None:
        self.orders: list[Resting] = []
        self.rank = 0
        self.trades: list[tuple[int, int, int, int]] = []

    def send(self, number: int, owner: str, side: Side, lots: int, ticks: int, *, rests: bool) -> None:
        while lots:
            fits = [
                one
                for one in self.orders
                if one.side is not side and (one.ticks <= ticks if side is BUY else one.ticks >= ticks)
            ]
            if not fits:
                break
            best = min(fits, key=lambda one: (one.ticks if side is BUY else -one.ticks, one.rank))
            done = min(lots, best.lots)
            self.trades.append((best.number, number, best.ticks, done))
            lots -= done
            best.lots -= done
            if not best.lots:
                self.orders.remove(best)
        if lots and rests:
            self.rank += 1
            self.orders.append(Resting(owner, number, side, lots, ticks, self.rank))

    def cancel(self, number: int) -> None:
        self.orders = [one for one in self.orders if one.number != number]

    def amend(self, number: int, lots_less: int) -> None:
        for one in self.orders:
            if one.number == number and one.lots > lots_less:
                one.lots -= lots_less

    def levels(self, side: Side) -> list[tuple[int, int]]:
        found: dict[int, int] = {}
        for one in self.orders:
            if one.side is side:
                found[one.ticks] = found.get(one.ticks, 0) + one.lots
        return sorted(found.items(), reverse=side is BUY)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "send", "ioc", "cancel", "less"]),
        st.sampled_from("abc"),
        st.sampled_from([BUY, SELL]),
        st.integers(1, 9),
        st.integers(95, 105),
        st.integers(0, 30),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_trades_and_book_are_those_of_an_obvious_list_of_orders(
    steps: list[tuple[str, str, Side, int, int, int]],
) -> None:
    venue, twin = Venue(), Twin()
    sent: list[int] = []
    for what, owner, side, lots, ticks, pick in steps:
        if what in ("send", "ioc"):
            ack = venue.send(owner, side, lots, ticks, **({"tif": IOC} if what == "ioc" else {}))
            assert ack.order is not None
            sent.append(ack.order.order_id)
            twin.send(ack.order.order_id, owner, side, lots, ticks, rests=what == "send")
        elif sent:
            number = sent[pick % len(sent)]
            order = venue.exchange.any_order(number)
            assert order is not None
            if what == "cancel":
                venue.exchange.cancel(order.account, venue.now, order_id=number)
                twin.cancel(number)
            elif order.status.is_open and order.leaves > lots:
                venue.exchange.amend(order.account, venue.now, order_id=number, lots=order.lots - lots)
                twin.amend(number, lots)
    trades = [event for event in venue.events if isinstance(event, PublicTrade)]
    seen = []
    for one in trades:
        sides = (one.sell_order_id, one.buy_order_id)
        maker, taker = sides if one.aggressor is BUY else sides[::-1]
        seen.append((maker, taker, one.ticks, one.lots))
    assert seen == twin.trades
    _, bids, asks = venue.exchange.snapshot(SPOT)
    assert (bids, asks) == (twin.levels(BUY), twin.levels(SELL))


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_the_book_rebuilt_from_its_changes_is_the_book_at_every_number(
    steps: list[tuple[str, str, Side, int, int, int]],
) -> None:
    venue = Venue()
    sides: dict[Side, dict[int, int]] = {BUY: {}, SELL: {}}
    seq = venue.spot.book.seq
    for _, owner, side, lots, ticks, _ in steps:
        venue.events.clear()
        venue.send(owner, side, lots, ticks, display_lots=min(lots, 2))
        for event in venue.events:
            if isinstance(event, BookChanged):
                assert event.seq == seq + 1
                seq = event.seq
                for held, levels in ((sides[BUY], event.bids), (sides[SELL], event.asks)):
                    for px, count in levels:
                        held[px] = count
                        if not count:
                            del held[px]
        _, bids, asks = venue.exchange.snapshot(SPOT)
        assert dict(bids) == sides[BUY]
        assert dict(asks) == sides[SELL]


def test_a_new_part_of_an_iceberg_queues_behind_those_who_wait() -> None:
    venue = Venue()
    venue.sell("a", 10, 100, display_lots=4)
    venue.sell("b", 3, 100)
    assert venue.spot.best_ask == (100, 7)
    fills = venue.buy("c", 8, 100).fills
    makers = [
        e.fill.account
        for e in venue.events
        if isinstance(e, OrderUpdate) and e.fill and e.fill.liquidity is Liquidity.MAKER
    ]
    assert [fill.lots for fill in fills] == [4, 3, 1]
    assert makers == ["a", "b", "a"]
    assert venue.spot.best_ask == (100, 3)


def test_less_quantity_keeps_the_place_and_more_takes_a_new_one() -> None:
    venue = Venue()
    first, second = venue.buy("a", 5, 100), venue.buy("b", 5, 100)
    assert first.order is not None
    assert second.order is not None
    venue.exchange.amend("a", 10, order_id=first.order.order_id, lots=2)
    venue.sell("c", 2, 100)
    assert first.order.status is SimStatus.FILLED
    third = venue.buy("a", 5, 100)
    assert third.order is not None
    venue.exchange.amend("b", 11, order_id=second.order.order_id, lots=6)
    venue.sell("c", 5, 100)
    assert third.order.status is SimStatus.FILLED
    assert second.order.cum_lots == 0


def test_an_amend_to_a_crossing_price_trades_at_once() -> None:
    venue = Venue()
    venue.sell("b", 3, 110)
    resting = venue.buy("a", 5, 100)
    assert resting.order is not None
    ack = venue.exchange.amend("a", 9, order_id=resting.order.order_id, ticks=110)
    assert [(fill.lots, fill.ticks) for fill in ack.fills] == [(3, 110)]
    assert venue.spot.best_bid == (110, 2)


def test_an_amend_that_cannot_be_paid_leaves_the_order_as_it_was() -> None:
    venue = Venue(usdt="100", fees=False)
    resting = venue.buy("a", 1000, 100)  # 1 BTC at 50
    assert resting.order is not None
    refused = venue.exchange.amend("a", 9, order_id=resting.order.order_id, ticks=300)
    assert refused.reason is RejectReason.INSUFFICIENT_BALANCE
    assert venue.spot.best_bid == (100, 1000)
    assert venue.exchange.accounts["a"].balance("USDT").locked == 50 * 10**12


@pytest.mark.parametrize(
    ("mode", "taker", "maker", "book"),
    [
        (StpMode.EXPIRE_TAKER, SimStatus.EXPIRED_IN_MATCH, SimStatus.NEW, (100, 5)),
        (StpMode.EXPIRE_MAKER, SimStatus.NEW, SimStatus.EXPIRED_IN_MATCH, None),
        (StpMode.EXPIRE_BOTH, SimStatus.EXPIRED_IN_MATCH, SimStatus.EXPIRED_IN_MATCH, None),
        (StpMode.DECREMENT, SimStatus.EXPIRED_IN_MATCH, SimStatus.NEW, (100, 2)),
        (StpMode.NONE, SimStatus.FILLED, SimStatus.PARTIALLY_FILLED, (100, 2)),
    ],
)
def test_an_order_that_meets_its_own_account_is_dealt_with_as_it_asks(
    mode: StpMode, taker: SimStatus, maker: SimStatus, book: tuple[int, int] | None
) -> None:
    venue = Venue()
    resting = venue.sell("a", 5, 100)
    incoming = venue.buy("a", 3, 100, stp=mode)
    assert resting.order is not None
    assert incoming.order is not None
    assert incoming.order.status is taker
    assert resting.order.status is maker
    assert venue.spot.best_ask == book
    held = venue.exchange.accounts["a"].balance("BTC")
    assert held.locked == (resting.order.leaves * venue.spot.lot_atoms if resting.order.status.is_open else 0)


def test_fill_or_kill_trades_everything_or_nothing() -> None:
    venue = Venue()
    venue.sell("a", 3, 100)
    venue.sell("b", 3, 101)
    killed = venue.buy("c", 7, 101, tif=FOK)
    assert killed.order is not None
    assert (killed.order.status, killed.order.end_reason) == (SimStatus.EXPIRED, EndReason.FOK)
    filled = venue.buy("c", 6, 101, tif=FOK)
    assert filled.order is not None
    assert filled.order.status is SimStatus.FILLED


def test_a_market_order_by_quote_spends_at_most_the_amount() -> None:
    venue = Venue(fees=False)
    venue.sell("a", 10, 100)
    venue.sell("a", 10, 200)
    ack = venue.buy("c", 0, quote_atoms=to_atoms_of(1.0))  # 0.5 at 50, then 0.5 at 100
    assert ack.order is not None
    assert (ack.order.status, ack.order.cum_lots) == (SimStatus.FILLED, 10 + 5)


def to_atoms_of(amount: float) -> int:
    return int(amount * 10**12)


def test_a_market_order_without_liquidity_expires() -> None:
    venue = Venue()
    ack = venue.buy("a", 5)
    assert ack.order is not None
    assert (ack.order.status, ack.order.end_reason) == (SimStatus.EXPIRED, EndReason.NO_LIQUIDITY)


def test_a_post_only_order_that_would_trade_is_refused() -> None:
    venue = Venue()
    venue.sell("a", 5, 100)
    assert venue.buy("b", 1, 100, post_only=True).reason is RejectReason.POST_ONLY_CROSSES
    assert venue.buy("b", 1, 99, post_only=True).ok


def test_the_steps_of_an_order_are_told_in_order_and_at_their_own_figures() -> None:
    venue = Venue()
    venue.sell("a", 2, 100)
    venue.sell("a", 2, 101)
    venue.events.clear()
    venue.buy("b", 5, 101)
    told = [
        (e.kind, e.status, e.cum_lots)
        for e in venue.events
        if isinstance(e, OrderUpdate) and e.account == "b"
    ]
    assert told == [
        (Exec.NEW, SimStatus.NEW, 0),
        (Exec.TRADE, SimStatus.PARTIALLY_FILLED, 2),
        (Exec.TRADE, SimStatus.PARTIALLY_FILLED, 4),
    ]


def test_a_fill_after_the_cancel_leaves_the_order_cancelled() -> None:
    venue = Venue()
    resting = venue.buy("a", 10, 100)
    assert resting.order is not None
    venue.cancel(resting)
    before = venue.money()
    ack = venue.exchange.fill_order(resting.order.order_id, 4, venue.now)
    assert ack.ok
    assert (resting.order.status, resting.order.cum_lots) == (SimStatus.CANCELED, 4)
    assert venue.money() == before


def test_client_ids_of_open_orders_are_unique_and_free_again_afterwards() -> None:
    venue = Venue()
    first = venue.buy("a", 1, 90, client_id="x")
    assert venue.buy("a", 1, 90, client_id="x").reason is RejectReason.DUPLICATE_CLIENT_ID
    venue.cancel(first)
    again = venue.buy("a", 1, 90, client_id="x")
    assert again.ok
    assert venue.exchange.order("a", client_id="x") is again.order
