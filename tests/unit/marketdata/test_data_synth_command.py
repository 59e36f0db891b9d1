"""``lanner data synth`` as a user meets it: what it writes, what it prints, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lanner.cli.main import main
from lanner.storage.catalog import Catalog


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LANNER_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home" / "catalog"


def answer(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    assert main(["data", "synth", *words, "--json"]) == code
    parsed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return parsed


def test_bars_land_in_the_catalog_and_are_labelled_synthetic(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = answer(capsys, "bars", "--timeframe", "1h", "--days", "10", "--seed", "3")
    (dataset,) = told["datasets"]
    assert (dataset["ref"], dataset["rows"], dataset["synthetic"]) == ("BTC-USDT.SYNTH@1h", 240, True)
    passport = Catalog(home).passport("bars", "BTC-USDT.SYNTH", "1h")
    assert passport is not None
    assert passport.synthetic
    assert passport.sources[0].file.startswith("synthetic: seed 3, 10 days, start price 40000")
    assert passport.sources[0].rows == 240
    assert passport.problems() == ["The data is synthetic: made by a generator, not recorded at a venue."]


def test_the_same_words_give_the_same_hash_and_another_seed_another(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("bars", "--timeframe", "4h", "--days", "20", "--replace")
    first, again = (answer(capsys, *words)["datasets"][0]["content_hash"] for _ in range(2))
    other = answer(capsys, *words, "--seed", "8")["datasets"][0]["content_hash"]
    assert first == again != other


def test_all_of_a_perpetual_is_five_data_sets_that_fit_together(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = answer(capsys, "all", "--instrument", "SOL-PERP.SYNTH", "--days", "1")
    assert [d["ref"] for d in told["datasets"]] == [
        f"SOL-PERP.SYNTH@{name}" for name in ("1m", "trades", "quotes", "book", "funding")
    ]
    catalog = Catalog(home)
    for info in catalog.datasets():
        passport = catalog.require(info.kind, info.instrument_id, info.spec)
        assert passport.problems() == ["The data is synthetic: made by a generator, not recorded at a venue."]
    bars = pl.concat(catalog.scan("bars", "SOL-PERP.SYNTH", "1m"))
    trades = pl.concat(catalog.scan("trades", "SOL-PERP.SYNTH"))
    assert bars["trades"].sum() == trades.height
    assert bars["close"][-1] == trades["px"][-1]
    instrument = catalog.instrument("SOL-PERP.SYNTH")
    assert instrument is not None
    assert (str(instrument.tick), instrument.settle) == ("0.001", "USDT")


def test_a_csv_of_bars_imports_as_the_bars_that_the_catalog_would_hold(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(capsys, "bars", "--timeframe", "1h", "--days", "5", "--output", "made.csv")
    assert main(["data", "import", "made.csv", "--instrument", "COPY-USDT.SYNTH", "--quiet"]) == 0
    answer(capsys_after(capsys), "bars", "--timeframe", "1h", "--days", "5")
    catalog = Catalog(home)
    copy = pl.concat(catalog.scan("bars", "COPY-USDT.SYNTH", "1h"))
    made = pl.concat(catalog.scan("bars", "BTC-USDT.SYNTH", "1h"))
    prices = ["ts_open", "ts_event", "open", "high", "low", "close", "volume"]
    assert copy.select(prices).equals(made.select(prices))


def capsys_after(capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    capsys.readouterr()
    return capsys


def test_a_csv_of_trades_imports_with_times_sides_and_ids(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = answer(capsys, "trades", "--days", "1", "--format", "csv")
    assert told["file"] == "BTC-USDT.SYNTH@trades.synthetic.csv"
    words = ["data", "import", told["file"], "--instrument", "COPY-USDT.SYNTH", "--quiet"]
    assert main(words) == 0
    copy = pl.concat(Catalog(home).scan("trades", "COPY-USDT.SYNTH"))
    rows = pl.read_csv(told["file"])
    assert copy.height == rows.height == told["rows"]
    assert copy["ts_event"].equals(rows["timestamp"].alias("ts_event"))
    assert copy["aggressor"].to_list() == [1 if side == "buy" else -1 for side in rows["side"]]


def test_quiet_prints_the_reference_only(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "synth", "--timeframe", "1d", "--days", "9", "--quiet"]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("BTC-USDT.SYNTH@1d\n", "")


def test_synthetic_data_replace_nothing_unasked_and_recorded_data_never(
    home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    answer(capsys, "--timeframe", "1d", "--days", "9")
    again = answer(capsys, "--timeframe", "1d", "--days", "9", code=1)
    assert again["message"] == "BTC-USDT.SYNTH@1d exists already"
    assert again["fix"] == "Add --replace to make it anew."
    file = tmp_path / "recorded.csv"
    file.write_text(
        "timestamp,open,high,low,close,volume\n1704067200000,1,2,1,2,5\n1704153600000,1,2,1,2,5\n"
    )
    assert main(["data", "import", str(file), "--instrument", "ABC-USDT.BINANCE", "--timeframe", "1d"]) == 0
    capsys.readouterr()
    words = ("--instrument", "ABC-USDT.BINANCE", "--timeframe", "1d", "--replace")
    refused = answer(capsys, *words, code=1)
    assert "holds recorded data, which synthetic data never replaces" in refused["message"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--timeframe", "7m"], "unknown timeframe '7m'"),
        (["--since", "yesterday"], "--since is not a time"),
        (["--since", "2024-01-01T12:00"], "synthetic data start at midnight UTC"),
        (["--days", "0"], "the number of days is out of range"),
        (["--seed", "-1"], "the seed is out of range"),
        (["--vol", "60"], "the volatility is not believable"),
        (["--start-price", "-5"], "the start price must be positive"),
        (["--instrument", "BTCUSDT"], "not an instrument id"),
        (["funding"], "BTC-USDT.SYNTH pays no funding"),
        (["all", "--format", "csv"], "a CSV file holds one kind of data"),
    ],
)
def test_a_wrong_word_is_refused_before_anything_is_written(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert answer(capsys, *words, code=4)["message"] == message
    assert not home.exists()
    assert not list(home.parent.parent.glob("*.csv"))


def test_a_csv_that_cannot_be_written_is_told_without_a_traceback(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = answer(capsys, "--days", "1", "--output", "no/such/folder/x.csv", code=1)
    assert told["message"].startswith("cannot write no/such/folder/x.csv")
