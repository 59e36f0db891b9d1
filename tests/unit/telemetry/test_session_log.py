"""The log of a session: lines in order, bounded, and never in anybody's way."""

from __future__ import annotations

from pathlib import Path

from lanner.telemetry import AlertLevel, SessionLog
from lanner.telemetry.log import read_log


def test_lines_are_written_in_order_with_their_fields(tmp_path: Path) -> None:
    log = SessionLog(tmp_path / "session.log")
    for number in range(500):
        log.write(AlertLevel.INFO, "tick", "words", number=number)
    log.write(AlertLevel.DEBUG, "too small")
    log.strategy_line(7, "ma", "crossed")
    log.close()
    lines = list(read_log(tmp_path / "session.log"))
    assert [line["number"] for line in lines[:500]] == list(range(500))
    assert lines[500]["message"] == "crossed"
    assert (lines[500]["strategy"], lines[500]["ts_engine"]) == ("ma", 7)
    assert len(lines) == 501


def test_it_takes_no_more_room_than_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "session.log"
    for _ in range(20):
        log = SessionLog(path, max_mb=0.01, keep=2)
        for _ in range(20):
            log.write(AlertLevel.INFO, "tick", "x" * 100)
        log.close()
    assert len(list(tmp_path.iterdir())) == 3
    assert all(one.stat().st_size <= 10_000 for one in tmp_path.iterdir())


def test_a_disk_that_takes_nothing_costs_lines_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = SessionLog(tmp_path / "file" / "session.log")
    log.write(AlertLevel.INFO, "x")
    log.close()
    assert (log.faults, log.dropped) == (1, 1)
    log.write(AlertLevel.INFO, "too late")
    assert log.dropped == 2
