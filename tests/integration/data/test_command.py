"""``lanner data`` at the command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from lanner.cli.main import main

HEAD = "timestamp,open,high,low,close,volume\n"
START = 1_704_067_200_000
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lanner(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["data", *words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """Hourly bars with one gap of two, one bad row and one bar without volume."""
    rows = [
        f"{START + hour * 3_600_000},100,101,99,100,{hour % 50}"
        for hour in range(1, 100)
        if hour not in (40, 41)
    ]
    path = tmp_path / "Coinbase_BTCUSD_1h.csv"
    path.write_text(HEAD + "\n".join(rows) + "\nbad,1,1,1,1,1\n")
    return path


def test_import_prints_a_table_and_tells_the_rest_on_standard_error(bars: Path, lanner: Run) -> None:
    code, out, err = lanner("import", str(bars))
    assert code == 0
    assert "BTC-USD.COINBASE@1h  bars    97   97  2024-01-01 02:00  2024-01-05 04:00" in out
    assert "Coinbase_BTCUSD_1h.csv, line 99: the time is missing" in err
    assert "note: Coinbase_BTCUSD_1h.csv: instrument BTC-USD.COINBASE concluded" in err


def test_import_prints_one_object_with_json_and_nothing_else(bars: Path, lanner: Run) -> None:
    code, out, _ = lanner("import", str(bars), "--json")
    result = json.loads(out)
    assert code == 0
    assert (result["rows_read"], result["rows_rejected"]) == (97, 1)
    assert result["datasets"][0]["ref"] == "BTC-USD.COINBASE@1h"
    assert result["rejections"][0]["line"] == 99


def test_quiet_leaves_standard_error_empty(bars: Path, lanner: Run) -> None:
    assert lanner("import", str(bars), "--quiet")[2] == ""


def test_strict_ends_with_1_and_writes_nothing(bars: Path, lanner: Run) -> None:
    code, out, err = lanner("import", str(bars), "--strict")
    assert (code, out) == (1, "")
    assert "line 99: the time is missing" in err
    assert json.loads(lanner("list", "--json")[1])["datasets"] == []


def test_a_dry_run_reads_everything_and_writes_nothing(bars: Path, lanner: Run) -> None:
    code, out, _ = lanner("import", str(bars), "--dry-run", "--json")
    assert (code, json.loads(out)["rows_read"]) == (0, 97)
    assert json.loads(lanner("list", "--json")[1])["datasets"] == []


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("import", "missing.csv"), 2, "no such file: missing.csv"),
        (("import", "{bars}", "--format", "xml"), 4, "unknown format"),
        (("import", "{bars}", "--timeframe", "7m"), 4, "unknown --timeframe"),
        (("import", "{bars}", "--timeframe", "5m"), 4, "--timeframe does not fit the file"),
        (("import", "{bars}", "--instrument", "BTC"), 4, "not an instrument id"),
        (("import", "{bars}", "--format", "tardis-trades"), 1, "not a tardis-trades file"),
        (("import",), 4, "is missing"),
        (("describe", "BTC-USD.COINBASE@1h"), 2, "no data set 'BTC-USD.COINBASE@1h'"),
        (("export", "BTC-USD.COINBASE@1h", "x.csv"), 2, "no data set"),
        (("nonsense",), 4, "no command 'nonsense'"),
    ],
)
def test_mistakes_end_with_their_own_code_and_no_traceback(
    words: tuple[str, ...], code: int, text: str, bars: Path, lanner: Run
) -> None:
    got, out, err = lanner(*(word.replace("{bars}", str(bars)) for word in words))
    assert (got, out) == (code, "")
    assert text in err
    assert "Traceback" not in err


def test_describe_shows_the_passport(bars: Path, lanner: Run) -> None:
    lanner("import", str(bars))
    code, out, _ = lanner("describe", "BTC-USD.COINBASE@1h")
    assert code == 0
    for text in (
        "rows            97 in 1 file(s)",
        "gaps            1, 2 bars missing (2 %)",
        "left out        1 rows: the time is missing",
        "0 OHLC violations, 1 without volume",
        "tick 1, lot 0.01, quote USD",
        "2024-01-02 15:00  2024-01-02 18:00  3.0 h         2",
        "Coinbase_BTCUSD_1h.csv, line 99",
    ):
        assert text in out
    assert max(map(len, out.splitlines())) <= 100


def test_describe_gives_the_whole_passport_as_json(bars: Path, lanner: Run) -> None:
    lanner("import", str(bars))
    passport = json.loads(lanner("describe", "--json")[1])
    assert (passport["rows"], passport["missing_rows"], passport["rejected_rows"]) == (97, 2, 1)
    assert passport["gaps"] == [
        {"start_ns": 1704207600000000000, "end_ns": 1704218400000000000, "missing": 2}
    ]
    assert len(passport["content_hash"]) == 64
    assert passport["sources"][0]["sha256"]
    assert passport["problems"]


def test_describe_names_no_hash_of_a_source_that_is_no_file(lanner: Run) -> None:
    lanner("synth", "bars", "--instrument", "A-USDT.MADE", "--days", "2", "--timeframe", "1h")
    out = lanner("describe", "A-USDT.MADE@1h")[1]
    source = out[out.index("source ") : out.index("content hash")]
    assert "48 rows" in source
    assert "sha256" not in source


def test_describe_reads_a_file_without_importing_it(bars: Path, lanner: Run) -> None:
    assert json.loads(lanner("describe", str(bars), "--json")[1])["rows"] == 97
    assert json.loads(lanner("list", "--json")[1])["datasets"] == []


def test_list_and_export(bars: Path, lanner: Run, tmp_path: Path) -> None:
    assert "is empty" in lanner("list")[2]
    lanner("import", str(bars))
    assert "BTC-USD.COINBASE@1h  bars    97" in lanner("list")[1]
    target = tmp_path / "out.csv"
    code, out, _ = lanner(
        "export",
        "BTC-USD.COINBASE@1h",
        str(target),
        "--since",
        "2024-01-02",
        "--until",
        "2024-01-03",
        "--json",
    )
    assert (code, json.loads(out)["rows"]) == (0, pl.read_csv(target).height)
    assert pl.read_csv(target).height == 22


def test_formats_lists_every_format(lanner: Run) -> None:
    names = json.loads(lanner("formats", "--json")[1])["formats"]
    assert {
        "ohlcv-csv",
        "binance-aggtrades",
        "tardis-derivative-ticker",
        "frames",
        "freqtrade",
        "lean",
    } <= names.keys()
    assert "frames" in lanner("formats")[1]


def test_the_users_tick_and_lot_win_over_the_data(bars: Path, lanner: Run) -> None:
    lanner("import", str(bars), "--tick", "0.05", "--lot", "0.001")
    instrument = json.loads(lanner("describe", "--json")[1])["instrument"]
    assert (instrument["tick"], instrument["lot"]) == ("0.05", "0.001")
