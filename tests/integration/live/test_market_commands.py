"""Commands for markets against a simulator: price, book, trades, data get, data record, doctor, venues."""

from __future__ import annotations

import gzip
import json
import os
import pty
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.live.conftest import Lanner, Venue
from tests.waiting import until

pytestmark = pytest.mark.timeout(180)
BTC = "BTC-USDT@binance"


def feed(venue: Venue, *, on: bool) -> None:
    request = urllib.request.Request(venue.control + "/feed", data=json.dumps({"on": on}).encode())
    urllib.request.urlopen(request, timeout=30).close()


def test_price_book_and_trades_show_the_market_with_its_age(lanner: Lanner, venue: Venue) -> None:
    price = lanner.json("price", BTC, "--url", venue.url)
    assert price["bid_px"] < price["ask_px"]
    assert 0 <= price["age_s"] < 60
    book = lanner.json("book", BTC, "--url", venue.url, "--depth", "5")
    assert len(book["bids"]) == len(book["asks"]) == 5
    assert book["bids"] == sorted(book["bids"], reverse=True)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert len(lanner.json("book", BTC, "3", "--url", venue.url)["bids"]) == 3
    prints = lanner.json("trades", BTC, "--url", venue.url)
    assert prints["trades"]
    assert prints["trades"][0]["qty"] > 0
    assert "spread" in lanner.run("book", BTC, "--url", venue.url)
    assert "BTC-USDT.BINANCE" in lanner.run("price", BTC, "--url", venue.url)


def drawn(lanner: Lanner, words: tuple[str, ...], then: Callable[[subprocess.Popen[bytes]], object]) -> str:
    """Run a view at a terminal, do something when it shows the market, and return all it wrote; it must end well."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "lanner", *words],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**os.environ, **lanner.environment, "LANNER_HOME": str(lanner.home), "TERM": "xterm-256color"},
    )
    os.close(follower)
    written, done = b"", False
    with suppress(OSError):  # what is read from a terminal that nobody writes to any more
        while part := os.read(leader, 65_536):
            written += part
            if not done and b"BTC-USDT.BINANCE" in written:
                done = True
                then(process)
    os.close(leader)
    assert process.wait(timeout=120) == 0, written
    return written.decode(errors="replace")


def test_views_that_last_are_left_by_ctrl_c_or_end_with_what_they_show(lanner: Lanner, venue: Venue) -> None:
    paper = lanner.start(
        "paper", "dual_ma", "-i", BTC, "--timeframe", "1m", "--url", venue.url, "--session", "s1"
    )
    lanner.until("s1", lambda told: told["counts"]["data"] > 0, paper)
    for words in (("price", BTC, "--url", venue.url), ("status", "s1")):
        assert "interrupted" not in drawn(lanner, words, lambda view: view.send_signal(signal.SIGINT))
    assert "session s1 has ended" in drawn(lanner, ("status", "s1"), lambda _view: lanner.run("stop", "s1"))
    paper.communicate(timeout=120)


def test_price_knows_the_last_print_of_a_market_in_which_nobody_trades_now(
    lanner: Lanner, venue: Venue
) -> None:
    feed(venue, on=False)
    try:
        last = lanner.json("trades", BTC, "--url", venue.url)["trades"][0]
        price = lanner.json("price", BTC, "--url", venue.url)
        assert price["last_px"] == last["px"] > 0
    finally:
        feed(venue, on=True)


def test_history_is_fetched_resumed_and_stored(lanner: Lanner, venue: Venue) -> None:
    until(lambda: len(lanner.json("trades", BTC, "--url", venue.url)["trades"]) > 10, "a history")
    since = datetime.now(UTC) - timedelta(minutes=30)
    fetch = ("data", "get", BTC, "trades", "--since", since.isoformat(), "--url", venue.url)
    told = lanner.json(*fetch)
    assert told["rows"] > 10
    assert told["resumed_ns"] is None
    last = lanner.json("trades", BTC, "--url", venue.url)["trades"][0]
    until(lambda: lanner.json("trades", BTC, "--url", venue.url)["trades"][0] != last, "another trade")
    more = lanner.json(*fetch)
    assert more["resumed_ns"] == told["dataset"]["end_ns"]
    assert more["dataset"]["rows"] > told["dataset"]["rows"]
    listed = lanner.json("data", "list")["datasets"]
    assert [entry["ref"] for entry in listed] == ["BTC-USDT.BINANCE@trades"]


def test_a_recording_keeps_raw_frames_of_both_connections_and_fills_the_catalog(
    lanner: Lanner, venue: Venue
) -> None:
    told = lanner.json("data", "record", BTC, "--url", venue.url, "--for", "5")
    assert {"BTC-USDT.BINANCE@book", "BTC-USDT.BINANCE@quotes", "BTC-USDT.BINANCE@trades"} <= set(
        told["committed"]
    )
    assert told["stream"]["gaps"] == 0
    assert told["stream"]["doubled"] + told["stream"]["stale"] > 0
    raw = sorted((lanner.home / "recordings" / "binance-spot" / "raw").iterdir())
    assert len(raw) == 3  # two connections, and the snapshot
    imported = Lanner(lanner.home.parent / "other", {})
    frames = imported.json("data", "import", *(str(path) for path in raw if "-2-20" not in path.name))
    assert frames
    stamp, _, frame = gzip.decompress(raw[-1].read_bytes()).splitlines()[0].partition(b" ")
    assert int(stamp) > 1_700_000_000_000_000_000
    assert json.loads(frame)
    described = lanner.json("data", "describe", "BTC-USDT.BINANCE@book")
    assert described["sequence_breaks"] == 0


def test_a_recording_survives_a_disk_without_room(lanner: Lanner, venue: Venue) -> None:
    told = lanner.json("data", "record", BTC, "--url", venue.url, "--for", "3", "--min-free", "900000GB")
    assert told["raw"]["dropped"] > 0
    assert "free" in told["raw"]["fault"]
    ledger = (lanner.home / "recordings" / "binance-spot" / "gaps.jsonl").read_text()
    assert '"kind": "dropped"' in ledger
    assert told["committed"]


def test_doctor_looks_at_a_venue(lanner: Lanner, venue: Venue) -> None:
    told = lanner.json("doctor", "--venue", "binance-spot", "--url", venue.url)
    names = {check["name"]: check["status"] for check in told["checks"]}
    assert names["clock"] == names["streams"] == names["instruments"] == "green"
    assert names["key"] == "green"
    assert told["ok"]
    text = lanner.run("doctor", "--venue", "binance-spot", "--url", "http://127.0.0.1:9", code=1)
    assert "binance-spot" in text


def test_venues_shows_who_can_do_what(lanner: Lanner) -> None:
    told = {entry["product"]: entry for entry in lanner.json("venues")["products"]}
    assert told["binance-usdm"]["capabilities"]["reduce_only"] == "native"
    assert told["hyperliquid"]["keys"] == ["wallet"]
    assert "orders by socket" in lanner.run("venues")
    assert "one of" in lanner.run("venues", "mtgox", code=2)


def test_wrong_words_are_told(lanner: Lanner, venue: Venue) -> None:
    assert "INSTRUMENT@VENUE" in lanner.run("price", "BTC", code=4)
    assert "BTC-USDT.BINANCE" in lanner.run("price", "BTC-USTD@binance", "--url", venue.url, code=2)
    assert "base URL" in lanner.run("price", BTC, "--url", "localhost", code=4)
    assert "timeframe" in lanner.run("data", "record", BTC, "--feeds", "ticks", "--url", venue.url, code=4)
    assert "1m" in lanner.run("data", "get", BTC, "7m", "--since", "2026", "--url", venue.url, code=4)
