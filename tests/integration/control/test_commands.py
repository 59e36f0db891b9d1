"""``lanner run-sessions`` and ``lanner reload``, as people use them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lanner.cli.main import main
from lanner.control.opening import session_folder
from lanner.live.guards import read_pulse
from lanner.live.killswitch import REPORT
from tests.integration.control.conftest import Market, until

pytestmark = pytest.mark.timeout(180)
FILE = """\
cash: 5000
instruments: [BTC-USDT@binance]
journal: {sync: none}
sessions:
  - {id: one, strategy: flip.py, params: {every: 3}}
  - {id: two, strategy: raises.py}
  - {id: three, strategy: flip.py, instruments: [ETH-USDT@binance], cash: 700}
"""


@pytest.fixture
def file(tmp_path: Path, work: Callable[[str], str]) -> Path:
    for name in ("flip", "raises"):
        work(name)
    path = tmp_path / "many.yaml"
    path.write_text(FILE)
    return path


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    assert main([*words, "--json"]) == code
    out = capsys.readouterr().out
    answer: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return answer


def test_sessions_of_one_file_run_beside_each_other_and_are_reloaded(
    file: Path, market: Market, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("run-sessions", str(file), "--url", market.url, "--for", "60", "--json")
    process = subprocess.Popen(
        [sys.executable, "-m", "lanner", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        _wait_for(capsys, "one", "three")
        shown = told(capsys, "reload", "one", "--set", "size=0.2", "--dry-run")
        assert shown["changes"] == [
            {"kind": "params", "strategy": "Flip", "name": "size", "before": 0.5, "after": 0.2}
        ]
        assert told(capsys, "reload", "one", "--set", "size=0.2", "--reason", "calm")["applied"]
        wrong = told(capsys, "reload", "one", "--set", "size=20", code=4)
        assert "size" in wrong["message"]
        assert main(["reload", "three", "--set", "risk.max_open_orders=3"]) == 0
        assert "max_open_orders" in capsys.readouterr().out
        assert told(capsys, "reload", "one", "--set", "a=1", "--file", "x", code=4)
        until(lambda: (pulse := read_pulse(session_folder("two"))) is not None and pulse.fault)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1, err
    sessions = {one["session"]: one for one in json.loads(out.strip().splitlines()[-1])["sessions"]}
    assert {name: one["status"] for name, one in sessions.items()} == {
        "one": "stopped",
        "two": "error",
        "three": "stopped",
    }
    assert "the strategy has a mistake" in sessions["two"]["last_error"]
    assert sessions["one"]["fills"] > 0
    again = told(capsys, "replay", "one")
    assert again["faithful"]
    assert again["strategies"]["Flip"]["size"] == "0.2"
    assert again["state_hash"] == sessions["one"]["state_hash"]


@pytest.mark.nightly
def test_the_watchdog_of_a_stuck_session_leaves_its_neighbours_alive(
    tmp_path: Path, work: Callable[[str], str], market: Market, capsys: pytest.CaptureFixture[str]
) -> None:
    flag, path = tmp_path / "go", tmp_path / "many.yaml"
    work("flip"), work("blocks")
    path.write_text(
        "instruments: [BTC-USDT@binance]\n"
        "recovery: {watchdog_s: 2}\n"
        "sessions:\n"
        "  - {id: good, strategy: flip.py}\n"
        f"  - {{id: stuck, strategy: blocks.py, mode: live, params: {{flag: {flag}}}}}\n"
    )
    account = market.ready["accounts"][0]
    keys = {
        "LANNER_KEYS__BINANCE_SPOT__API_KEY": account["api_key"],
        "LANNER_KEYS__BINANCE_SPOT__SECRET": account["api_secret"],
    }
    words = ("run-sessions", str(path), "--url", market.url, "--live", "--confirm", "trade binance-spot")
    process = subprocess.Popen(
        [sys.executable, "-m", "lanner", *words, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **keys},
    )
    try:
        _wait_for(capsys, "good")
        report_file = session_folder("stuck") / REPORT
        until(report_file.exists, 90)
        report = json.loads(report_file.read_text())
        assert report["flat"], report
        assert (report["orders_cancelled"], report["positions_closed"]) == (1, 1), report
        assert "was cut off inside process" in report["notes"][0]
        assert process.poll() is None
        status = told(capsys, "status", "good")
        assert (status["trading"], status["reload"]["watching"]) == ("ACTIVE", False)
        flag.touch()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1, err
    sessions = {one["session"]: one for one in json.loads(out.strip().splitlines()[-1])["sessions"]}
    assert sessions["good"]["status"] == "stopped"
    assert "cut off" in sessions["stuck"]["last_error"]


def _wait_for(capsys: pytest.CaptureFixture[str], *names: str) -> None:
    end = time.monotonic() + 60
    for name in names:
        while main(["status", name, "--once", "--quiet"]) != 0:
            assert time.monotonic() < end
            time.sleep(0.5)
    capsys.readouterr()


def test_a_file_of_sessions_is_shown_and_its_mistakes_are_told(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = told(capsys, "run-sessions", str(file), "--dry-run", "--set", "seed=4")["sessions"]
    assert [one["id"] for one in shown] == ["one", "two", "three"]
    assert [float(one["cash"]) for one in shown] == [5000, 5000, 700]
    assert {one["seed"] for one in shown} == {4}
    for text, word in (
        ("sessions: []\n", "no list of sessions"),
        (FILE.replace("id: two", "id: one"), "id of a session"),
        (FILE.replace("every: 3", "every: 3}, cahs: {"), "cahs"),
        (FILE.replace("id: one", "id: ../one"), "id of a session"),
    ):
        file.write_text(text)
        assert word in told(capsys, "run-sessions", str(file), code=4)["message"]
    file.write_text(FILE.replace("id: one,", "id: one, mode: live,"))
    assert told(capsys, "run-sessions", str(file), code=6)["exit_code"] == 6
    assert told(capsys, "run-sessions", str(file), "--live", "--confirm", "yes", code=6)["exit_code"] == 6
    assert told(capsys, "reload", "nobody", "--set", "a=1", code=2)["exit_code"] == 2
