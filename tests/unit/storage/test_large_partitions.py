"""A partition larger than memory is settled and measured in slices, with the numbers of the whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.storage import external, staging
from lanner.storage.catalog import Catalog
from lanner.storage.external import Piece, SeenIds, in_time_order
from lanner.storage.measuring import measure_chunks, order_statistics
from lanner.storage.passport import Passport, SourceRecord
from lanner.storage.quality import measure
from lanner.storage.schema import DatasetKey, conform

DAY = 1_704_067_200_000_000_000


def rows(kind: str, count: int, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    ts = DAY + np.sort(rng.integers(0, 80_000_000_000_000, count) // 1_000_000 * 1_000_000)
    px = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.001, count))), 2)
    px[rng.integers(0, count, 3)] *= 1.5
    common = {"ts_event": ts, "ts_recv": ts + rng.integers(-50, 5_000_000, count)}
    if kind == "trades":
        ids = np.sort(rng.integers(10, 10 + count * 2, count))
        more = {
            "px": px,
            "qty": rng.integers(1, 9, count) / 10,
            "aggressor": rng.choice([-1, 1], count).astype(np.int8),
            "trade_id": [str(number) for number in ids],
        }
    elif kind == "quotes":
        more = {
            "bid_px": px,
            "bid_qty": np.ones(count),
            "ask_px": px + rng.integers(-1, 3, count) / 100,
            "ask_qty": np.ones(count),
            "seq": np.arange(count),
        }
    elif kind == "book":
        more = {
            "seq": np.arange(count),
            "first_seq": np.arange(count),
            "prev_seq": [None if index % 5 else index for index in range(count)],
            "snapshot": np.zeros(count, bool),
            "side": rng.choice([-1, 1], count).astype(np.int8),
            "px": px,
            "qty": np.ones(count),
            "last": rng.random(count) < 0.4,
        }
    else:
        more = {"mark_px": px, "index_px": [None if index % 3 else 1.5 for index in range(count)]}
    return conform(pl.DataFrame(common | more), kind)


@pytest.mark.parametrize("kind", ["trades", "quotes", "book", "mark"])
@pytest.mark.parametrize("chunk", [1, 7, 64, 10_000])
def test_measuring_in_chunks_gives_the_numbers_of_the_whole(kind: str, chunk: int) -> None:
    key = DatasetKey(kind, "BTC-USDT.BINANCE")
    frame = rows(kind, {1: 300, 7: 1001}.get(chunk, 3001))

    def chunks(columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        return frame.select(columns).iter_slices(chunk)

    assert measure_chunks(chunks, key) == measure(frame, key)


@given(
    values=st.lists(st.integers(-(2**61), 2**61), min_size=1, max_size=80),
    cuts=st.integers(1, 9),
)
def test_order_statistics_are_the_sorted_values(values: list[int], cuts: int) -> None:
    array = np.array(values, dtype=np.int64)
    found = order_statistics(lambda: iter(np.array_split(array, cuts)), range(len(values)))
    assert found == sorted(values)


@given(
    runs=st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=9), min_size=1, max_size=6),
    size=st.integers(1, 8),
)
def test_pieces_come_out_in_order_and_rows_of_one_time_stay_together(
    runs: list[list[int]], size: int
) -> None:
    pieces = [
        Piece(part.min(), part.len(), lambda part=part: part.to_frame())  # type: ignore[arg-type,misc]
        for run in runs
        for part in (pl.Series("ts_event", sorted(run))[at : at + size] for at in range(0, len(run), size))
    ]
    frames = [frame["ts_event"].to_list() for frame in in_time_order(pieces, 4)]
    assert sorted(time for frame in frames for time in frame) == sorted(time for run in runs for time in run)
    for before, after in pairwise(frames):
        assert max(before) < min(after)
        assert len(before) >= 4


@given(slices=st.lists(st.lists(st.sampled_from(["1", "2", "3", "7", "x", "12"]), min_size=1), min_size=1))
def test_ids_seen_in_an_earlier_slice_are_found_again(slices: list[list[str]]) -> None:
    seen, known, expected, found = SeenIds(), set(), [], []
    for ids in slices:
        found += seen.again(pl.Series(ids)).to_list()
        for name in ids:
            expected.append(name in known)
            known.add(name)
    assert found == expected


def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "SETTLE_ROWS", 500)
    monkeypatch.setattr(external, "SLICE_ROWS", 120)
    monkeypatch.setattr(external, "PIECE_ROWS", 90)
    monkeypatch.setattr(staging, "PIECE_ROWS", 90)
    monkeypatch.setattr(staging, "SPILL_ROWS", 400)


def disturbed(kind: str) -> list[pl.DataFrame]:
    """Rows out of order, with repetitions, and trades under ids that others have."""
    frame = rows(kind, 2000)
    rng = np.random.default_rng(4)
    mixed = frame[rng.permutation(2000).tolist()]
    again = frame[100:900]
    parts = [mixed[:700], again, mixed[700:]]
    if kind == "trades":
        parts.append(frame[50:80].with_columns(pl.col("px") + 1, pl.col("ts_event") + 7_000_000_000_000))
    return parts


def imported(kind: str, root: Path, parts: list[pl.DataFrame]) -> tuple[Passport, pl.DataFrame]:
    catalog = Catalog(root)
    key = DatasetKey(kind, "BTC-USDT.BINANCE")
    for frames in (parts[:1], parts[1:]):
        passport = Passport(kind=kind, instrument_id=key.instrument_id, sources=[SourceRecord(file="x")])
        catalog.write(kind, key.instrument_id, "", frames, passport)
    return catalog.require(*key), pl.concat(list(catalog.scan(*key)))


@pytest.mark.parametrize("kind", ["trades", "quotes", "book", "mark"])
def test_settling_in_slices_gives_the_same_files_and_passport(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = disturbed(kind)
    whole, expected = imported(kind, tmp_path / "whole", parts)
    small(monkeypatch)
    sliced, found = imported(kind, tmp_path / "sliced", parts)
    assert found.equals(expected)
    assert sliced.content_hash == whole.content_hash
    assert sliced.duplicates_conflicting == whole.duplicates_conflicting
    same = {"size": 0}
    assert [plain(part) | same for part in sliced.partitions] == [
        plain(part) | same for part in whole.partitions
    ]


def plain(part: object) -> dict[str, object]:
    return {name: getattr(part, name) for name in part.__struct_fields__}  # type: ignore[attr-defined]


def test_trades_of_which_only_some_have_ids_are_settled_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = rows("trades", 2000)
    late = pl.col("ts_event") > frame["ts_event"][1500]
    parts = [frame.with_columns(pl.when(late).then(pl.lit("")).otherwise("trade_id").alias("trade_id"))] * 3
    whole, expected = imported("trades", tmp_path / "whole", parts)
    small(monkeypatch)
    sliced, found = imported("trades", tmp_path / "sliced", parts)
    assert found.equals(expected)
    assert sliced.content_hash == whole.content_hash
