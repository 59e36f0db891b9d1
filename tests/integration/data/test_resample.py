"""Stored bars made from stored trades or finer bars equal those that the engine builds while it plays them."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import lanner as ln
from lanner.cli.main import main
from lanner.storage.catalog import Catalog
from lanner.storage.environment import default_catalog
from tests.integration.conftest import Run

ID = "BTC-USDT.SYNTH"
SEEN: dict[str, list[tuple[float | None, ...]]] = {}


class Watcher(ln.Strategy):
    """Remember every bar of the timeframe."""

    timeframe = "1h"

    def on_start(self) -> None:
        SEEN.clear()
        self.bars()

    def on_bar(self, bar: ln.Bar) -> None:
        told = (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.quote_volume, bar.trades)
        SEEN.setdefault("bars", []).append((bar.ts_open, bar.ts_event, *told, bar.taker_buy_volume))


def synth(kind: str, days: int = 2, timeframe: str = "1m") -> None:
    words = ["data", "synth", kind, "--instrument", ID, "--days", str(days), "--timeframe", timeframe]
    assert main([*words, "--quiet"]) == 0


def stored(spec: str) -> pl.DataFrame:
    return pl.concat(list(Catalog(default_catalog()).scan("bars", ID, spec)))


def told(frame: pl.DataFrame) -> list[tuple[float | None, ...]]:
    return frame.drop("ts_recv").rows()


def engine_bars(data: str, timeframe: str) -> list[tuple[float | None, ...]]:
    ln.backtest(Watcher, data, timeframe=timeframe, keep=False)
    return SEEN["bars"]


@pytest.mark.parametrize("spec", ["5m", "1h", "1d"])
def test_coarser_bars_are_the_engines_own(spec: str, lanner: Run) -> None:
    synth("bars", days=5)
    expected = engine_bars(f"{ID}@1m", spec)
    code, out, _ = lanner("data", "resample", f"{ID}@1m", "--to", spec)
    assert code == 0
    assert f"{ID}@{spec}" in out
    assert told(stored(spec)) == expected
    assert len(expected) == {"5m": 1440, "1h": 120, "1d": 5}[spec]


@pytest.mark.parametrize(
    "spec",  # of each kind of bar one every day; the length of those by time is varied above
    ["1m", pytest.param("1h", marks=pytest.mark.nightly), "100tick", "50vol", "1000000usd"],
)
def test_bars_from_trades_are_the_engines_own(spec: str, lanner: Run) -> None:
    synth("trades", days=1)
    expected = engine_bars(f"{ID}@trades", spec)
    assert lanner("data", "resample", f"{ID}@trades", "--to", spec)[0] == 0
    assert told(stored(spec)) == expected
    assert len(expected) > 20


def test_several_sets_are_made_at_once_and_a_backtest_runs_on_them(lanner: Run) -> None:
    synth("bars", days=20)
    said = json.loads(lanner("data", "resample", ID, "--to", "15m", "--to", "1h", "--json")[1])
    assert [item["ref"] for item in said["datasets"]] == [f"{ID}@15m", f"{ID}@1h"]
    assert [item["rows"] for item in said["datasets"]] == [1920, 480]
    done = json.loads(lanner("backtest", "dual_ma", "--data", f"{ID}@1h", "--json")[1])
    assert done["events"] == 480


def test_the_passport_names_the_source_and_what_is_wrong_with_it(tmp_path: Path, lanner: Run) -> None:
    start = 1_704_067_200_000
    rows = "".join(f"{start + i * 60_000},100,101,99,100,2\n" for i in range(600) if i not in range(100, 130))
    path = tmp_path / "Binance_BTCUSDT_1m.csv"
    path.write_text("timestamp,open,high,low,close,volume\n" + rows)
    lanner("data", "import", str(path))
    lanner("data", "resample", "BTC-USDT.BINANCE@1m", "--to", "1h")
    passport = json.loads(lanner("data", "describe", "BTC-USDT.BINANCE@1h", "--json")[1])
    source = json.loads(lanner("data", "describe", "BTC-USDT.BINANCE@1m", "--json")[1])
    assert passport["sources"][0]["file"] == "BTC-USDT.BINANCE@1m"
    assert passport["sources"][0]["sha256"] == source["content_hash"]
    assert passport["sources"][0]["rows"] == 570
    assert passport["inferred"]["resampled from"] == "BTC-USDT.BINANCE@1m"
    assert any("In the source BTC-USDT.BINANCE@1m: 1 gap: 30 bars" in text for text in passport["problems"])
    assert passport["rows"] == 10
    out = lanner("data", "describe", "BTC-USDT.BINANCE@1h")[1]
    assert "resampled from BTC-USDT.BINANCE@1m" in out


def test_bars_made_from_synthetic_data_stay_labelled(lanner: Run) -> None:
    synth("bars")
    lanner("data", "resample", f"{ID}@1m", "--to", "1h")
    passport = json.loads(lanner("data", "describe", f"{ID}@1h", "--json")[1])
    assert passport["synthetic"] is True
    assert sum("synthetic" in text for text in passport["problems"]) == 1


def test_the_unfinished_bar_at_the_end_is_kept_on_request_only(tmp_path: Path, lanner: Run) -> None:
    start = 1_704_067_200_000
    rows = "".join(f"{start + i * 60_000},100,101,99,100,2\n" for i in range(150))
    path = tmp_path / "Binance_BTCUSDT_1m.csv"
    path.write_text("timestamp,open,high,low,close,volume\n" + rows)
    words = ("data", "resample", str(path), "--to", "1h", "--json")
    assert json.loads(lanner(*words)[1])["datasets"][0]["rows"] == 2
    assert json.loads(lanner(*words, "--partial", "--replace")[1])["datasets"][0]["rows"] == 3


def test_empty_spans_are_filled_on_request(tmp_path: Path, lanner: Run) -> None:
    start = 1_704_067_200_000
    rows = "".join(f"{start + i * 60_000},100,101,99,100,2\n" for i in (*range(60), *range(180, 240)))
    path = tmp_path / "Binance_BTCUSDT_1m.csv"
    path.write_text("timestamp,open,high,low,close,volume\n" + rows)
    words = ("data", "resample", str(path), "--to", "1h", "--json")
    assert json.loads(lanner(*words)[1])["datasets"][0]["rows"] == 2
    assert json.loads(lanner(*words, "--empty", "flat", "--replace")[1])["datasets"][0]["rows"] == 4


def test_tick_bars_that_open_at_the_same_instant_all_stay(tmp_path: Path, lanner: Run) -> None:
    rows = "".join(f"{1_704_067_200_000 + i // 40 * 1000},{100 + i % 7},1\n" for i in range(400))
    path = tmp_path / "Binance_BTCUSDT_trades.csv"
    path.write_text("timestamp,price,quantity\n" + rows)
    said = json.loads(lanner("data", "resample", str(path), "--to", "10tick", "--json")[1])
    assert said["datasets"][0]["rows"] == 40
    frame = pl.concat(list(Catalog(default_catalog()).scan("bars", "BTC-USDT.BINANCE", "10tick")))
    assert frame["trades"].to_list() == [10] * 40
    assert frame["ts_open"].n_unique() == 10


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ((f"{ID}@1m", "--to", "7m"), 4, "unknown timeframe '7m'"),
        ((f"{ID}@1m", "--to", "1s"), 4, "1s bars cannot be built from 1m bars"),
        ((f"{ID}@1m", "--to", "100tick"), 4, f"100tick bars cannot be made from {ID}@1m"),
        ((f"{ID}@quotes", "--to", "1h"), 4, "does not name one set of trades or bars"),
        ((f"{ID}@2h", "--to", "1d"), 2, "no data set"),
        ((f"{ID}@1m",), 4, "--to is missing"),
    ],
)
def test_what_cannot_be_made_is_refused(words: tuple[str, ...], code: int, text: str, lanner: Run) -> None:
    synth("bars", days=1)
    synth("quotes", days=1)
    got, out, err = lanner("data", "resample", *words)
    assert (got, out) == (code, "")
    assert text in err


def test_bars_that_exist_are_replaced_on_request_only(lanner: Run) -> None:
    synth("bars")
    assert lanner("data", "resample", f"{ID}@1m", "--to", "1h")[0] == 0
    code, _, err = lanner("data", "resample", f"{ID}@1m", "--to", "1h")
    assert code == 1
    assert "exists already" in err
    assert lanner("data", "resample", f"{ID}@1m", "--to", "1h", "--replace")[0] == 0
