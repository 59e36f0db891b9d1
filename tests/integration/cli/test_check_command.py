"""``lanner check`` from the command line: data, parameters, output and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.conftest import Run

PEEK = """\
import polars as pl

import lanner as ln


class Peek(ln.Strategy):
    path = ln.Param("btc.csv", help="a file with the prices")

    def on_start(self):
        frame = pl.read_csv(self.path)
        self.later = dict(zip(frame["timestamp"], frame["close"].shift(-1), strict=True))

    def on_bar(self, bar):
        later = self.later.get(bar.ts_open // 1_000_000)
        if later is not None:
            self.target(0.9 if later > bar.close else 0)
"""
SIGNAL = """\
import lanner as ln


@ln.signal("1h", stop="5%")
def cross(bars, fast=5, slow=20):
    return bars.close.sma(fast) > bars.close.sma(slow)
"""
DATA = ("--data", "btc.csv", "--instrument", "BTC-USDT.TEST")


def statuses(out: str) -> dict[str, str]:
    report = json.loads(out)
    return {entry["check"]: entry["status"] for entry in report["checks"]}


def test_an_honest_strategy_passes_on_the_users_own_data(work: Path, lanner: Run) -> None:
    code, out, err = lanner("check", "cross.py", *DATA, "--budget", "10")
    assert code == 0, out + err
    assert "cross.py on 600 bars of" in out
    assert "look-ahead   passed   10 of" in out
    assert "No errors" in out or "Nothing found" in out
    assert max(map(len, out.splitlines())) <= 100


def test_the_future_in_a_file_beside_the_data_is_found(work: Path, lanner: Run) -> None:
    (work / "peek.py").write_text(PEEK)
    code, out, _ = lanner("check", "peek.py", *DATA, "--json")
    assert code == 1
    report = json.loads(out)
    assert statuses(out)["look-ahead"] == "error"
    assert not report["ok"]
    (finding,) = [entry for entry in report["findings"] if entry["severity"] == "error"]
    assert finding["check"] == "look-ahead"
    assert finding["evidence"]["files"] == [str(work / "btc.csv")]
    assert finding["line"] == 10
    assert finding["time"].startswith("2024-01-")


@pytest.mark.nightly
def test_the_same_strategy_is_only_suspected_where_the_file_holds_other_prices(
    work: Path, lanner: Run
) -> None:
    (work / "peek.py").write_text(PEEK)
    code, out, _ = lanner("check", "peek.py", "--json", "--budget", "5")
    assert code == 0
    assert statuses(out)["outside"] == "warning"
    hints = [entry["what"] for entry in json.loads(out)["findings"]]
    assert "a shift to the left brings the future" in hints


@pytest.mark.nightly
def test_a_signal_is_compared_with_its_array_form(work: Path, lanner: Run) -> None:
    (work / "signal.py").write_text(SIGNAL)
    code, out, _ = lanner("check", "signal.py", *DATA, "--param", "fast=8", "--json", "--budget", "5")
    assert code == 0
    assert statuses(out)["vector"] == "passed"
    assert json.loads(out)["params"] == {"fast": 8, "slow": 20}


@pytest.mark.nightly
def test_without_data_it_plays_synthetic_bars_of_the_strategys_timeframe(work: Path, lanner: Run) -> None:
    code, out, _ = lanner("check", "dual_ma", "--json", "--budget", "3", "--param", "fast=5")
    assert code == 0
    report = json.loads(out)
    assert report["data"].startswith("1,500 synthetic bars of 15m")
    assert report["orders"] > 0
    assert report["runs"] > 10


def test_two_checks_of_the_same_are_the_same(work: Path, lanner: Run) -> None:
    first = lanner("check", "cross.py", *DATA, "--json", "--budget", "2", "--seed", "3")
    second = lanner("check", "cross.py", *DATA, "--json", "--budget", "2", "--seed", "3")
    assert first == second


def test_quiet_prints_findings_only(work: Path, lanner: Run) -> None:
    (work / "coin.py").write_text(
        "import random\n\nimport lanner as ln\n\n\nclass Coin(ln.Strategy):\n    def on_bar(self, bar):\n"
        "        if random.random() < 0.1:\n            self.target(0.5)\n            self.target(0)\n"
    )
    code, out, _ = lanner("check", "coin.py", *DATA, "--quiet", "--budget", "3")
    assert code == 1
    assert out.splitlines()[0].startswith("error determinism: the orders depend on random numbers")


@pytest.mark.nightly
def test_span_and_settings_reach_the_runs(work: Path, lanner: Run) -> None:
    code, out, _ = lanner(
        "check", "cross.py", *DATA, "--since", "2024-01-03", "--until", "2024-01-20", "--set", "cash=500",
        "--json", "--budget", "3",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)["data"].startswith("408 bars")


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (("check", "nothing.py"), 2, "nothing.py"),
        (("check", "cross.py", "--budget", "0"), 4, "--budget is out of range"),
        (("check", "cross.py", "--since", "2024"), 4, "without --data"),
        (("check", "cross.py", "--param", "quick=3"), 4, "has no parameter 'quick'"),
        (("check", "grid"), 4, "grid needs its range"),
        (("check", "cross.py", "--data", "no.csv"), 2, "no.csv"),
    ],
)
def test_a_mistake_is_one_message(
    work: Path, lanner: Run, words: tuple[str, ...], code: int, what: str
) -> None:
    found, out, err = lanner(*words)
    assert found == code
    assert what in err
    assert out == ""


def test_a_strategy_that_fails_is_a_finding_not_a_crash(work: Path, lanner: Run) -> None:
    (work / "broken.py").write_text(
        "import lanner as ln\n\n\nclass Broken(ln.Strategy):\n    def on_bar(self, bar):\n        1 / 0\n"
    )
    code, out, _ = lanner("check", "broken.py", *DATA, "--json")
    assert code == 1
    finding = json.loads(out)["findings"][0]
    assert finding["check"] == "run"
    assert finding["found"] == "ZeroDivisionError: division by zero"


@pytest.mark.nightly
def test_a_peek_is_found_whatever_the_delays_and_fills(work: Path, lanner: Run) -> None:
    (work / "peek.py").write_text(PEEK)
    for setting in ("latency.feed=200", "fills.market_on=close"):
        code, out, _ = lanner("check", "peek.py", *DATA, "--set", setting, "--json", "--budget", "4")
        assert (code, statuses(out)["look-ahead"]) == (1, "error"), setting


def test_a_strategy_that_ends_the_program_is_an_error(work: Path, lanner: Run) -> None:
    (work / "leaves.py").write_text(
        "import sys\n\nimport lanner as ln\n\n\nclass Leaves(ln.Strategy):\n    def on_bar(self, bar):\n"
        "        sys.exit(3)\n"
    )
    code, out, _ = lanner("check", "leaves.py", *DATA, "--json", "--budget", "2")
    assert code == 1
    assert "ends the program" in json.loads(out)["findings"][0]["found"]
