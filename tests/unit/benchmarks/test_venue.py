"""The venue benchmarks and the soak: messages that are sound, evidence that convicts, rows that hide nothing."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from benchmarks import firehose, ordering, payloads, pipeline, soak
from benchmarks.evidence import SECOND, gaps_of, join, slope
from benchmarks.groups.venue import compared
from benchmarks.measure import middle
from lanner.model.instruments import Instrument
from lanner.model.market import BookUpdate, Quote
from lanner.venues.registry import endpoints_of, make_codec, product_spec

START = 1_700_000_000 * SECOND
PASSES = itertools.count(1_000)


def fault(
    name: str, at_s: float, kind: str = "book", session: int = 1, n: int = 0, **params: str
) -> dict[str, Any]:
    line = {"t_ns": int(at_s * SECOND), "fault": name, "kind": kind, "point": "frame", "n": n or next(PASSES)}
    return {**line, "target": f"session {session}", "params": params}


def gap(since_s: float, found_s: float, healed_s: float, feed: str = "book") -> list[dict[str, Any]]:
    name = {"instrument_id": "BTC-USDT.BINANCE", "feed": feed}
    since = START + int(since_s * SECOND)
    found, healed = START + int(found_s * SECOND), START + int(healed_s * SECOND)
    return [
        {"kind": "gap", **name, "ts_from": since, "ts_recv": found},
        {"kind": "healed", **name, "ts_from": since, "ts_to": healed},
    ]


def judged(faults: list[dict[str, Any]], ledger: list[dict[str, Any]]) -> Any:
    return join(faults, ledger, start_ns=START, end_ns=START + 100 * SECOND, numbered=("book", "trades"))


def test_a_lost_book_frame_inside_a_gap_is_found_and_one_outside_is_missing() -> None:
    joined = judged([fault("drop", 10.0), fault("drop", 20.0)], gap(9.9, 10.1, 10.3))
    assert joined.found == {"drop/book": 1}
    assert [one["ts"] for one in joined.missing] == [START + 20 * SECOND]


def test_a_gap_of_another_feed_proves_nothing() -> None:
    assert judged([fault("drop", 10.0, "trade")], gap(9.9, 10.1, 10.3)).missing
    assert not judged([fault("drop", 10.0, "trade")], gap(9.9, 10.1, 10.3, "trades")).missing


def test_a_lost_quote_leaves_no_trace_and_is_said_to() -> None:
    joined = judged([fault("drop", 10.0, "quote")], [])
    assert joined.traceless == {"drop/quote": 1}
    assert not joined.missing


def test_each_spoiled_frame_needs_an_entry_of_its_own() -> None:
    entry = {"kind": "malformed", "ts": START + 10 * SECOND + 1_000}
    joined = judged([fault("garble", 10.0), fault("garble", 10.0)], [entry])
    assert joined.found == {"garble/book": 1}
    assert len(joined.missing) == 1


def test_what_happens_to_a_connection_that_is_silent_already_is_moot() -> None:
    faults = [fault("half-open", 10.0), fault("drop", 30.0), fault("drop", 30.0, session=2)]
    joined = judged(faults, gap(9.9, 40.0, 41.0))
    assert joined.moot == {"drop/book": 1}
    assert joined.found == {"half-open/book": 1, "drop/book": 1}


def test_a_frame_that_was_lost_and_sent_twice_was_not_lost() -> None:
    joined = judged([fault("drop", 10.0, n=7), fault("duplicate", 10.0, n=7)], [])
    assert joined.moot == {"drop/book": 1}
    assert not joined.missing


def test_a_spoiled_frame_that_went_down_with_its_connection_is_moot_and_its_connection_is_not() -> None:
    joined = judged([fault("garble", 10.0), fault("close", 10.1)], [])
    assert joined.moot == {"garble/book": 1}
    assert [one["fault"] for one in joined.missing] == ["close/book"]


def test_a_gap_that_never_heals_lasts_to_the_end() -> None:
    [found] = gaps_of(gap(1.0, 2.0, 3.0)[:1], START + 100 * SECOND)
    assert (found.since, found.until) == (START + SECOND, START + 100 * SECOND)


def test_messages_that_came_late_may_begin_their_gap_later() -> None:
    late = {START // SECOND + 10: 2 * SECOND}
    faults, ledger = [fault("drop", 10.0)], gap(11.5, 11.6, 11.7)
    assert judged(faults, ledger).missing
    joined = join(
        faults, ledger, start_ns=START, end_ns=START + 100 * SECOND, numbered=("book",), lateness=late
    )
    assert not joined.missing


def test_the_slope_of_a_line_is_its_slope() -> None:
    assert slope([(x, 3.0 * x + 7.0) for x in range(10)]) == pytest.approx(3.0)
    assert slope([(1.0, 5.0)]) == 0.0


def test_a_soak_fails_by_name_for_whatever_did_not_hold() -> None:
    product = {"missing_count": 2}
    result = {
        "unhandled": ["loop: boom"],
        "minutes": 30.0,
        "memory": {"client_mb_by_minute": [100.0 + n for n in range(9)], "venue_mb_by_minute": [50.0] * 9},
        "books_during": {"equal": 9, "different": 1},
        "books_at_end": {"equal": 12, "not whole": 1},
        "products": {"binance-spot": product},
    }
    found = " | ".join(soak.failures(result))
    for part in ("boom", "client grows", "1 differ", "not whole", "binance-spot: 2 faults"):
        assert part in found
    sound = {
        **result,
        "unhandled": [],
        "memory": {"client_mb_by_minute": [90.0] * 4 + [120.0] * 5, "venue_mb_by_minute": [50.0] * 9},
        "books_during": {"equal": 9},
        "books_at_end": {"equal": 13},
        "products": {"binance-spot": {"missing_count": 0}},
    }
    assert soak.failures(sound) == []


def codec() -> Any:
    made = make_codec("binance-spot", endpoints_of(product_spec("binance-spot")), None)
    made.use(
        Instrument.spot(
            f"{symbol[:-4]}-USDT.BINANCE", tick="0.01", lot=f"0.{'0' * (lots - 1)}1", symbol=symbol
        )
        for symbol, _, _, lots in payloads.SYMBOLS
    )
    return made


def test_prepared_messages_are_what_the_codec_reads_as_quotes_and_whole_books() -> None:
    reader = codec()
    for frame in payloads.messages("ticker", 200):
        [quote] = reader.decode(frame, 1)
        assert type(quote) is Quote
        assert quote.ask_px - quote.bid_px == pytest.approx(0.01)
    for frame in payloads.messages("depth", 50):
        [book] = reader.decode(frame, 1)
        assert type(book) is BookUpdate
        assert (book.snapshot, len(book.bids), len(book.asks)) == (True, 20, 20)
        assert [px for px, _ in book.bids] == sorted((px for px, _ in book.bids), reverse=True)


def test_changes_of_a_book_follow_each_other_without_a_hole() -> None:
    walk, last, reader = payloads.Walk(), 1_000_000, codec()
    for _ in range(20):
        frame, number = walk.diff(0, last)
        [update] = reader.decode(frame, 1)
        assert (update.first_seq, update.seq) == (last + 1, number)
        last = number


def test_the_firehose_reads_the_frames_of_clients_also_in_pieces() -> None:
    text = b'{"method":"SUBSCRIBE","params":["btcusdt@bookTicker"],"id":1}'
    mask = b"\x01\x02\x03\x04"
    whole = bytes((0x81, 0x80 | len(text))) + mask + bytes(c ^ mask[i % 4] for i, c in enumerate(text))
    held, texts = firehose._frames(whole[:10])
    assert texts == []
    assert firehose._frames(held + whole[10:]) == (b"", [text])


def test_every_order_of_a_pipeline_is_followed_by_its_own_cancel() -> None:
    frames = list(pipeline.pairs(60, 50_000, {"api_key": "key", "api_secret": "secret"}))
    asked = [json.loads(frame[8:]) for frame in frames]
    placed = [one["params"]["newClientOrderId"] for one in asked if one["method"] == "order.place"]
    cancelled = [one["params"]["origClientOrderId"] for one in asked if one["method"] == "order.cancel"]
    assert placed == cancelled
    assert len({one["id"] for one in asked}) == 120


def test_the_time_of_an_order_ends_with_the_call_of_its_last_write(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wire = ordering.Wire()
    write = wire.noting(lambda: None)
    for _ in range(ordering.WARM_UP + 10):
        wire.begin()
        write()
        wire.end()
    ordering.emit("1.0", wire, transport="websocket")
    line = json.loads(capsys.readouterr().out)
    assert (line["orders"], line["transport"]) == (10, "websocket")
    assert 0.0 <= line["wall_p50_us"] <= line["written_p50_us"] < 1e5
    assert "burst_cpu_p50_us" not in line


def test_a_peer_that_failed_is_a_row_with_its_reason() -> None:
    runs: dict[str, list[dict[str, Any]]] = {
        "lanner": [{"version": "1", "cpu": 2.0}],
        "peer": [{"version": "3", "cpu": 6.0}],
        "broken": [{"failed": "no such module"}],
    }
    good, bad = compared("x", runs, lambda some: middle(some, "cpu"), "s")
    assert (good.name, good.ours, good.peer, good.ratio) == ("x/peer", 2.0, 6.0, 3.0)
    assert (bad.name, bad.peer, bad.detail["failed"]) == ("x/broken", None, "no such module")


def test_without_a_figure_of_ours_there_is_no_row() -> None:
    with pytest.raises(RuntimeError, match="ours failed: boom"):
        list(compared("x", {"lanner": [{"failed": "boom"}]}, lambda _: 1.0, "s"))
