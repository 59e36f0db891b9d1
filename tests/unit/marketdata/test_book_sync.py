from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.core.errors import ConfigError
from lanner.marketdata.book_sync import (
    MAX_BUFFERED,
    RULES,
    Apply,
    Buffered,
    Gap,
    NeedSnapshot,
    Stale,
    book_sync,
)
from lanner.model.market import BookUpdate


def event(first: int, last: int, prev: int = 0) -> BookUpdate:
    return BookUpdate("X.Y", last, last, ((1.0, 1.0),), (), first_seq=first, seq=last, prev_seq=prev)


def snapshot(seq: int, ts: int = 0) -> BookUpdate:
    return BookUpdate("X.Y", ts, ts, ((1.0, 1.0),), (), snapshot=True, seq=seq)


def test_spot_events_are_kept_until_the_snapshot_and_joined_to_it() -> None:
    sync = book_sync("binance_spot")
    assert sync.push(event(1, 3)) == [Buffered(1), NeedSnapshot("the stream has begun")]
    assert sync.push(event(4, 6)) == [Buffered(2)]
    assert sync.push(event(7, 9)) == [Buffered(3)]
    shot = snapshot(6)
    assert sync.push(shot) == [Apply(shot), Stale(3), Stale(6), Apply(event(7, 9))]
    assert sync.push(event(10, 10)) == [Apply(event(10, 10))]
    assert sync.synchronised


def test_spot_and_futures_differ_at_the_boundary() -> None:
    """The event that ends exactly at the snapshot is old on spot, but the first to apply on futures."""
    spot, futures = book_sync("binance_spot"), book_sync("binance_usdm")
    for sync in (spot, futures):
        sync.push(event(4, 6, prev=3))
    assert spot.push(snapshot(6))[1:] == [Stale(6)]
    assert futures.push(snapshot(6))[1:] == [Apply(event(4, 6, prev=3))]


def test_a_snapshot_older_than_the_stream_is_asked_for_again() -> None:
    sync = book_sync("binance_spot")
    sync.push(event(10, 12))
    sync.push(event(13, 14))
    effects = sync.push(snapshot(5))
    assert effects[1:] == [Gap(6, 10), NeedSnapshot("the snapshot is older than the stream"), Buffered(2)]
    shot = snapshot(12)
    assert sync.push(shot) == [Apply(shot), Stale(12), Apply(event(13, 14))]


def test_a_missing_spot_event_is_a_gap_and_its_successor_waits_for_the_new_snapshot() -> None:
    sync = book_sync("binance_spot")
    sync.push(snapshot(5))
    assert sync.push(event(6, 8)) == [Apply(event(6, 8))]
    assert sync.push(event(10, 11)) == [Gap(9, 10), NeedSnapshot("messages are missing")]
    assert not sync.synchronised
    assert sync.push(event(12, 12)) == [Buffered(2)]
    assert sync.push(snapshot(10))[1:] == [Apply(event(10, 11)), Apply(event(12, 12))]


def test_futures_follow_the_number_of_the_event_before() -> None:
    sync = book_sync("binance_coinm")
    sync.push(snapshot(100))
    assert sync.push(event(95, 104, prev=90)) == [Apply(event(95, 104, prev=90))]
    assert sync.push(event(120, 125, prev=104)) == [Apply(event(120, 125, prev=104))]
    assert sync.push(event(140, 141, prev=130)) == [Gap(125, 130), NeedSnapshot("messages are missing")]


def test_in_a_quiet_futures_market_the_first_event_may_lie_wholly_behind_the_snapshot() -> None:
    sync = book_sync("binance_usdm")
    sync.push(snapshot(100))
    assert sync.push(event(120, 125, prev=98)) == [Apply(event(120, 125, prev=98))]
    lost = book_sync("binance_usdm")
    lost.push(snapshot(100))
    assert lost.push(event(120, 125, prev=110))[0] == Gap(100, 120)


def test_a_repeated_event_is_stale() -> None:
    sync = book_sync("binance_spot")
    sync.push(snapshot(5))
    sync.push(event(6, 8))
    assert sync.push(event(6, 8)) == [Stale(8)]


def test_events_that_wait_too_long_do_not_fill_the_memory() -> None:
    sync = book_sync("binance_spot")
    for n in range(1, MAX_BUFFERED + 10):
        sync.push(event(n, n))
    assert sync.push(event(MAX_BUFFERED + 10, MAX_BUFFERED + 10)) == [Buffered(MAX_BUFFERED)]


def test_bybit_numbers_run_on_and_a_snapshot_starts_afresh() -> None:
    sync = book_sync("bybit")
    assert sync.push(event(7, 7)) == [NeedSnapshot("an update came before the snapshot")]
    sync.push(snapshot(7))
    assert sync.push(event(8, 8)) == [Apply(event(8, 8))]
    assert sync.push(event(8, 8)) == [Stale(8)]
    assert sync.push(snapshot(50)) == [Apply(snapshot(50))]
    assert sync.push(event(52, 52)) == [Gap(51, 52), NeedSnapshot("messages are missing")]
    assert not sync.synchronised


def test_a_bybit_message_numbered_one_is_a_whole_book() -> None:
    sync = book_sync("bybit")
    sync.push(snapshot(900))
    (effect,) = sync.push(event(1, 1))
    assert isinstance(effect, Apply)
    assert effect.update.snapshot
    assert sync.push(event(2, 2)) == [Apply(event(2, 2))]


def test_okx_updates_are_chained_and_numbers_may_go_down_after_maintenance() -> None:
    sync = book_sync("okx")
    sync.push(snapshot(10))
    assert sync.push(event(0, 15, prev=10)) == [Apply(event(0, 15, prev=10))]
    assert sync.push(event(0, 15, prev=15)) == [Apply(event(0, 15, prev=15))]
    assert sync.push(event(0, 3, prev=15)) == [Apply(event(0, 3, prev=15))]
    assert sync.push(event(0, 8, prev=5)) == [Gap(3, 5), NeedSnapshot("messages are missing")]


def test_hyperliquid_sends_whole_books_and_an_older_one_is_stale() -> None:
    sync = book_sync("hyperliquid")
    assert sync.push(snapshot(0, ts=5)) == [Apply(snapshot(0, ts=5))]
    assert sync.push(snapshot(0, ts=4)) == [Stale(0)]
    assert sync.push(event(1, 1)) == [NeedSnapshot("this venue sends whole books only")]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_after_a_reset_the_machine_waits_for_a_snapshot(rule: str) -> None:
    sync = book_sync(rule)
    sync.push(snapshot(5, ts=9))
    sync.push(event(5, 6, prev=5))
    sync.reset()
    assert not sync.synchronised
    assert not any(isinstance(effect, Apply) for effect in sync.push(event(7, 7, prev=6)))
    assert Apply(snapshot(8)) in sync.push(snapshot(8))


def test_an_unknown_rule_is_refused_with_the_list() -> None:
    with pytest.raises(ConfigError, match="expected binance_spot, "):
        book_sync("kraken")


@given(
    cuts=st.lists(st.integers(1, 4), min_size=3, max_size=40),
    lost=st.sets(st.integers(0, 39), max_size=3),
    taken_at=st.integers(0, 39),
    rule=st.sampled_from(["binance_spot", "binance_usdm"]),
)
def test_no_event_behind_the_snapshot_is_ever_skipped_unnoticed(
    cuts: list[int], lost: set[int], taken_at: int, rule: str
) -> None:
    """Feed a stream with holes; what is applied must be an unbroken run, else a gap must be told."""
    sync, number, previous, stream = book_sync(rule), 0, 0, []
    for width in cuts:
        first, number = number + 1, number + width
        stream.append(event(first, number, prev=previous))
        previous = number
    applied: list[BookUpdate] = []
    for index, update in enumerate(stream):
        effects = [] if index in lost else sync.push(update)
        if index == min(taken_at, len(stream) - 1):
            effects += sync.push(snapshot(update.seq))
        for effect in effects:
            if isinstance(effect, Apply):
                if effect.update.snapshot:
                    applied = [effect.update]
                else:
                    assert effect.update.first_seq <= applied[-1].seq + 1
                    applied.append(effect.update)
            elif isinstance(effect, Gap):
                applied = []


@given(
    rule=st.sampled_from(sorted(RULES)),
    steps=st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 3), st.booleans(), st.integers(0, 12)), max_size=25
    ),
)
def test_the_short_way_of_the_next_update_is_the_long_one(
    rule: str, steps: list[tuple[int, int, bool, int]]
) -> None:
    short, long = book_sync(rule), book_sync(rule)
    for first, more, whole, prev in steps:
        update = snapshot(first, first) if whole else event(first, first + more, prev)
        effects = [Apply(update)] if short.follows(update) else short.push(update)
        assert effects == long.push(update)
        assert short.synchronised == long.synchronised
