"""Perpetuals of a session that dies: closed reduce-only by the watchdog, cancelled by the venue's own switch."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.live.conftest import Lanner, Venue, end, serve
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.timeout(180)

SHORT = '''
import lanner as ln


class Short(ln.Strategy):
    """Be short a little, and keep an order far below the market."""

    def on_start(self):
        self.done = False

    def on_quote(self, quote):
        if not self.done:
            self.done = True
            self.sell(0.02)
            self.buy(0.01, quote.bid_px * 0.96)
'''
NAMES = {"binance-usdm": "BTCUSDT-PERP@binance", "hyperliquid": "BTC-PERP@hyperliquid"}


@pytest.fixture(scope="module", params=list(NAMES))
def venue(request: pytest.FixtureRequest) -> Iterator[Venue]:
    """Serve a lively market of perpetuals for the tests of a module."""
    dialect = str(request.param)
    process, ready = serve("--dialect", dialect, "--rate", "100", "--seed", "7")
    account = ready["accounts"][0]
    stem = f"LANNER_KEYS__{dialect.upper().replace('-', '_')}__"
    keys = (
        {f"{stem}SECRET": account["agent_private_key"], f"{stem}ACCOUNT": account["wallet_address"]}
        if dialect == "hyperliquid"
        else {f"{stem}API_KEY": account["api_key"], f"{stem}SECRET": account["api_secret"]}
    )
    yield Venue(ready, process, dialect, keys)
    end(process)


def words(venue: Venue, folder: Path, session: str, *more: str) -> list[str]:
    path = folder / "short.py"
    path.write_text(SHORT)
    return [
        "live", str(path), "-i", NAMES[venue.dialect], "--url", venue.url, "--live",
        "--confirm", f"trade {venue.dialect}", "--session", session, *more,
    ]  # fmt: skip


def start(lanner: Lanner, *line: str) -> subprocess.Popen[str]:
    process = lanner.start(*line)
    session = line[line.index("--session") + 1]
    lanner.until(session, lambda told: told["positions"] and told["open_orders"] == 1, process)
    return process


def working(lanner: Lanner, venue: Venue) -> list[Any]:
    rows: list[Any] = lanner.json("orders", venue.dialect, "--url", venue.url)["orders"]
    return rows


@pytest.mark.nightly
def test_the_venues_own_switch_cancels_for_the_dead_and_not_for_the_living(
    lanner: Lanner, venue: Venue, tmp_path: Path
) -> None:
    options = ("--no-watchdog", "--set", "recovery.dead_man_s=6")
    process = start(lanner, *words(venue, tmp_path, "switch", *options))
    time.sleep(8.0)
    assert len(working(lanner, venue)) == 1
    process.send_signal(signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + PATIENCE_S
    while working(lanner, venue):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert lanner.json("kill", "switch")["flat"]


def test_the_watchdog_closes_perpetuals_by_what_the_venue_holds(
    lanner: Lanner, venue: Venue, tmp_path: Path
) -> None:
    process = start(lanner, *words(venue, tmp_path, "dog"))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    path = lanner.home / "sessions" / "dog" / "kill-report.json"
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    report = json.loads(path.read_text())
    assert report["flat"], report
    assert (report["orders_cancelled"], report["positions_closed"], report["sold"]) == (1, 1, {})
    assert not working(lanner, venue)


@pytest.mark.nightly
def test_a_session_stopped_in_order_leaves_its_order_and_no_switch_armed(
    lanner: Lanner, venue: Venue, tmp_path: Path
) -> None:
    options = ("--no-watchdog", "--set", "recovery.dead_man_s=6")
    process = start(lanner, *words(venue, tmp_path, "stopped", *options))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_S)
    time.sleep(8.0)
    assert len(working(lanner, venue)) == 1
    assert lanner.json("kill", "stopped")["flat"]
