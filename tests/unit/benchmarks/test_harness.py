"""The benchmark harness: the same data for everyone, honest rows, peers skipped with a reason."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import contract, environments, walk
from benchmarks.groups.event import OURS, rows_of
from benchmarks.measure import script


def test_the_walk_is_the_same_for_everyone_who_reads_it(tmp_path: Path) -> None:
    path = walk.ensure(tmp_path, "bars", 200)
    assert [list(column) for column in walk.read(path, "bars")] == [list(c) for c in walk.make_bars(200)]
    assert walk.ensure(tmp_path, "bars", 200) == path


def test_the_bars_of_the_walk_are_sound() -> None:
    ts, opens, highs, lows, closes, volumes = walk.make_bars(2_000)
    assert all(b - a == walk.MINUTE_NS for a, b in itertools.pairwise(ts))
    assert all(
        low <= min(o, c) <= max(o, c) <= high
        for o, high, low, c in zip(opens, highs, lows, closes, strict=True)
    )
    assert list(opens[1:]) == list(closes[:-1])
    assert min(volumes) > contract.ORDER_LOTS * 2


def test_the_quotes_of_the_walk_are_sound() -> None:
    ts, bids, asks, bid_qty, ask_qty = walk.make_quotes(2_000)
    assert all(a < b for a, b in itertools.pairwise(ts))
    assert all(bid < ask for bid, ask in zip(bids, asks, strict=True))
    assert min(*bid_qty, *ask_qty) > contract.ORDER_LOTS * 2


def test_a_row_says_how_many_times_faster_we_are_and_whether_the_work_was_the_same() -> None:
    def sample(seconds: float, orders: int, version: str, reading: float = 0.0) -> dict[str, Any]:
        figures = {"events": 1_000, "cpu_seconds": seconds, "reading_seconds": reading}
        return {**figures, "orders": orders, "fills": orders, "version": version}

    samples = {
        OURS: [sample(1.0, 100, "ours", reading=0.5)],
        "peer": [sample(4.0, 101, "9.9")],
        "idle": [sample(2.0, 50, "1.0")],
    }
    same, other = rows_of("bars", samples)
    assert (same.ours, same.peer, same.ratio, same.peer_version) == (1_000.0, 250.0, 4.0, "9.9")
    assert same.detail["engine_only"] == 2_000.0
    assert same.detail["ratio_engine_only"] == 8.0
    assert same.detail["same_work"]
    assert not other.detail["same_work"]


def test_an_interpreter_that_is_found_really_runs() -> None:
    found = environments.find_python((3, 11))
    assert found is not None
    assert environments.find_python((3, 99)) is None


def test_a_peer_without_an_interpreter_is_refused_with_the_version_it_needs() -> None:
    peer = environments.Peer("future", ("nothing",), (3, 99), "benchmarks.peers.none")
    with pytest.raises(environments.PeerUnavailableError, match=r"Python >= 3\.99"):
        environments.ready(peer)


def test_a_script_that_fails_is_reported_with_its_own_words() -> None:
    with pytest.raises(RuntimeError, match="No module named"):
        script(sys.executable, "benchmarks.peers.none")
