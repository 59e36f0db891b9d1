"""Files that several writers replace at the same time."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lanner.live.killswitch import LATCH, lock, locked
from lanner.storage.files import write_atomic
from lanner.storage.ledger.byhand import note_kept


def write(folder: Path, number: int) -> None:
    write_atomic(folder / "one.json", json.dumps({"number": number}).encode())


def latch(folder: Path, number: int) -> None:
    lock(folder, f"reason {number}")


def note(folder: Path, number: int) -> None:
    note_kept(folder / "one.jsonl", "ledger", number)


@pytest.mark.parametrize(
    ("change", "name"),
    [(write, "one.json"), (latch, LATCH), (note, "one.kept")],
    ids=["file", "latch", "log"],
)
def test_writers_at_the_same_time_leave_the_file_of_one_of_them_and_nothing_else(
    tmp_path: Path, change: Callable[[Path, int], None], name: str
) -> None:
    folder = tmp_path
    for turn in range(20):
        folder = tmp_path / str(turn)
        folder.mkdir()
        with ThreadPoolExecutor(8) as writers:
            for done in [writers.submit(change, folder, number) for number in range(16)]:
                done.result()
        assert [path.name for path in folder.iterdir()] == [name]
        assert isinstance(json.loads((folder / name).read_bytes()), dict)
    if change is latch:
        assert locked(folder).startswith("reason ")
