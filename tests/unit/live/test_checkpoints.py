"""Checkpoints of a session: what is kept, what is believed, and what a start makes of them."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lanner.live import checkpointing
from lanner.live.build import make_plan
from lanner.live.checkpointing import FOLDER, store_of
from lanner.live.checkpoints import (
    CheckpointHead,
    CheckpointStore,
    ChecksumMismatchError,
    UnsupportedVersionError,
    read_checkpoint,
)
from lanner.live.config import SessionConfig
from lanner.live.connect import Where
from lanner.live.session import Session
from lanner.live.snapshot import NotKeptError, freeze, thaw
from tests.unit.live.days import COIN, NAME, Day, begin

STRATEGY = """
import lanner as ln

ROUNDS = []


class Busy(ln.Strategy):
    book = dict(turns=0)

    def on_start(self):
        ROUNDS.clear()
        self.book.clear()
        self.n = 0
        self.fast = self.quotes().sma(5)
        self.scaled = lambda x: x * self.n
        {more}

    def on_quote(self, quote):
        self.n += 1
        ROUNDS.append(self.n)
        self.book["turns"] = self.book.get("turns", 0) + len(ROUNDS) % 2
        if self.n % 3 == 0 and self.book["turns"] % 5:
            self.target(0.4 if self.scaled(1) % 2 else 0, stop="3%")
        if self.n % 7 == 0 and not self.open_orders:
            self.buy(0.01, px=round(quote.bid_px * 0.999, 2))
        if self.n % 11 == 0:
            self.set_timer("later", at=self.now + 1_500_000_000)

    def on_timer(self, timer):
        self.cancel_all()
"""


def strategy(folder: Path, more: str = "pass") -> str:
    path = folder / "busy.py"
    path.write_text(STRATEGY.format(more=more))
    return str(path)


@pytest.fixture
def day(tmp_path: Path) -> Day:
    return begin(tmp_path / "s1", strategy(tmp_path), risk={"max_open_orders": 50})


def test_a_session_taken_up_from_a_checkpoint_goes_on_as_if_nothing_had_happened(
    day: Day, tmp_path: Path
) -> None:
    day.quotes(200)
    day.checkpoint()
    day.quotes(40)
    day.crash()
    again, told = day.again()
    assert (told.how, told.problems) == ("checkpoint", [])
    assert 0 < told.records < 200
    assert again.fingerprint == day.fingerprint
    again.quotes(300)
    whole = begin(tmp_path / "s2" / "s1", strategy(tmp_path), risk={"max_open_orders": 50})
    whole.quotes(540)
    assert again.fingerprint == whole.fingerprint
    assert len(again.heart.engine.execution.fills) > 50
    again.crash()
    third, told = again.again()
    assert told.how == "checkpoint"
    assert third.fingerprint == whole.fingerprint
    assert third.heart.inputs == whole.heart.inputs


def test_without_a_checkpoint_the_whole_journal_is_played(day: Day) -> None:
    day.quotes(100)
    day.crash()
    again, told = day.again()
    assert told.how == "journal"
    assert "the whole journal" in told.in_words()
    assert again.fingerprint == day.fingerprint


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("damage", [_flip, _cut])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before_it(
    day: Day, damage: Callable[[Path], None]
) -> None:
    day.quotes(60)
    first = day.checkpoint()
    day.quotes(60)
    second = day.checkpoint()
    day.quotes(10)
    day.crash()
    damage(second)
    again, told = day.again()
    assert told.after == int(first.stem)
    assert second.name in told.problems[0]
    assert "checksum" in told.in_words()
    assert again.fingerprint == day.fingerprint
    damage(first)
    again.crash()
    again, told = again.again()
    assert told.how == "journal"
    assert len(told.problems) == 2
    assert again.fingerprint == day.fingerprint


def test_a_checkpoint_that_the_journal_does_not_know_is_not_believed(day: Day, tmp_path: Path) -> None:
    day.quotes(60)
    path = day.checkpoint()
    day.quotes(10)
    day.crash()
    path.rename(path.with_name("00000000000000000005.checkpoint"))
    kept = read_checkpoint(path.with_name("00000000000000000005.checkpoint"))
    path.with_name("00000000000000000005.checkpoint").unlink()
    for changed in ({"state_hash": "0" * 32}, {"seq": 10**6}, {"facts": b"\x80"}, {"software": "other"}):
        head = CheckpointHead(**{**_fields(kept.head), **changed})
        store_of(day.folder, day.plan.config).save(head, kept.state)
    again, told = day.again()
    assert told.how == "journal"
    assert len(told.problems) >= 2
    assert again.fingerprint == day.fingerprint


def _fields(head: CheckpointHead) -> dict[str, Any]:
    return {name: getattr(head, name) for name in head.__struct_fields__}


def test_a_changed_strategy_is_not_given_the_state_of_the_old_one(day: Day, tmp_path: Path) -> None:
    day.quotes(60)
    day.checkpoint()
    day.crash()
    Path(strategy(tmp_path, "self.extra = 1"))
    again, told = day.again()
    assert told.how == "journal"
    assert "other software" in told.problems[0]
    assert again.heart.engine.desks["Busy"].strategy.extra == 1  # type: ignore[attr-defined]


def test_a_strategy_that_cannot_be_written_down_is_said_so(tmp_path: Path) -> None:
    day = begin(tmp_path / "s1", strategy(tmp_path, "self.file = open(__file__); self.file.close()"))
    day.quotes(20)
    with pytest.raises(NotKeptError, match="cannot be written down"):
        day.checkpoint()
    day.crash()
    again, told = day.again()
    assert told.how == "journal"
    assert again.fingerprint == day.fingerprint


def test_the_newest_are_kept_and_old_ones_go(tmp_path: Path) -> None:
    import os

    store = CheckpointStore(tmp_path, keep=3, max_age_s=3600)
    now = 2_000_000_000 * 10**9
    for seq in range(1, 8):
        path = store.save(_head(seq), b"state")
        written = now - (7_200 if seq == 6 else 60) * 10**9
        os.utime(path, ns=(written, written))
    store.prune(now)
    assert [int(path.stem) for path in store.paths()] == [7, 5]
    os.utime(store.paths()[0], ns=(0, 0))
    store.prune(now)
    assert [int(path.stem) for path in store.paths()] == [7, 5]


def _head(seq: int) -> CheckpointHead:
    return CheckpointHead(
        session="s", seq=seq, ts=0, saved_ns=0, inputs=0, commands=0, state_hash="", software="", facts=b""
    )


def test_a_file_of_another_version_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    import struct
    import zlib

    path = CheckpointStore(tmp_path).save(_head(1), b"state")
    data = path.read_bytes()
    assert read_checkpoint(path).state == b"state"
    body = data[:8] + struct.pack("<I", 9) + data[12:-4]
    path.write_bytes(body + struct.pack("<I", zlib.crc32(body)))
    with pytest.raises(UnsupportedVersionError):
        read_checkpoint(path)
    path.write_bytes(b"")
    with pytest.raises(ChecksumMismatchError):
        read_checkpoint(path)


def _counter() -> tuple[Callable[[], int], Callable[[], int]]:
    count = 0

    def more() -> int:
        nonlocal count
        count += 1
        return count

    def seen() -> int:
        return count

    return more, seen


def test_functions_made_in_functions_come_back_with_what_they_share() -> None:
    more, seen = _counter()
    more()
    more_again, seen_again = thaw(freeze((more, seen), {}), {})
    assert more_again() == 2
    assert (seen(), seen_again()) == (1, 2)


def test_what_is_outside_is_put_in_again_and_a_missing_thing_is_an_error() -> None:
    class Bus:
        pass

    bus = Bus()
    data = freeze({"bus": bus, "n": 1}, {"bus": bus})
    other = Bus()
    assert thaw(data, {"bus": other})["bus"] is other
    with pytest.raises(NotKeptError):
        thaw(data, {})


def test_checkpoints_lie_in_a_folder_that_nobody_else_can_open(day: Day) -> None:
    day.checkpoint()
    assert (day.folder / FOLDER).stat().st_mode & 0o077 == 0


def test_a_process_that_cannot_be_copied_is_told_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory() -> int:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(checkpointing, "SMALL", 0)
    monkeypatch.setattr(os, "fork", no_memory)
    config = SessionConfig(strategy="dual_ma", instruments=[NAME])
    session = Session(make_plan(config, {NAME: COIN}), "s1", tmp_path / "s1", Where())
    told: list[object] = []
    session.bus.subscribe("system.checkpoint_failed", lambda _topic, reason: told.append(reason))

    async def make() -> None:
        session.guarded(session.checkpoints.make)

    asyncio.run(make())
    assert session.fault is None
    assert told == ["the process cannot be copied: Cannot allocate memory"]
    assert (session.checkpoints.stats.saved, session.checkpoints.stats.failed) == (0, 1)
    session.heart.journal.close()
