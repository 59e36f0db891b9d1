from __future__ import annotations

import math
from collections.abc import Iterator

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.core.errors import ConfigError, DataError
from lanner.marketdata.merge import Stream, TimeKey, merge
from lanner.marketdata.rows import messages
from lanner.model.market import Bar, BookUpdate, FundingRate, MarkPrice, Quote, Trade

ID = "BTC-USDT.TEST"


def trades(ts: list[int], recv: list[int] | None = None, px: float = 1.0) -> pl.DataFrame:
    rows = len(ts)
    return pl.DataFrame(
        {
            "ts_event": ts,
            "ts_recv": recv or ts,
            "px": [px + i for i in range(rows)],
            "qty": [1.0] * rows,
            "aggressor": [1] * rows,
            "trade_id": [str(i) for i in range(rows)],
        },
        schema={
            "ts_event": pl.Int64, "ts_recv": pl.Int64, "px": pl.Float64, "qty": pl.Float64,
            "aggressor": pl.Int8, "trade_id": pl.String,
        },
    )  # fmt: skip


def quotes(ts: list[int]) -> pl.DataFrame:
    rows = len(ts)
    return pl.DataFrame(
        {
            "ts_event": ts, "ts_recv": ts, "bid_px": [1.0] * rows, "bid_qty": [2.0] * rows,
            "ask_px": [3.0] * rows, "ask_qty": [4.0] * rows, "seq": list(range(rows)),
        },
        schema_overrides={"ts_event": pl.Int64, "ts_recv": pl.Int64, "seq": pl.Int64},
    )  # fmt: skip


def bars(ts: list[int]) -> pl.DataFrame:
    rows = len(ts)
    return pl.DataFrame(
        {
            "ts_open": [t - 60 for t in ts], "ts_event": ts, "ts_recv": ts, "open": [1.0] * rows,
            "high": [4.0] * rows, "low": [0.5] * rows, "close": [2.0] * rows, "volume": [9.0] * rows,
            "quote_volume": [None] * rows, "trades": [None] * rows, "taker_buy_volume": [None] * rows,
        },
        schema_overrides={
            "ts_open": pl.Int64, "ts_event": pl.Int64, "ts_recv": pl.Int64, "quote_volume": pl.Float64,
            "trades": pl.Int64, "taker_buy_volume": pl.Float64,
        },
    )  # fmt: skip


def funding(ts: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"ts_event": ts, "ts_recv": ts, "rate": [0.0001] * len(ts), "interval_ns": [None] * len(ts),
         "predicted": [False] * len(ts)},
        schema_overrides={"ts_event": pl.Int64, "ts_recv": pl.Int64, "interval_ns": pl.Int64},
    )  # fmt: skip


def mark(ts: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"ts_event": ts, "ts_recv": ts, "mark_px": [5.0] * len(ts), "index_px": [None] * len(ts)},
        schema_overrides={"ts_event": pl.Int64, "ts_recv": pl.Int64, "index_px": pl.Float64},
    )


def book(events: list[tuple[int, bool, list[tuple[int, float, float]]]]) -> pl.DataFrame:
    rows = []
    for seq, (ts, snapshot, levels) in enumerate(events, 1):
        for i, (side, px, qty) in enumerate(levels):
            rows.append((ts, ts, seq * 10, seq * 10 - 9, snapshot, side, px, qty, i == len(levels) - 1))
    names = ("ts_event", "ts_recv", "seq", "first_seq", "snapshot", "side", "px", "qty", "last")
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(side=pl.col("side").cast(pl.Int8))


def cut(frame: pl.DataFrame, rows: int) -> Iterator[pl.DataFrame]:
    for start in range(0, frame.height, rows):
        yield frame[start : start + rows]


def told_mark(ts: list[int]) -> pl.DataFrame:
    return mark(ts).with_columns(index_px=pl.lit(6.0))


MAKERS = {"trades": trades, "quotes": quotes, "bars": bars, "funding": funding, "mark": told_mark}
KIND_ORDER = ["funding", "mark", "book", "quotes", "trades", "bars"]
SPECS_NS = {"": 0, "100tick": 0, "1m": 60, "5m": 300, "1h": 3600}

STREAMS = st.lists(
    st.tuples(
        st.sampled_from(sorted(MAKERS)),
        st.sampled_from(["1m", "5m", "1h", "100tick"]),
        st.lists(st.integers(0, 30), max_size=40),
        st.integers(1, 7),
    ),
    max_size=6,
)


@given(streams=STREAMS, batch=st.sampled_from([1, 3, 2048]))
def test_the_merge_equals_sorting_everything_at_once(
    streams: list[tuple[str, str, list[int], int]], batch: int
) -> None:
    given_streams, expected = [], []
    for number, (kind, spec, times, chunk) in enumerate(streams):
        spec = spec if kind == "bars" else ""
        frame = MAKERS[kind](sorted(times))
        instrument_id = f"I{number}.TEST"
        given_streams.append(Stream(kind, instrument_id, cut(frame, chunk), spec))
        for row, message in enumerate(messages(kind, instrument_id, frame, spec)):
            key = (message.ts_recv, KIND_ORDER.index(kind), SPECS_NS[spec], number, row)
            expected.append((key, message))
    expected.sort(key=lambda pair: pair[0])
    batches = list(merge(given_streams, batch_rows=batch))
    assert [m for b in batches for m in b] == [message for _, message in expected]
    assert all(0 < len(b) <= batch for b in batches)


def test_at_one_instant_what_a_strategy_should_know_first_comes_first() -> None:
    streams = [
        Stream("bars", ID, [bars([100])], "1h"),
        Stream("bars", ID, [bars([100])], "1m"),
        Stream("trades", ID, [trades([100])]),
        Stream("quotes", ID, [quotes([100])]),
        Stream("book", ID, [book([(100, True, [(1, 1.0, 1.0), (-1, 2.0, 1.0)])])]),
        Stream("mark", ID, [mark([100])]),
        Stream("funding", ID, [funding([100])]),
    ]
    flow = [m for batch in merge(streams) for m in batch]
    assert [type(m) for m in flow] == [FundingRate, MarkPrice, BookUpdate, Quote, Trade, Bar, Bar]
    assert [m.timeframe for m in flow if isinstance(m, Bar)] == ["1m", "1h"]


def test_streams_of_one_kind_keep_the_order_in_which_they_were_given() -> None:
    streams = [Stream("trades", name, [trades([5, 5])]) for name in ("B.TEST", "A.TEST")]
    flow = [m for batch in merge(streams) for m in batch]
    assert [m.instrument_id for m in flow] == ["B.TEST", "B.TEST", "A.TEST", "A.TEST"]


def test_the_receive_time_orders_messages_unless_the_venue_time_is_asked_for() -> None:
    def two() -> list[Stream]:
        late = Stream("trades", "SLOW.TEST", [trades([1, 2], recv=[11, 12])])
        return [late, Stream("trades", "FAST.TEST", [trades([3, 4])])]

    def names(by: TimeKey) -> list[str]:
        return [m.instrument_id[0] for batch in merge(two(), by=by) for m in batch]

    assert names("ts_recv") == ["F", "F", "S", "S"]
    assert names("ts_event") == ["S", "S", "F", "F"]


def test_a_message_received_before_its_predecessor_does_not_overtake_it() -> None:
    slow = Stream("trades", "SLOW.TEST", cut(trades([1, 2, 3, 4], recv=[10, 30, 20, 40]), 2))
    fast = Stream("trades", "FAST.TEST", [trades([25])])
    order = [(m.instrument_id[0], m.ts_event) for batch in merge([slow, fast]) for m in batch]
    assert order == [("S", 1), ("F", 25), ("S", 2), ("S", 3), ("S", 4)]


def test_a_book_event_that_a_chunk_boundary_cuts_arrives_whole() -> None:
    events = [
        (10, True, [(1, 99.0, 1.0), (-1, 101.0, 2.0), (1, 98.0, 3.0)]),
        (11, False, [(-1, 101.0, 0.0)]),
        (12, False, [(1, 99.5, 4.0), (-1, 102.0, 5.0)]),
    ]
    whole = messages("book", ID, book(events))
    assert whole[0] == BookUpdate(
        ID, 10, 10, ((99.0, 1.0), (98.0, 3.0)), ((101.0, 2.0),), snapshot=True, first_seq=1, seq=10
    )
    assert whole[1] == BookUpdate(ID, 11, 11, (), ((101.0, 0.0),), first_seq=11, seq=20)
    for rows in (1, 2, 4, 5):
        pieces = list(merge([Stream("book", ID, cut(book(events), rows))]))
        assert [m for batch in pieces for m in batch] == whole


def test_a_book_that_ends_inside_an_event_is_refused() -> None:
    frame = book([(10, True, [(1, 99.0, 1.0), (-1, 101.0, 2.0)])])[:1]
    with pytest.raises(DataError, match="end in the middle of an event"):
        list(merge([Stream("book", ID, [frame])]))


def test_nulls_become_the_words_of_the_model() -> None:
    (bar,) = messages("bars", ID, bars([100]), "1m")
    assert bar == Bar(f"{ID}@1m", 100, 100, 40, 1.0, 4.0, 0.5, 2.0, 9.0, None, None, None)
    mixed = bars([100, 160]).with_columns(quote_volume=pl.Series([1.5, None]), trades=pl.Series([7, None]))
    first, second = messages("bars", ID, mixed, "1m")
    assert isinstance(first, Bar)
    assert isinstance(second, Bar)
    assert (first.quote_volume, first.trades, second.quote_volume, second.trades) == (1.5, 7, None, None)
    (rate,) = messages("funding", ID, funding([100]))
    assert rate == FundingRate(ID, 100, 100, 0.0001, 0, False)
    (price,) = messages("mark", ID, mark([100]))
    assert isinstance(price, MarkPrice)
    assert math.isnan(price.index_px)


def test_empty_streams_and_empty_frames_are_nothing() -> None:
    assert list(merge([])) == []
    assert list(merge([Stream("trades", ID, []), Stream("quotes", ID, [quotes([])])])) == []


def test_only_one_frame_of_a_stream_is_read_ahead() -> None:
    read = 0

    def frames() -> Iterator[pl.DataFrame]:
        nonlocal read
        for start in range(0, 1000, 10):
            read += 1
            yield trades(list(range(start, start + 10)))

    flow = merge([Stream("trades", ID, frames()), Stream("funding", ID, [funding([0, 1000])])])
    next(flow)
    assert read <= 2


@pytest.mark.parametrize(
    ("kind", "by", "message"),
    [("candles", "ts_recv", "unknown kind"), ("trades", "time", "unknown time key")],
)
def test_unknown_words_are_refused(kind: str, by: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        list(merge([Stream(kind, ID, [])], by=by))  # type: ignore[arg-type]
