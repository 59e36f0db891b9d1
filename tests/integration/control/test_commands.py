"""``lanner run-sessions`` and ``lanner reload``, as people use them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lanner.cli.main import main
from lanner.control.opening import session_folder
from lanner.live.guards import read_pulse
from tests.integration.control.conftest import Market, until
from tests.waiting import save

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
    words = ("run-sessions", str(file), "--url", market.url, "--for", "600", "--json")
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
        until(lambda: told(capsys, "status", "one")["fills"] >= 1)
        until(lambda: (pulse := read_pulse(session_folder("two"))) is not None and pulse.fault)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=120)
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


def test_a_file_of_sessions_is_watched_and_its_changes_reach_all_of_them_or_none(
    file: Path, market: Market, capsys: pytest.CaptureFixture[str]
) -> None:
    text = FILE.replace("two, strategy: raises.py", "two, strategy: flip.py")
    text = "reload: {watch: true, interval_ms: 100}\n" + text
    file.write_text(text)
    words = ("run-sessions", str(file), "--url", market.url, "--for", "600")
    said = file.with_name("said")
    with said.open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "lanner", *words], stdout=subprocess.DEVNULL, stderr=err
        )
    try:
        for name in ("one", "two", "three"):
            until(lambda name=name: _reload_of(capsys, name).get("watching"))  # type: ignore[misc]
        new = text.replace("every: 3}", "every: 3, size: 0.2}").replace(
            "sessions:", "risk: {max_open_orders: 9}\nsessions:"
        )
        save(file, new)
        for name in ("one", "two", "three"):
            until(lambda name=name: _reload_of(capsys, name)["reload_count"] == 1)  # type: ignore[misc]
        save(file, new.replace("size: 0.2", "size: 0.3").replace("cash: 700", "cash: 800"))
        for name in ("one", "two", "three"):
            until(lambda name=name: _reload_of(capsys, name)["error_count"] == 1)  # type: ignore[misc]
            assert "cash cannot be changed while the session runs" in _reload_of(capsys, name)["last_error"]
        assert told(capsys, "reload", "one", "--dry-run")["changes"][0]["after"] == 0.3
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    finally:
        process.kill()
        process.wait(60)
    heard = said.read_text()
    assert heard.count("many.yaml changed") == 2
    assert "session one: Flip.size 0.5 -> 0.2" in heard
    assert "session three: risk.max_open_orders 200 -> 9" in heard
    assert "nothing was changed in any session" in heard
    assert told(capsys, "replay", "one")["strategies"]["Flip"]["size"] == "0.2"
    for text, word in (
        (FILE.replace("id: one, ", "reload: {watch: true}, "), "needs an id"),
        (FILE.replace("id: two", "id: one"), "twice"),
    ):
        file.write_text(text)
        assert word in told(capsys, "run-sessions", str(file), code=4)["message"]


def _reload_of(capsys: pytest.CaptureFixture[str], name: str) -> dict[str, Any]:
    capsys.readouterr()
    if main(["status", name, "--json"]):
        return {}
    found: dict[str, Any] = json.loads(capsys.readouterr().out)["reload"]
    return found


def test_the_kill_switch_of_all_sessions_outlives_their_process_until_somebody_says_why(
    file: Path, market: Market, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("run-sessions", str(file), "--url", market.url, "--json")
    process = subprocess.Popen(
        [sys.executable, "-m", "lanner", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        _wait_for(capsys, "one", "three")
        until(
            lambda: (pulse := read_pulse(session_folder("two"))) is not None and pulse.fault and pulse.ended
        )
        shown = told(capsys, "kill", "--all", "--reason", "a rumour")
        ended = {one["session"]: one["flat"] for one in shown["sessions"]}
        assert ended == {"one": True, "three": True}
        assert told(capsys, "status", "one")["kill_switch"] == "a rumour"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    finally:
        process.kill()
    answer = told(capsys, *words[:-1], "--for", "5", code=1)["sessions"]
    assert all("kill switch is active" in one["last_error"] for one in answer), answer
    paper = (str(file.parent / "flip.py"), "-i", "BTC-USDT@binance", "--url", market.url, "--for", "1")
    refused = told(capsys, "paper", *paper, code=6)
    assert "a rumour" in refused["found"]
    assert told(capsys, "sessions")["kill_switch"] == "a rumour"
    assert main(["sessions"]) == 0
    assert "a rumour" in capsys.readouterr().err
    assert told(capsys, "resume", "--all", code=4)["exit_code"] == 4
    assert told(capsys, "resume", "one", "--all", "--reason", "x", code=4)["exit_code"] == 4
    done = told(capsys, "resume", "--all", "--reason", "it was only a rumour")
    assert done == {"was_active": True, "kill_switch": "a rumour", "latched": ["one", "three"]}
    assert told(capsys, "sessions")["kill_switch"] == ""
    assert main(["paper", *paper]) == 0


def test_what_a_live_session_left_at_the_venue_when_its_process_died_is_ended_with_all(
    work: Callable[[str], str],
    market: Market,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = market.ready["accounts"][0]
    monkeypatch.setenv("LANNER_KEYS__BINANCE_SPOT__API_KEY", account["api_key"])
    monkeypatch.setenv("LANNER_KEYS__BINANCE_SPOT__SECRET", account["api_secret"])
    options = ("-i", "BTC-USDT@binance", "--url", market.url, "--no-watchdog", "--session", "gone")
    words = ("live", work("holds"), *options, "--live", "--confirm", "trade binance-spot")
    process = subprocess.Popen(
        [sys.executable, "-m", "lanner", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(capsys, "gone")
        until(
            lambda: told(capsys, "status", "gone")["fills"] >= 1 and told(capsys, "status", "gone")["orders"]
        )
    finally:
        process.kill()
        process.wait(60)
    (shown,) = told(capsys, "kill", "--all", "--reason", "a drill")["sessions"]
    assert (shown["session"], shown["flat"]) == ("gone", True), shown
    assert (shown["orders_cancelled"], shown["positions_closed"]) == (1, 1), shown
    assert told(capsys, "kill", "--all")["sessions"] == []  # it is ended already
    assert told(capsys, "resume", "--all", "--reason", "done")["kill_switch"] == "a drill"


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
        report_file = session_folder("stuck") / "kill-report.json"
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
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 1, err
    sessions = {one["session"]: one for one in json.loads(out.strip().splitlines()[-1])["sessions"]}
    assert sessions["good"]["status"] == "stopped"
    assert "cut off" in sessions["stuck"]["last_error"]


def _wait_for(capsys: pytest.CaptureFixture[str], *names: str) -> None:
    """Wait until sessions trade: they tell how they stand as soon as they start."""
    for name in names:
        until(lambda name=name: _trades(capsys, name))  # type: ignore[misc]


def _trades(capsys: pytest.CaptureFixture[str], name: str) -> bool:
    capsys.readouterr()
    if main(["status", name, "--json"]):
        return False
    return bool(json.loads(capsys.readouterr().out)["uptime_s"] > 0)


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
