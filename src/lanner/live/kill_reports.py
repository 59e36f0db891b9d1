"""The report of a kill switch that works beside a session, on disk: the session learns from it what was sold.

While it works, the report is a draft: whatever ends it in the middle, what was sold until then is known. Of a spot
account nobody else knows to whom a sale belonged, and what a session held must not be sold twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from lanner.live.killswitch import KillReport
from lanner.storage.files import sync_folder, write_atomic

try:
    import fcntl
except ImportError:  # no flock on Windows
    fcntl = None  # type: ignore[assignment]

REPORT = "kill-report.json"
DRAFT = "kill-report.part"
SALES = "sold by the watchdog's kill switch of "
"""How the journal says why a position was adjusted, when the session has learned of a report's sales."""


def done_in_words(told: Mapping[str, Any]) -> str:
    """Say what a kill switch did by its report as plain data: orders cancelled, ours and others', positions closed."""
    others = told.get("foreign_cancelled", 0)
    parts = [
        f"{_count(told['orders_cancelled'], 'order')} cancelled",
        *([f"{_count(others, 'order')} of other programs"] if others else []),
        f"{_count(told['positions_closed'], 'position')} closed",
    ]
    return ", ".join(parts)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def sales_name(started_ns: int) -> str:
    """Return what the journal says of the sales of one report."""
    return f"{SALES}{started_ns}"


def write_report(folder: Path, report: KillReport, *, done: bool = True) -> None:
    """Write a report, or the draft of one that is not done; it is on disk before this returns."""
    draft = folder / DRAFT
    write_atomic(draft, json.dumps(report.as_dict(), default=str).encode())
    if done:
        draft.replace(folder / REPORT)
        sync_folder(folder)


def last_report(folder: Path) -> dict[str, Any] | None:
    """Return the report that the session has not taken over yet: a draft is newer than a report beside it."""
    for name in (DRAFT, REPORT):
        try:
            told = json.loads((folder / name).read_text())
        except (FileNotFoundError, ValueError):
            continue
        if isinstance(told, dict) and isinstance(told.get("sold"), dict) and "started_ns" in told:
            return told
    return None


def put_away(folder: Path, started_ns: int) -> None:
    """Keep the report under a name of its own, now that the session has learned of it."""
    for name in (REPORT, DRAFT):
        path = folder / name
        if path.exists():
            path.replace(folder / f"kill-report-{started_ns}.json")


def first(mark: IO[str]) -> bool:
    """Take the lock of an open file where nobody has it; it lasts until the file is closed, or the process ends.

    Where the file system has no locks everybody is first: to sell twice is bad, to sell nothing is worse.
    """
    if fcntl is not None:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
    return True
