"""Who may end a session: one at a time, and never nobody."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lanner.live.kill_reports import DRAFT, REPORT, first, last_report, write_report
from lanner.live.killswitch import KillReport


def test_a_draft_is_newer_than_the_report_beside_it_and_nothing_else_is_left(tmp_path: Path) -> None:
    report = KillReport("a test", 7)
    write_report(tmp_path, report)
    assert [path.name for path in tmp_path.iterdir()] == [REPORT]
    report.sold["BTC-USDT.BINANCE"] = (3, 300)
    write_report(tmp_path, report, done=False)
    assert {path.name for path in tmp_path.iterdir()} == {REPORT, DRAFT}
    told = last_report(tmp_path)
    assert told is not None
    assert told["sold"] == {"BTC-USDT.BINANCE": [3, 300]}


def test_one_at_a_time_ends_a_session(tmp_path: Path) -> None:
    path = tmp_path / "ending.lock"
    with path.open("w") as mine, path.open("w") as theirs:
        assert first(mine)
        assert not first(theirs)
        mine.close()
        assert first(theirs)


@pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="only Linux opens a file without its content")
def test_a_file_system_without_locks_keeps_nobody_from_ending_a_session(tmp_path: Path) -> None:
    path = tmp_path / "ending.lock"
    path.touch()
    with open(os.open(path, os.O_PATH)) as unlockable:  # noqa: PTH123 - by its number
        assert first(unlockable)
