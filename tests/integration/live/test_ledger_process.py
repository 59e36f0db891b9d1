"""The command line with a ledger that is taken away, and a session that is killed: real processes."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable

import pytest

from tests.integration.live.conftest import Lanner, Venue

pytestmark = [pytest.mark.timeout(180), pytest.mark.nightly]


def until(holds: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end, f"{what} does not come"
        time.sleep(0.1)


def test_the_ledger_goes_and_the_session_is_killed_and_every_fill_is_found_again(
    lanner: Lanner, venue: Venue, strategy: str
) -> None:
    lanner.environment = {**lanner.environment, "LANNER_LEDGER__WAIT_S": "0.2"}
    words = ["paper", strategy, "-i", "BTC-USDT@binance", "--url", venue.url, "--session", "books"]
    process = lanner.start(*words)
    file = lanner.home / "ledger.db"
    journal = lanner.home / "sessions" / "books" / "journal" / "000001.journal"

    def fills() -> int:
        if not file.exists():
            return 0
        with sqlite3.connect(file) as asked:
            try:
                return int(asked.execute("SELECT count(*) FROM fills").fetchone()[0])
            except sqlite3.OperationalError:
                return 0  # its tables are being made

    until(lambda: fills() > 0, "the first fill")
    thief = sqlite3.connect(file, isolation_level=None)
    thief.execute("BEGIN IMMEDIATE")
    size = journal.stat().st_size
    until(lambda: "down: " in lanner.json("status", "books")["ledger"], "the alarm")
    until(lambda: journal.stat().st_size > size + 20_000, "more trading")
    before = fills()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    thief.execute("COMMIT")
    thief.close()
    [told] = lanner.json("sessions")["sessions"]
    assert (told["state"], told["complete"]) == ("interrupted", False)
    [rebuilt] = lanner.json("ledger", "rebuild")["rebuilt"]
    replayed = lanner.json("replay", "books")
    assert rebuilt["fills"] == replayed["fills"] > before
    [told] = lanner.json("sessions")["sessions"]
    assert (told["fills"], told["orders"], told["complete"]) == (replayed["fills"], replayed["orders"], True)
    assert told["equity"] == pytest.approx(replayed["equity"])
