"""Books rebuilt from the catalog, row after row, equal the oracles' books at the same update ids."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from lanner.storage.catalog import Catalog
from lanner.storage.importers.run import import_files

CAPTURES = {
    "usdm_btcusdt_20240808": "BTCUSDT-PERP.BINANCE",
    "spot_btcusdt_20240808": "BTC-USDT.BINANCE",
    "cm_btcusd_perp_20240808": "BTCUSD-PERP.BINANCE",
}
# The smallest of them every day; books of the other two are compared in tests/oracles, without the catalog.
SHARED_OUT = [
    pytest.param(name, marks=() if name.startswith("spot") else pytest.mark.nightly) for name in CAPTURES
]


@pytest.mark.parametrize("name", SHARED_OUT)
def test_the_catalogs_book_rows_replay_to_the_oracle_books(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    oracle = json.loads((shared_data / "oracles/book" / f"{name}.json").read_text())
    wanted = {point["u"]: point for point in oracle["checkpoints"]}
    catalog = Catalog(tmp_path)
    import_files([shared_data / "market/hftbacktest" / f"{name}.gz"], catalog)
    sides: dict[int, dict[float, float]] = {1: {}, -1: {}}
    in_snapshot, started, compared = False, False, 0
    for frame in catalog.scan("book", CAPTURES[name]):
        columns = (frame[column].to_list() for column in ("snapshot", "side", "px", "qty", "seq", "last"))
        for snapshot, side, px, qty, seq, last in zip(*columns, strict=True):
            if snapshot and not in_snapshot:
                sides, started = {1: {}, -1: {}}, True
            in_snapshot = snapshot
            if qty == 0:
                sides[side].pop(px, None)
            else:
                sides[side][px] = qty
            if last and started and not snapshot and seq in wanted:
                compared += check(wanted[seq], sides)
    assert compared == len(wanted) > 3


def check(point: dict, sides: dict[int, dict[float, float]]) -> int:  # type: ignore[type-arg]
    bids, asks = sides[1], sides[-1]
    assert (len(bids), len(asks)) == (point["n_bids"], point["n_asks"])
    assert sorted(bids.items(), reverse=True)[:10] == [
        (float(px), float(qty)) for px, qty in point["bids"][:10]
    ]
    assert sorted(asks.items())[:10] == [(float(px), float(qty)) for px, qty in point["asks"][:10]]
    assert float(sum(map(Decimal, map(str, bids.values())))) == pytest.approx(
        float(point["sum_bid_qty"]), abs=1e-6
    )
    return 1


def test_captures_have_no_sequence_breaks_and_a_clock_that_is_behind(
    shared_data: Path, tmp_path: Path
) -> None:
    catalog = Catalog(tmp_path)
    import_files([shared_data / "market/hftbacktest/usdm_btcusdt_20240808.gz"], catalog)
    passport = catalog.require("book", "BTCUSDT-PERP.BINANCE")
    assert (passport.sequence_checked, passport.sequence_breaks, passport.crossed) == (6550, 0, 0)
    assert passport.clock_offset_ns / 1e9 == pytest.approx(-1.272, abs=0.001)
    assert any("1.272 s" in text for text in passport.problems())
    assert catalog.require("trades", "BTCUSDT-PERP.BINANCE").missing_ids == 0


def test_okx_checksums_all_match(shared_data: Path, tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    import_files([shared_data / "market/okx_v5_capture/shared.jsonl.gz"], catalog)
    passport = catalog.require("book", "BTC-USDT.OKX")
    assert (passport.checksums_checked, passport.checksum_failures) == (98, 0)


def test_snapshots_of_one_file_find_their_place_in_the_stream_of_another(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "market/cryptofeed"
    catalog = Catalog(tmp_path)
    import_files([folder / "BINANCE.http.0.0.gz", folder / "BINANCE.ws.1.0.gz"], catalog)
    for info in catalog.datasets():
        if info.kind != "book":
            continue
        passport = catalog.require("book", info.instrument_id)
        assert not any("without a snapshot" in text for text in passport.problems())
        assert passport.sequence_breaks == 0
        seqs = [
            (row["snapshot"], row["first_seq"], row["seq"])
            for frame in catalog.scan("book", info.instrument_id)
            for row in frame.filter("last").iter_rows(named=True)
        ]
        place = next(index for index, (snapshot, _, _) in enumerate(seqs) if snapshot)
        last = seqs[place][2]
        assert all(seq <= last for _, _, seq in seqs[:place])
        assert all(first <= last + 1 <= seq for _, first, seq in seqs[place + 1 : place + 2])
