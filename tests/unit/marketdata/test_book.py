from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.core.errors import DataError
from lanner.marketdata.book import L2Book
from lanner.model.enums import Side
from lanner.model.instruments import Instrument
from lanner.model.market import BookUpdate

ETH = Instrument.spot("ETH-USDT.TEST", tick="0.1", lot="0.001")


def update(
    bids: list[tuple[float, float]], asks: list[tuple[float, float]], *, snapshot: bool = False, seq: int = 0
) -> BookUpdate:
    return BookUpdate(ETH.id, 7, 8, tuple(bids), tuple(asks), snapshot=snapshot, seq=seq)


class SlowBook:
    """The obvious order book: two dicts, sorted at every question."""

    def __init__(self) -> None:
        self.sides: dict[int, dict[int, int]] = {1: {}, -1: {}}

    def apply(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]], snapshot: bool) -> None:
        for side, levels in ((1, bids), (-1, asks)):
            if snapshot:
                self.sides[side] = {}
            for ticks, lots in levels:
                self.sides[side].pop(ticks, None)
                if lots:
                    self.sides[side][ticks] = lots

    def levels(self, side: int) -> list[tuple[int, int]]:
        return sorted(self.sides[side].items(), reverse=side > 0)

    def take(self, side: int, lots: int) -> int | None:
        value = 0
        for ticks, held in self.levels(-side):
            part = min(lots, held)
            value += part * ticks
            lots -= part
        return value if lots == 0 else None


LEVELS = st.lists(
    st.tuples(st.integers(1, 60), st.one_of(st.just(0), st.integers(1, 5000))),
    max_size=8,
    unique_by=lambda x: x[0],
)
STEPS = st.lists(st.tuples(LEVELS, LEVELS, st.integers(0, 9).map(lambda n: n == 0)), max_size=30)


@given(steps=STEPS, taken=st.integers(1, 20_000), edge=st.integers(0, 70))
def test_the_fast_book_equals_the_obvious_one(
    steps: list[tuple[list[tuple[int, int]], list[tuple[int, int]], bool]], taken: int, edge: int
) -> None:
    slow, book = SlowBook(), L2Book(ETH)
    for bids, asks, snapshot in steps:
        slow.apply(bids, asks, snapshot)
        book.apply(
            update(
                [(t / 10, q / 1000) for t, q in bids],
                [(t / 10, q / 1000) for t, q in asks],
                snapshot=snapshot,
            )
        )
        view = book.view
        bid, ask = slow.levels(1), slow.levels(-1)
        assert view.ticks(Side.BUY) == bid
        assert view.ticks(Side.SELL) == ask
        assert list(view.depth(Side.BUY, 3)) == [(t / 10, q / 1000) for t, q in bid[:3]]
        assert view.best_bid_ticks == (bid[0][0] if bid else None)
        assert view.best_ask_ticks == (ask[0][0] if ask else None)
        assert view.crossed == bool(bid and ask and bid[0][0] > ask[0][0])
        assert view.locked == bool(bid and ask and bid[0][0] == ask[0][0])
        if bid and ask:
            assert view.mid == pytest.approx((bid[0][0] + ask[0][0]) / 20)
            assert view.spread == (ask[0][0] - bid[0][0]) / 10
        assert view.depth_to(Side.BUY, edge / 10) == sum(q for t, q in bid if t >= edge) / 1000
        assert view.depth_to(Side.SELL, edge / 10) == sum(q for t, q in ask if t <= edge) / 1000
        for side in (Side.BUY, Side.SELL):
            cost, answer = slow.take(side, taken), view.slippage(side, taken / 1000)
            assert (cost is None) == (answer is None)
            if cost is not None and answer is not None:
                assert answer.total == pytest.approx(cost / 10_000, rel=1e-12)
                assert answer.slippage_frac >= 0.0


def test_a_book_reads_like_its_quotes() -> None:
    book = L2Book(ETH)
    book.apply(update([(99.9, 1.0), (99.8, 2.0)], [(100.1, 0.5), (100.2, 4.0)], snapshot=True, seq=5))
    view = book.view
    assert (view.best_bid, view.bid_qty, view.best_ask, view.ask_qty) == (99.9, 1.0, 100.1, 0.5)
    assert view.mid == pytest.approx(100.0)
    assert view.spread == pytest.approx(0.2)
    assert view.imbalance == pytest.approx(1 / 3)
    assert (view.seq, view.updates, view.ts_event, view.ts_recv) == (5, 0, 7, 8)
    assert (view.level_count(Side.BUY), view.lots_at(Side.SELL, 1002)) == (2, 4000)
    assert repr(view) == "<book ETH-USDT.TEST 1 @ 99.9 | 100.1 @ 0.5>"


def test_an_update_counts_on_and_a_snapshot_starts_afresh() -> None:
    book = L2Book(ETH)
    book.apply(update([(99.9, 1.0)], [], seq=1))
    book.apply(update([(99.7, 1.0)], [], seq=2))
    assert (book.updates, book.seq, book.level_count(Side.BUY)) == (2, 2, 2)
    book.apply(update([(98.0, 1.0)], [], snapshot=True, seq=9))
    assert (book.updates, book.seq, book.level_count(Side.BUY)) == (0, 9, 1)
    book.clear()
    assert (book.seq, book.level_count(Side.BUY)) == (0, 0)


def test_slippage_walks_the_levels_and_compares_with_the_best() -> None:
    book = L2Book(ETH)
    book.apply(update([(99.0, 1.0)], [(100.0, 1.0), (101.0, 1.0), (103.0, 2.0)], snapshot=True))
    answer = book.view.slippage(Side.BUY, 3.0)
    assert answer is not None
    assert answer.avg_px == pytest.approx(304 / 3)
    assert answer.slippage_frac == pytest.approx(4 / 300)
    assert answer.total == pytest.approx(304.0)
    assert book.view.slippage(Side.BUY, 4.001) is None
    assert book.view.slippage(Side.SELL, 1.0) == (99.0, 0.0, 99.0)


def test_an_empty_side_has_no_price_and_no_quantity() -> None:
    view = L2Book(ETH).view
    assert math.isnan(view.best_bid)
    assert math.isnan(view.mid)
    assert math.isnan(view.spread)
    assert (view.bid_qty, view.ask_qty, view.imbalance, view.crossed) == (0.0, 0.0, 0.0, False)
    assert view.slippage(Side.BUY, 1.0) is None


def test_a_view_follows_the_book_but_cannot_change_it() -> None:
    book = L2Book(ETH)
    view = book.view
    book.apply(update([(99.0, 1.0)], []))
    assert view.best_bid == 99.0
    assert not hasattr(view, "apply")
    assert not hasattr(view, "put")
    with pytest.raises(AttributeError):
        view.best_bid = 1.0  # type: ignore[misc]


def test_a_price_off_the_grid_is_refused_and_changes_nothing() -> None:
    book = L2Book(ETH)
    book.apply(update([(99.0, 1.0)], []))
    with pytest.raises(DataError, match=r"price is off the instrument's grid; expected a multiple of 0\.1"):
        book.apply(update([(98.0, 1.0)], [(100.05, 1.0)]))
    assert list(book.depth(Side.BUY)) == [(99.0, 1.0)]


@pytest.mark.parametrize(("px", "qty"), [(98.0, -1.0), (98.0, math.nan), (math.nan, 1.0), (math.inf, 1.0)])
def test_what_is_no_level_is_refused(px: float, qty: float) -> None:
    with pytest.raises(DataError, match="a book level's"):
        L2Book(ETH).apply(update([(px, qty)], []))


def test_a_positive_quantity_below_one_lot_stays_visible() -> None:
    book = L2Book(ETH)
    book.apply(update([(98.0, 0.0004)], []))
    assert book.bid_qty == 0.001


def test_slippage_of_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="slippage of nothing"):
        L2Book(ETH).view.slippage(Side.BUY, 0.0)


def test_a_live_book_counts_finer_when_the_venue_shows_prices_off_the_grid() -> None:
    instrument = Instrument.spot("NKN-USDT.BINANCE", tick="0.0001", lot="1")
    book = L2Book(instrument, refines=True)
    book.apply(BookUpdate(instrument.id, 1, 1, ((0.2597, 5.0), (0.2596, 4.0)), ((0.2598, 3.0),), True, 1, 1))
    book.apply(
        BookUpdate(instrument.id, 2, 2, ((0.25965, 7.0), (0.2596, 0.0)), ((0.259745, 2.0),), False, 2, 2)
    )
    assert list(book.depth(Side.BUY)) == [(0.2597, 5.0), (0.25965, 7.0)]
    assert list(book.depth(Side.SELL)) == [(0.259745, 2.0), (0.2598, 3.0)]
    assert (book.view.best_bid, book.view.best_ask) == (0.2597, 0.259745)
    assert book.step == 0.000001
    with pytest.raises(DataError):
        book.apply(BookUpdate(instrument.id, 3, 3, ((float("inf"), 1.0),), ()))
    with pytest.raises(DataError):
        L2Book(instrument).apply(BookUpdate(instrument.id, 1, 1, ((0.25965, 5.0),), (), True))


def test_a_whole_book_of_known_prices_drops_empty_levels_and_keeps_dust() -> None:
    book = L2Book(ETH)
    levels = [(99.9, 1.0), (99.8, 2.0)], [(100.1, 0.5), (100.2, 4.0)]
    book.apply(update(*levels, snapshot=True, seq=1))
    book.apply(update([(99.9, 0.0), (99.8, 1e-9)], [(100.1, 0.5)], snapshot=True, seq=2))
    assert book.ticks(Side.BUY) == [(book.ticks(Side.BUY)[0][0], 1)]
    assert book.best_bid == 99.8
    assert book.level_count(Side.SELL) == 1


def test_a_whole_book_with_a_wrong_quantity_leaves_the_book_as_it_was() -> None:
    book = L2Book(ETH)
    book.apply(update([(99.9, 1.0), (99.8, 2.0)], [(100.1, 0.5)], snapshot=True, seq=1))
    for wrong in (-1e-9, -1.0, float("nan")):
        with pytest.raises(DataError, match="not a quantity"):
            book.apply(update([(99.9, 3.0)], [(100.1, wrong)], snapshot=True, seq=2))
    assert (book.seq, book.bid_qty, book.ask_qty) == (1, 1.0, 0.5)


def test_a_live_book_shows_the_last_whole_book_whoever_looks_first_and_whatever_came_between() -> None:
    book = L2Book(ETH, refines=True)
    for seq in range(1, 5):
        book.apply(update([(99.0 + seq, 1.0), (98.0, 2.0)], [(110.0 + seq, 0.5)], snapshot=True, seq=seq))
    assert (book.seq, book.updates) == (4, 0)
    assert (book.view.best_ask, book.view.best_bid) == (114.0, 103.0)
    book.apply(update([(97.0, 1.0)], [(109.0, 0.5)], snapshot=True, seq=5))
    book.apply(update([(97.5, 3.0)], [(109.0, 0.0)], seq=6))
    assert book.ticks(Side.BUY) == [(975, 3000), (970, 1000)]
    assert book.level_count(Side.SELL) == 0
    book.apply(update([(97.0, 1.0)], [(109.0, 0.5)], snapshot=True, seq=7))
    book.clear()
    assert (book.level_count(Side.BUY), book.seq) == (0, 0)


def test_a_whole_live_book_that_cannot_be_counted_says_so_when_it_is_looked_at() -> None:
    book = L2Book(ETH, refines=True)
    book.apply(update([(99.0, 1.0)], [(100.0, 0.5)], snapshot=True, seq=1))
    book.apply(update([(99.0, -1.0)], [(100.0, 0.5)], snapshot=True, seq=2))
    with pytest.raises(DataError, match="not a quantity"):
        _ = book.best_bid
    assert math.isnan(book.view.mid)
    book.apply(update([(99.0, 1.0)], [(100.0, 0.5)], snapshot=True, seq=3))
    assert book.mid == 99.5
