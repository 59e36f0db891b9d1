"""What befalls whole processes: killed at each write of the journal, frozen for a minute, out of disk."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.live.conftest import Lanner, Venue, end, serve

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(3_600)]

NAME = "BTCUSDT-PERP.BINANCE"
DYING = str(Path(__file__).with_name("dying.py"))
BUSY = '''
import lanner as ln


class Busy(ln.Strategy):
    """Go in and out every few quotes, and after so many of them hold what there is."""

    def on_start(self):
        self.n = 0

    def on_quote(self, quote):
        self.n += 1
        if self.n % 4 == 0 and self.n <= 240:
            self.target(0.3 if (self.n // 4) % 2 else -0.3)
'''


@pytest.fixture
def venue() -> Iterator[Venue]:
    process, ready = serve("--dialect", "binance-usdm", "--rate", "200", "--seed", "7")
    account = ready["accounts"][0]
    keys = {
        "LANNER_KEYS__BINANCE_USDM__API_KEY": account["api_key"],
        "LANNER_KEYS__BINANCE_USDM__SECRET": account["api_secret"],
    }
    yield Venue(ready, process, "binance-usdm", keys)
    end(process)


@pytest.fixture
def lanner(tmp_path: Path, venue: Venue) -> Iterator[Lanner]:
    made = Lanner(tmp_path / "home", venue.environment)
    yield made
    made.end_all()


@pytest.fixture
def busy(tmp_path: Path) -> str:
    path = tmp_path / "busy.py"
    path.write_text(BUSY)
    return str(path)


def words(venue: Venue, strategy: str, session: str, *more: str) -> list[str]:
    return [
        "live", strategy, "-i", NAME, "--url", venue.url, "--live", "--confirm", "trade binance-usdm",
        "--session", session, "--no-watchdog", "--json", *more,
    ]  # fmt: skip


def held(venue: Venue) -> Decimal:
    with urllib.request.urlopen(f"{venue.control}/accounts?dialect=binance-usdm") as answer:
        positions = json.load(answer)["test"]["positions"]
    return sum((Decimal(str(one["qty"])) for one in positions), Decimal(0))


def check_that_it_holds(lanner: Lanner, venue: Venue, busy: str, session: str) -> dict[str, Any]:
    """Let a session run undisturbed until its strategy is done, and compare it with the venue."""
    told: dict[str, Any] = {}
    for _ in range(10):
        told = lanner.json(*[one for one in words(venue, busy, session, "--for", "4") if one != "--json"])
        if int(lanner.json("replay", session)["strategies"]["Busy"]["n"]) > 260:
            break
    again = lanner.json("replay", session)
    assert again["faithful"], again["differences"]
    assert told["trading"] == "ACTIVE", told
    assert told["unknown"] == told["open_orders"] == 0
    assert sum((Decimal(one) for one in told["positions"].values()), Decimal(0)) == held(venue)
    return told


def test_a_session_killed_at_each_write_of_its_journal_goes_on_and_agrees_with_the_venue(
    lanner: Lanner, venue: Venue, busy: str
) -> None:
    for write in range(1, int(os.environ.get("LANNER_KILLS", "30")) + 1):
        how = ("before", "after", "torn")[write % 3]
        process = subprocess.Popen(
            [sys.executable, DYING, str(write), how, *words(venue, busy, "killed")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **lanner.environment, "LANNER_HOME": str(lanner.home)},
        )
        lanner.started.append(process)
        out, err = process.communicate(timeout=240)  # one that hangs says where before that
        assert process.returncode == -signal.SIGKILL, f"write {write} {how}\n{out}\n{err}"
    check_that_it_holds(lanner, venue, busy, "killed")


def test_a_session_frozen_for_a_minute_goes_on_and_agrees_with_the_venue(
    lanner: Lanner, venue: Venue, busy: str
) -> None:
    process = lanner.start(*words(venue, busy, "frozen"))
    wait_for_records(lanner, process, "frozen", 8_000)
    process.send_signal(signal.SIGSTOP)
    time.sleep(60.0)
    process.send_signal(signal.SIGCONT)
    time.sleep(5.0)
    assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out.splitlines()[-1])["unknown"] == 0
    check_that_it_holds(lanner, venue, busy, "frozen")


def test_a_session_whose_disk_is_full_stops_trading_and_goes_on_when_there_is_room(
    lanner: Lanner, venue: Venue, busy: str
) -> None:
    room = 60_000
    process = subprocess.Popen(
        [sys.executable, "-m", "lanner", *words(venue, busy, "full")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **lanner.environment, "LANNER_HOME": str(lanner.home)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY)),
    )
    lanner.started.append(process)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 1, (out, err)
    assert "takes nothing more" in out + err
    check_that_it_holds(lanner, venue, busy, "full")


def wait_for_records(lanner: Lanner, process: subprocess.Popen[str], session: str, size: int) -> None:
    journal = lanner.home / "sessions" / session / "journal" / "000001.journal"
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.stat().st_size > size):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
