"""Importing again, importing more, importing more than fits in memory, and being interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from lanner.core.errors import DataError
from lanner.storage import staging
from lanner.storage.catalog import Catalog
from lanner.storage.importers.run import Watcher, import_files
from lanner.storage.importers.table import Options
from lanner.storage.passport import Passport

START = 1_600_000_020_000
HEAD = "timestamp,open,high,low,close,volume\n"
NAME = Options(instrument="BTC-USDT.BINANCE")


def bars(first: int, count: int, close: float = 100.0) -> str:
    return "".join(
        f"{START + i * 60_000},100,{close + 1},99,{close},1\n" for i in range(first, first + count)
    )


def write(path: Path, text: str) -> Path:
    path.write_text(HEAD + text)
    return path


def everything(catalog: Catalog) -> dict[str, bytes]:
    return {
        str(path.relative_to(catalog.root)): path.read_bytes()
        for path in sorted(catalog.root.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog")


def test_importing_a_file_twice_changes_nothing(tmp_path: Path, catalog: Catalog) -> None:
    path = write(tmp_path / "a.csv", bars(0, 50) + bars(10, 3) + "1600001000000,x,1,1,1,1\n")
    first = import_files([path], catalog, options=NAME)
    before = everything(catalog)
    again = import_files([path], catalog, options=NAME)
    assert [item.rows_new for item in (first.datasets[0], again.datasets[0])] == [50, 0]
    assert everything(catalog) == before
    passport = again.datasets[0].passport
    assert (passport.duplicates_exact, passport.rejected_rows, len(passport.sources)) == (3, 1, 1)


def test_a_second_file_fills_the_gap_and_the_passport_follows(tmp_path: Path, catalog: Catalog) -> None:
    import_files([write(tmp_path / "a.csv", bars(0, 50) + bars(60, 40))], catalog, options=NAME)
    passport = catalog.require("bars", "BTC-USDT.BINANCE", "1m")
    assert (passport.gap_count, passport.missing_rows, passport.rows) == (1, 10, 90)
    assert (passport.gaps[0].start_ns, passport.gaps[0].end_ns) == tuple(
        (START + i * 60_000) * 10**6 for i in (49, 60)
    )
    import_files([write(tmp_path / "b.csv", bars(45, 20))], catalog, options=NAME)
    passport = catalog.require("bars", "BTC-USDT.BINANCE", "1m")
    assert (passport.gap_count, passport.missing_rows, passport.rows) == (0, 0, 100)
    assert (passport.duplicates_exact, passport.duplicates_conflicting, len(passport.sources)) == (0, 0, 2)


def test_the_order_of_imports_does_not_matter_for_the_content(tmp_path: Path) -> None:
    parts = [write(tmp_path / f"{n}.csv", bars(n * 30_000, 30_000)) for n in range(3)]
    hashes = set()
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        catalog = Catalog(tmp_path / f"catalog{order}")
        for index in order:
            import_files([parts[index]], catalog, options=NAME)
        hashes.add(catalog.datasets()[0].content_hash)
    whole = Catalog(tmp_path / "whole")
    import_files([write(tmp_path / "all.csv", bars(0, 90_000))], whole, options=NAME)
    assert hashes == {whole.datasets()[0].content_hash}


def test_a_bar_given_again_with_other_values_replaces_and_is_counted(
    tmp_path: Path, catalog: Catalog
) -> None:
    import_files([write(tmp_path / "a.csv", bars(0, 50))], catalog, options=NAME)
    import_files([write(tmp_path / "b.csv", bars(49, 3, close=105.0))], catalog, options=NAME)
    passport = catalog.require("bars", "BTC-USDT.BINANCE", "1m")
    closes = pl.concat(list(catalog.scan("bars", "BTC-USDT.BINANCE", "1m")))["close"].to_list()
    assert closes == [100.0] * 49 + [105.0] * 3
    assert passport.duplicates_conflicting == 1
    assert any("other values" in text for text in passport.problems())


def test_inside_one_file_the_first_of_two_conflicting_bars_stays(tmp_path: Path, catalog: Catalog) -> None:
    import_files([write(tmp_path / "a.csv", bars(0, 50) + bars(49, 1, close=105.0))], catalog, options=NAME)
    passport = catalog.require("bars", "BTC-USDT.BINANCE", "1m")
    assert (passport.rows, passport.duplicates_conflicting, passport.duplicates_exact) == (50, 1, 0)
    assert pl.concat(list(catalog.scan("bars", "BTC-USDT.BINANCE", "1m")))["close"].to_list()[-1] == 100.0


def test_replace_starts_the_data_set_anew(tmp_path: Path, catalog: Catalog) -> None:
    import_files([write(tmp_path / "a.csv", bars(0, 50))], catalog, options=NAME)
    import_files([write(tmp_path / "b.csv", bars(200, 20))], catalog, options=NAME, replace=True)
    passport = catalog.require("bars", "BTC-USDT.BINANCE", "1m")
    assert (passport.rows, passport.gap_count, [source.file for source in passport.sources]) == (
        20,
        0,
        ["b.csv"],
    )
    assert len([name for name in everything(catalog) if name.endswith(".parquet")]) == 1


def test_trades_without_ids_keep_equal_prints_but_not_a_second_import(
    tmp_path: Path, catalog: Catalog
) -> None:
    path = tmp_path / "XBTEUR.csv"
    path.write_text("1672531436,90.5,1.0\n1672531436,90.5,1.0\n1672531471,90.4,1.0\n")
    for _ in range(2):
        import_files([path], catalog, options=Options(instrument="BTC-EUR.KRAKEN"))
        assert catalog.require("trades", "BTC-EUR.KRAKEN").rows == 3


def test_rows_in_wild_order_come_out_sorted_when_memory_is_short(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = bars(0, 120_000).split()
    mixed = [lines[i * 7919 % len(lines)] for i in range(len(lines))]
    path = write(tmp_path / "a.csv", "\n".join(mixed) + "\n")
    monkeypatch.setattr(staging, "SPILL_ROWS", 10_000)
    monkeypatch.setattr("lanner.storage.importers.source.BLOCK_BYTES", 100_000)
    import_files([path], catalog, options=Options(instrument="BTC-USDT.BINANCE", timeframe="1m"))
    plain = Catalog(tmp_path / "plain")
    import_files([write(tmp_path / "b.csv", bars(0, 120_000))], plain, options=NAME)
    assert catalog.datasets()[0].content_hash == plain.datasets()[0].content_hash
    assert catalog.require("bars", "BTC-USDT.BINANCE", "1m").out_of_order > 1000


@pytest.mark.parametrize("phase", ["reading", "writing"])
def test_ctrl_c_leaves_the_catalog_as_it_was(phase: str, tmp_path: Path, catalog: Catalog) -> None:
    import_files([write(tmp_path / "a.csv", bars(0, 5000))], catalog, options=NAME)
    before = everything(catalog)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    watcher = Watcher(on_bytes=interrupt) if phase == "reading" else Watcher(on_phase=interrupt)
    with pytest.raises(KeyboardInterrupt):
        import_files([write(tmp_path / "b.csv", bars(4000, 5000))], catalog, options=NAME, watcher=watcher)
    assert everything(catalog) == before


def test_a_failure_in_the_middle_of_writing_undoes_all_data_sets(tmp_path: Path, catalog: Catalog) -> None:
    import_files([write(tmp_path / "a.csv", bars(0, 5000))], catalog, options=NAME)
    before = everything(catalog)
    key_file = catalog.root / "bars" / "ETH-USDT.BINANCE"
    key_file.parent.mkdir(exist_ok=True)
    key_file.write_text("a file where a folder must be")
    rows = "".join(
        f"{START + i * 60_000},{s},1,1,1,1,1\n" for s in ("BTCUSDT", "ETHUSDT") for i in range(6000, 6100)
    )
    path = tmp_path / "Binance_1m.csv"
    path.write_text("timestamp,symbol,open,high,low,close,volume\n" + rows)
    with pytest.raises(DataError, match="cannot write to"):
        import_files([path], catalog)
    key_file.unlink()
    assert everything(catalog) == before


def test_a_killed_import_leaves_the_old_or_the_new_content(tmp_path: Path) -> None:
    home = tmp_path / "catalog"
    old = write(tmp_path / "old.csv", bars(0, 2000))
    new = write(tmp_path / "new.csv", bars(0, 150_000, close=101.0))
    import_files([old], Catalog(home), options=NAME)
    outcomes = set()
    for delay in (0.35, 0.45, 0.55, 0.65, 0.8):
        command = [sys.executable, "-m", "lanner.storage.importers.run", str(new), str(home)]
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, *command[3:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        child.wait()
        catalog = Catalog(home)
        rows = pl.concat(list(catalog.scan("bars", "BTC-USDT.BINANCE", "1m")))
        passport = catalog.require("bars", "BTC-USDT.BINANCE", "1m")
        assert rows.height == passport.rows
        assert passport.rows in (2000, 150_000)
        outcomes.add(passport.rows)
    import_files([new], Catalog(home), options=NAME)
    assert Catalog(home).datasets()[0].rows == 150_000
    assert not [path for path in home.glob(".staging-*") if path.name.split("-")[1] != str(os.getpid())]
    assert not list(home.rglob("*.tmp"))


_CHILD = """
import sys
from pathlib import Path
from lanner.storage.catalog import Catalog
from lanner.storage.importers.run import import_files
from lanner.storage.importers.table import Options
import_files([Path(sys.argv[1])], Catalog(Path(sys.argv[2])), options=Options(instrument="BTC-USDT.BINANCE"))
"""


def frames(count: int) -> Iterator[pl.DataFrame]:
    for start in range(0, count, 1000):
        opens = [(START + i * 60_000) * 10**6 for i in range(start, start + 1000)]
        yield pl.DataFrame(
            {
                "ts_open": opens,
                "ts_event": [time + 60 * 10**9 for time in opens],
                "ts_recv": [time + 60 * 10**9 for time in opens],
                **dict.fromkeys(("open", "high", "low", "close", "volume"), 100.0),
            }
        )


def test_synthetic_data_is_labelled_for_ever(tmp_path: Path, catalog: Catalog) -> None:
    info = catalog.write(
        "bars",
        "BTC-USDT.BINANCE",
        "1m",
        frames(5000),
        Passport(kind="bars", instrument_id="BTC-USDT.BINANCE", spec="1m", synthetic=True),
    )
    assert (info.rows, info.synthetic) == (5000, True)
    import_files([write(tmp_path / "a.csv", bars(5000, 10))], catalog, options=NAME)
    passport = catalog.require("bars", "BTC-USDT.BINANCE", "1m")
    assert passport.synthetic
    assert passport.problems()[0].startswith("The data is synthetic")


@pytest.mark.parametrize("chunk_rows", [1, 7, 1000, 65_536])
def test_scan_gives_exactly_the_asked_span_in_chunks_of_any_size(chunk_rows: int, catalog: Catalog) -> None:
    passport = Passport(kind="bars", instrument_id="BTC-USDT.BINANCE", spec="1m")
    catalog.write("bars", "BTC-USDT.BINANCE", "1m", frames(60_000), passport)
    closes = [(START + (i + 1) * 60_000) * 10**6 for i in range(60_000)]
    for first, last in ((0, 30), (17_000, 17_050), (59_990, 60_000)):
        found = list(
            catalog.scan(
                "bars",
                "BTC-USDT.BINANCE",
                "1m",
                since_ns=closes[first],
                until_ns=closes[last] if last < 60_000 else None,
                chunk_rows=chunk_rows,
            )
        )
        assert all(frame.height <= chunk_rows for frame in found)
        assert pl.concat(found)["ts_event"].to_list() == closes[first:last]
    assert list(catalog.scan("bars", "BTC-USDT.BINANCE", "1m", until_ns=0)) == []
