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

from tests.here import lanner_here
from tests.integration.live.conftest import Lanner, Venue
from tests.waiting import PATIENCE_S

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
        "--confirm", "trade binance-spot", "--session", session, *more,
    )  # fmt: skip
    lanner.until(session, lambda told: told["positions"] and told["open_orders"] == 1, process)
    return process


def wait_for_report(lanner: Lanner, session: str) -> dict[str, Any]:
    folder = lanner.home / "sessions" / session
    deadline = time.monotonic() + PATIENCE_S
    while not (folder / "kill-report.json").exists():
        log = folder / "watchdog.log"
        assert time.monotonic() < deadline, log.read_text() if log.exists() else "no log"
        time.sleep(0.2)
    found: dict[str, Any] = json.loads((folder / "kill-report.json").read_text())
    return found


def working(lanner: Lanner, venue: Venue) -> list[Any]:
    found: list[Any] = lanner.json("orders", "binance-spot", "--url", venue.url)["orders"]
    return found


def coins(lanner: Lanner, venue: Venue) -> str:
    told = lanner.json("balance", "binance-spot", "--url", venue.url)["balances"]
    return str(next(one["total"] for one in told if one["currency"] == "BTC"))


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.nightly)])
def test_the_watchdog_of_a_dead_or_frozen_engine_cancels_sells_confirms_and_latches(
    lanner: Lanner, venue: Venue, holder: str, how: signal.Signals
) -> None:
    session = f"dog-{how.name.lower()}"
    # one that is gone is noticed at once; a busy machine may keep a living one silent for seconds
    patience = "recovery.watchdog_s=2" if how is signal.SIGSTOP else "recovery.watchdog_s=60"
    process = start(lanner, venue, holder, session, "--set", patience)
    os.kill(process.pid, how)
    report = wait_for_report(lanner, session)
    assert report["flat"], report
    assert report["orders_cancelled"] == 1
    assert report["positions_closed"] == 1
    assert list(report["sold"]) == ["BTC-USDT.BINANCE"]
    assert ("gone" in report["reason"]) == (how is signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == -signal.SIGKILL
    alerts = (lanner.home / "sessions" / session / "alerts-watchdog.jsonl").read_text()
    assert f"Watchdog ends session {session}" in alerts
    owned = coins(lanner, venue)
    told = lanner.json("kill", session, "--reason", "to be sure")
    assert (told["flat"], told["positions_closed"], told["sold"]) == (True, 0, report["sold"])
    assert coins(lanner, venue) == owned  # what is not the session's is nobody else's to sell
    again = lanner.json("replay", session)
    assert again["faithful"]
    refused = lanner.run(
        "live", holder, "-i", "BTC-USDT@binance", "--url", venue.url, "--live",
        "--confirm", "trade binance-spot", "--session", session, code=6,
    )  # fmt: skip
    assert "lanner resume" in refused
    lanner.run("resume", session, "--reason", "looked at it")
    told = lanner.trade(
        "live", holder, "-i", "BTC-USDT@binance", "--url", venue.url, "--live",
        "--confirm", "trade binance-spot", "--session", session, until=lambda told: told["counts"]["data"] > 50,
    )  # fmt: skip
    assert told["trading"] == "ACTIVE"
    assert not told["positions"]  # what the watchdog sold is known
    assert lanner.json("replay", session)["faithful"]


def test_a_session_whose_strategy_fails_says_so_itself_and_leaves_nothing_open(
    lanner: Lanner, venue: Venue, tmp_path: Path
) -> None:
    path = tmp_path / "failing.py"
    path.write_text(
        HOLDER + "\n    def on_trade(self, trade):\n        if self.position and len(self.open_orders):"
        "\n            self.nothing['here']\n"
    )
    process = lanner.start(
        "live", str(path), "-i", "BTC-USDT@binance", "--url", venue.url, "--live",
        "--confirm", "trade binance-spot", "--session", "failing",
    )  # fmt: skip
    _, err = process.communicate(timeout=90)
    assert process.returncode == 1, err
    assert "self.nothing['here']" in err
    assert "error: strategy Holder failed in on_trade" in err
    report = wait_for_report(lanner, "failing")
    assert (report["flat"], report["orders_cancelled"], report["positions_closed"]) == (True, 1, 1), report
    assert report["notes"] == []
    assert "Last inputs" not in report["reason"]
    assert "\n" not in report["reason"]
    refused = lanner.run(
        "live", str(path), "-i", "BTC-USDT@binance", "--url", venue.url, "--live",
        "--confirm", "trade binance-spot", "--session", "failing", code=6,
    )  # fmt: skip
    assert "has no attribute 'nothing'" in refused


def test_a_comparison_by_hand_says_what_it_found(lanner: Lanner, venue: Venue, holder: str) -> None:
    process = start(lanner, venue, holder, "compared")
    told = lanner.json("reconcile", "compared")
    assert told["differences"] == []
    done = lanner_here(["reconcile", "compared"], {**lanner.environment, "LANNER_HOME": str(lanner.home)})
    assert "orders, fills and positions are the venue's" in done.stdout + done.stderr
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


@pytest.mark.nightly
def test_a_session_that_ends_by_itself_keeps_its_orders_and_its_watchdog_goes(
    lanner: Lanner, venue: Venue, holder: str
) -> None:
    process = start(lanner, venue, holder, "calm")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_S)
    log = lanner.home / "sessions" / "calm" / "watchdog.log"
    deadline = time.monotonic() + PATIENCE_S
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
    first = dogs_of("two-dogs")
    assert len(first) == 1
    os.kill(first[0], signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_S
    while not (now := [pid for pid in dogs_of("two-dogs") if pid not in first]):
        assert time.monotonic() < deadline
        time.sleep(0.2)
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


def be_away(lanner: Lanner, venue: Venue, seconds: int) -> None:
    """Have the venue refuse everything for so long."""
    lanner.run("venue", "faults", venue.control, f"maintenance:for={seconds}")


@pytest.mark.nightly
def test_a_kill_switch_that_found_no_venue_goes_on_when_it_is_back(
    lanner: Lanner, venue: Venue, holder: str
) -> None:
    process = start(lanner, venue, holder, "away")
    held = coins(lanner, venue)
    be_away(lanner, venue, 30)
    told = lanner.json("kill", "away", "--reason", "now", code=1)
    assert not told["flat"]
    assert process.poll() is None
    deadline = time.monotonic() + PATIENCE_S
    while lanner.json("status", "away")["positions"] or working(lanner, venue):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert float(coins(lanner, venue)) == pytest.approx(float(held) - 0.02, abs=1e-4)
    alerts = lanner.home / "sessions" / "away" / "alerts.jsonl"
    while "Kill switch: flat" not in alerts.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert alerts.read_text().index("NOT FLAT") < alerts.read_text().index("Kill switch: flat")
    lanner.run("stop", "away")
    process.communicate(timeout=PATIENCE_S)
    assert lanner.json("replay", "away")["faithful"]


@pytest.mark.nightly
def test_a_watchdog_that_found_no_venue_goes_on_when_it_is_back(
    lanner: Lanner, venue: Venue, holder: str
) -> None:
    process = start(lanner, venue, holder, "both")
    held = coins(lanner, venue)
    be_away(lanner, venue, 15)
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    assert not wait_for_report(lanner, "both")["flat"]
    deadline = time.monotonic() + PATIENCE_S
    while not wait_for_report(lanner, "both")["flat"]:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert float(coins(lanner, venue)) == pytest.approx(float(held) - 0.02, abs=1e-4)
    assert not working(lanner, venue)


LOOKS = '''
from pathlib import Path

import lanner as ln


class Looks(ln.Strategy):
    """Note with its first quote whether somebody watches over it."""

    log = ln.Param("")
    told = ln.Param("")

    def on_quote(self, quote):
        if not Path(self.told).exists():
            draft = Path(self.told + ".draft")
            draft.write_text(str(Path(self.log).exists()))
            draft.replace(self.told)
'''


def test_the_watchdog_is_there_before_the_strategy_sees_anything(
    lanner: Lanner, venue: Venue, tmp_path: Path
) -> None:
    path, told = tmp_path / "looks.py", tmp_path / "told"
    path.write_text(LOOKS)
    log = lanner.home / "sessions" / "watched" / "watchdog.log"
    lanner.trade(
        "live", str(path), "-i", "BTC-USDT@binance", "--url", venue.url, "--live",
        "--confirm", "trade binance-spot", "--session", "watched", "-p", f"log={log}", "-p", f"told={told}",
        until=lambda _: told.exists(),
    )  # fmt: skip
    assert told.read_text() == "True", "a strategy that never returns would be stuck with nobody to end it"
