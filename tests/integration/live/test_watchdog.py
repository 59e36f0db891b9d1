"""A live session's engine dies or freezes: its watchdog, a process of its own, takes everything back and proves it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.live.conftest import Lanner, Venue

pytestmark = pytest.mark.timeout(180)

HOLDER = '''
import lanner as ln


class Holder(ln.Strategy):
    """Hold a little, and keep an order far below the market."""

    def on_start(self):
        self.done = False

    def on_quote(self, quote):
        if not self.done:
            self.done = True
            self.buy(0.02)
            self.buy(0.01, quote.bid_px * 0.7)
'''


@pytest.fixture
def holder(tmp_path: Path) -> str:
    path = tmp_path / "holder.py"
    path.write_text(HOLDER)
    return str(path)


def start(lanner: Lanner, venue: Venue, strategy: str, session: str, *more: str) -> subprocess.Popen[str]:
    process = lanner.start(
        "live", strategy, "-i", "BTC-USDT@binance", "--url", venue.url, "--live",
        "--confirm", "trade binance-spot", "--session", session, "--set", "recovery.watchdog_s=2", *more,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while True:
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.2)
        status = lanner.start("status", session, "--json")
        out, _ = status.communicate()
        if status.returncode == 0:
            told = json.loads(out)
            if told["positions"] and told["open_orders"] == 1:
                return process


def wait_for_report(lanner: Lanner, session: str) -> dict[str, Any]:
    folder = lanner.home / "sessions" / session
    deadline = time.monotonic() + 60
    while not (folder / "kill-report.json").exists():
        log = folder / "watchdog.log"
        assert time.monotonic() < deadline, log.read_text() if log.exists() else "no log"
        time.sleep(0.2)
    found: dict[str, Any] = json.loads((folder / "kill-report.json").read_text())
    return found


def working(lanner: Lanner, venue: Venue) -> list[Any]:
    found: list[Any] = lanner.json("orders", "--venue", "binance-spot", "--url", venue.url)["orders"]
    return found


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.nightly)])
def test_the_watchdog_of_a_dead_or_frozen_engine_cancels_sells_confirms_and_latches(
    lanner: Lanner, venue: Venue, holder: str, how: signal.Signals
) -> None:
    session = f"dog-{how.name.lower()}"
    process = start(lanner, venue, holder, session)
    time.sleep(2.0)  # its watchdog is another process that needs a moment
    os.kill(process.pid, how)
    report = wait_for_report(lanner, session)
    assert report["flat"], report
    assert report["orders_cancelled"] == 1
    assert report["positions_closed"] == 1
    assert list(report["sold"]) == ["BTC-USDT.BINANCE"]
    assert ("gone" in report["reason"]) == (how is signal.SIGKILL)
    process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL
    alerts = (lanner.home / "sessions" / session / "alerts-watchdog.jsonl").read_text()
    assert f"Watchdog ends session {session}" in alerts
    again = lanner.json("replay", session)
    assert again["faithful"]
    refused = lanner.run(
        "live", holder, "-i", "BTC-USDT@binance", "--url", venue.url, "--live",
        "--confirm", "trade binance-spot", "--session", session, code=6,
    )  # fmt: skip
    assert "lanner resume" in refused
    lanner.run("resume", session, "--reason", "looked at it")
    told = lanner.json(
        "live", holder, "-i", "BTC-USDT@binance", "--url", venue.url, "--live",
        "--confirm", "trade binance-spot", "--session", session, "--for", "2",
    )  # fmt: skip
    assert told["trading"] == "ACTIVE"
    assert not told["positions"]  # what the watchdog sold is known
    assert lanner.json("replay", session)["faithful"]


@pytest.mark.nightly
def test_a_session_that_ends_by_itself_keeps_its_orders_and_its_watchdog_goes(
    lanner: Lanner, venue: Venue, holder: str
) -> None:
    process = start(lanner, venue, holder, "calm")
    time.sleep(2.0)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    log = lanner.home / "sessions" / "calm" / "watchdog.log"
    deadline = time.monotonic() + 30
    while '"tripped": false' not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)
    assert not (log.parent / "kill-report.json").exists()
    told = lanner.json(
        "kill", "calm", "--reason", "tidy up"
    )  # a session that does not run is ended from its journal
    assert told["flat"], told
    assert told["orders_cancelled"] == 1
    assert told["positions_closed"] == 1


@pytest.mark.nightly
def test_a_watchdog_that_is_killed_is_started_again(lanner: Lanner, venue: Venue, holder: str) -> None:
    process = start(lanner, venue, holder, "two-dogs")
    time.sleep(2.0)
    first = dogs_of("two-dogs")
    assert len(first) == 1
    os.kill(first[0], signal.SIGKILL)
    deadline = time.monotonic() + 20
    while not (now := [pid for pid in dogs_of("two-dogs") if pid not in first]):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    time.sleep(2.0)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert wait_for_report(lanner, "two-dogs")["flat"]
    assert now


def dogs_of(session: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"watchdog" in words and session.encode() in words:
            found.append(int(folder.name))
    return found
