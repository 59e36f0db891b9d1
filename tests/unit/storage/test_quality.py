"""The measurements of the data passport, and the sentences made of them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.storage.passport import Gap, LatencyStats, Passport, SourceRecord
from lanner.storage.problems import closing_hours, duration_text, time_text
from lanner.storage.quality import bar_gaps, content_hash, latency, missing_ids, silences, spikes
from lanner.storage.schema import SCHEMAS, DatasetKey, conform, partition_label
from lanner.storage.settle import EXISTING, settle

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
DAY = 24 * HOUR
KEY = DatasetKey("trades", "BTC-USDT.BINANCE")


@given(st.sets(st.integers(0, 300), min_size=2))
def test_missing_bars_are_those_between_the_first_and_the_last(kept: set[int]) -> None:
    opens = np.array(sorted(kept), dtype=np.int64) * HOUR
    ledger, count, missing = bar_gaps(opens, "1h")
    absent = [hour for hour in range(min(kept), max(kept)) if hour not in kept]
    assert missing == len(absent) == sum(gap.missing for gap in ledger)
    assert count == sum(1 for hour in absent if hour - 1 in kept)


def test_months_have_no_gaps_because_they_differ_in_length() -> None:
    opens = np.arange("2019-11", "2021-03", dtype="datetime64[M]").astype("datetime64[ns]").astype(np.int64)
    assert bar_gaps(opens, "1M") == ([], 0, 0)
    ledger, count, missing = bar_gaps(np.delete(opens, [3, 4]), "1M")
    assert (count, missing, len(ledger)) == (1, 2, 1)


def test_a_spike_is_a_price_that_the_next_row_takes_back() -> None:
    calm = 100 + np.sin(np.arange(200)) * 0.1
    assert spikes(calm) == 0
    for index, price in ((50, 1000.0), (120, 10.0)):
        calm[index] = price
    assert spikes(calm) == 2
    crash = np.concatenate([np.full(100, 100.0), np.full(100, 60.0)])
    assert spikes(crash) == 0


def test_a_silence_is_far_longer_than_the_usual_distance() -> None:
    times = np.arange(10_000, dtype=np.int64) * 10**9
    assert silences(times)["gap_count"] == 0
    times[5000:] += HOUR
    assert silences(times)["gaps"] == [Gap(4999 * 10**9, 5000 * 10**9 + HOUR)]


def test_latency_counts_only_rows_that_know_both_times() -> None:
    frame = pl.DataFrame({"ts_event": [10, 20, 30, 40], "ts_recv": [10, 25, 37, 39]})
    assert latency(frame)["latency_rows"] == 3
    assert latency(frame)["latency_ns"][0] == -1
    assert latency(frame.head(1)) == {}


def test_missing_trade_numbers_are_counted_where_the_venue_counts() -> None:
    frame = pl.DataFrame({"trade_id": ["7", "5", "9", "5"]})
    assert missing_ids(frame, KEY)["missing_ids"] == 2
    assert missing_ids(frame, DatasetKey("trades", "BTC-USD.BITMEX")) == {}
    assert missing_ids(pl.DataFrame({"trade_id": ["a", "b"]}), KEY) == {}


def trades(rows: list[tuple[int, float, str, int]]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=["ts_event", "px", "trade_id", "_src"], orient="row")
    frame = frame.with_columns(ts_recv=pl.col("ts_event"), qty=pl.lit(1.0), aggressor=pl.lit(1))
    return conform(frame, "trades").with_columns(
        frame["_src"].cast(pl.Int32), pl.int_range(pl.len(), dtype=pl.Int64).alias("_order")
    )


def test_equal_trades_go_but_equal_ids_with_other_prices_stay() -> None:
    settled = settle(
        trades([(2, 1.0, "b", 0), (1, 1.0, "a", 0), (2, 1.0, "b", 0), (3, 9.0, "a", 0)]), "trades"
    )
    assert settled.frame["trade_id"].to_list() == ["a", "b", "a"]
    assert (settled.exact, settled.conflicting) == ({0: 1}, {0: 1})


def test_rows_of_an_overlapping_file_go_without_blame() -> None:
    settled = settle(trades([(1, 1.0, "a", EXISTING), (1, 1.0, "a", 0), (2, 1.0, "b", 0)]), "trades")
    assert (settled.frame.height, settled.exact, settled.conflicting) == (2, {}, {})


def test_nameless_rows_are_kept_as_often_as_one_source_has_them() -> None:
    rows = [(1, 1.0, "", EXISTING)] * 2 + [(1, 1.0, "", 0)] * 3
    assert settle(trades(rows), "trades").frame.height == 3


@given(st.permutations(range(12)))
def test_the_content_hash_sees_values_and_order_but_not_chunks(order: list[int]) -> None:
    frame = trades([(index, float(index % 5), str(index), 0) for index in range(12)]).select(
        *SCHEMAS["trades"]
    )
    shuffled = frame[order]
    assert (content_hash(shuffled) == content_hash(frame)) == (order == sorted(order))
    assert content_hash(pl.concat([frame[:5], frame[5:]], rechunk=False)) == content_hash(frame)


def test_the_content_hash_tells_null_from_zero() -> None:
    frame = pl.DataFrame({"a": [0.0, None]})
    assert content_hash(frame) != content_hash(frame.fill_null(0.0))
    assert content_hash(pl.DataFrame({"a": [-0.0]})) == content_hash(pl.DataFrame({"a": [0.0]}))


def test_partitions_are_named_by_their_time() -> None:
    assert [partition_label(number) for number in (2024, 202408, 20240809)] == [
        "2024",
        "2024-08",
        "2024-08-09",
    ]


REJECTED = {"rejected_rows": 1, "rejected_reasons": {"x": 1}, "sources": [SourceRecord(file="f", rows=99)]}
GAPPY = {"rows": 99, "gap_count": 1, "missing_rows": 1, "gaps": [Gap(0, 2 * HOUR, 1)]}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (GAPPY, "1 gap: 1 bar of 100 missing (1 %)"),
        (REJECTED, "1 row of the source (1 %)"),
        ({"sequence_breaks": 2, "sequence_checked": 9}, "message numbers break 2 times"),
        ({"checksum_failures": 3}, "3 book checksums of the venue did not match"),
        ({"missing_ids": 5}, "5 trades missing by the venue's own numbering"),
        ({"duplicates_conflicting": 2}, "2 rows repeated an earlier one with other values"),
        ({"rows": 100, "zero_volume": 10}, "10 bars (10 %) without any volume"),
        ({"outliers": 1}, "1 price spike that the next row takes back"),
        ({"crossed": 4}, "Crossed book (bid above ask) in 4 events"),
        ({"out_of_order": 5}, "5 rows of the source out of order; sorted at import"),
        (
            {"clock_offset_ns": -1_272_000_000, "latency": LatencyStats(1, -1, -1, -1, -1, -1)},
            "Receipt precedes the venue's time by 1.272 s",
        ),
        ({"synthetic": True}, "The data is synthetic"),
        ({"warnings": ["Beware."]}, "Beware."),
    ],
)  # fmt: skip
def test_each_finding_becomes_a_sentence(fields: dict[str, object], text: str) -> None:
    passport = Passport(kind="bars", instrument_id="BTC-USDT.X", spec="1h", **fields)  # type: ignore[arg-type]
    assert [found for found in passport.problems() if text in found]


def test_clean_data_has_no_problems() -> None:
    assert Passport(kind="bars", instrument_id="BTC-USDT.X", spec="1h", rows=10).problems() == []


def weekly(count: int, weekday_offset: int) -> Passport:
    """Return daily bars over 20 weeks with gaps of three days; 1970-01-02 (offset 1) was a Friday."""
    starts = [(weekday_offset + 7 * week) * DAY for week in range(count)]
    gaps = [Gap(start, start + 3 * DAY, 2) for start in starts]
    return Passport(
        kind="bars",
        instrument_id="X-USD.Y",
        spec="1d",
        rows=100,
        end_ns=140 * DAY,
        gaps=gaps,
        gap_count=count,
        missing_rows=2 * count,
    )


def test_a_market_that_closes_at_weekends_is_recognised() -> None:
    assert closing_hours(weekly(20, weekday_offset=1))
    assert not closing_hours(weekly(20, weekday_offset=4))
    assert any("at weekends" in text for text in weekly(20, weekday_offset=1).problems())


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (1500, "1.5 µs"),
        (3_200_000, "3.200 ms"),
        (1_272_000_000, "1.272 s"),
        (5 * HOUR, "5.0 h"),
        (3 * DAY, "3.0 d"),
    ],
)
def test_durations_have_a_fitting_unit(ns: int, text: str) -> None:
    assert duration_text(ns) == text


def test_times_are_short() -> None:
    assert [time_text(ns) for ns in (0, 10**9, 1_500_000_000)] == [
        "1970-01-01 00:00",
        "1970-01-01 00:00:01",
        "1970-01-01 00:00:01.500",
    ]
