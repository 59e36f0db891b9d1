"""Make a session's rows again from its journal, in the place of what the ledger has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lanner.core.errors import LannerError, NotFoundError
from lanner.storage.ledger.byhand import (
    KILL_LOG,
    is_kept,
    keep_log,
    note_kept,
    read_lines,
    rows_of_lines,
)
from lanner.storage.ledger.byhand import SESSION as MANUAL
from lanner.storage.ledger.fold import Fold, Owner, fold_journal, read_head
from lanner.storage.ledger.records import Entry, Row, rows_of, session_row
from lanner.storage.ledger.store import FAULTS, Ledger
from lanner.storage.ledger.writer import read_events

Rows = Mapping[str, Sequence[Row]]


@dataclass(slots=True)
class Rebuilt:
    """What was made of one session; ``left_out`` says why it could not be, where it could not."""

    session: str
    rows: int = 0
    orders: int = 0
    fills: int = 0
    state: str = ""
    left_out: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def rebuild(ledger: Ledger, folder: Path, *, running: bool = False, equity_s: float = 0.0) -> Rebuilt:
    """Put the rows that a session's journal leads to in the place of those that the ledger has, all at once.

    ``running``: the session goes on, so its end is left open. Equity is taken every ``equity_s`` seconds, 0: as often
    as the session's settings say.
    """
    head = read_head(folder / "journal") if (folder / "journal").is_dir() else None
    if head is None:
        raise NotFoundError(f"no journal in {folder}", fix="`lanner sessions` lists the sessions.")
    told = Rebuilt(head.session)
    every = equity_s or float((head.spec["config"].get("ledger") or {}).get("equity_s", 10.0))

    killed, end = read_lines(folder / KILL_LOG)

    def make(known: Mapping[str, Owner]) -> Iterator[Rows]:
        fold: Fold | None = None
        for fold, entries in fold_journal(folder / "journal", int(every * 1e9), known=known):
            yield rows_of(head.session, entries, fold.instruments)
        assert fold is not None
        fold.sample(fold.last_ts)
        ending: list[Entry] = [*fold.take_out(), *read_events(folder)]
        yield rows_of(head.session, ending, fold.instruments)
        yield rows_of_lines(killed, head.session)
        row = session_row(head)
        row.update(_standing(fold, folder, running))
        told.orders, told.fills, told.state = len(fold.orders), fold.fills, row["state"]
        yield {"sessions": [row]}

    try:
        told.rows = ledger.replace(head.session, make(ledger.owners(head.session)))
    except FAULTS as error:
        raise ledger.unreachable(error) from error
    if killed:
        note_kept(folder / KILL_LOG, ledger.name, end)
        told.orders += len({line["order_id"] for line in killed if "order_id" in line})
    return told


def rebuild_manual(ledger: Ledger, log: Path) -> Rebuilt | None:
    """Make the rows of orders by hand again from their log; None where there are none."""
    lines, _ = read_lines(log)
    if not lines:
        return None
    told = Rebuilt(MANUAL, state="open")
    rows = rows_of_lines(lines, MANUAL)
    told.orders, told.fills = len(rows["orders"]), len(rows["fills"])
    try:
        told.rows = keep_log(ledger, log, MANUAL, whole=True)
    except FAULTS as error:
        raise ledger.unreachable(error) from error
    return told


def rebuild_all(ledger: Ledger, folders: Sequence[tuple[Path, bool]], *, every: bool) -> list[Rebuilt]:
    """Rebuild the sessions whose rows are not known to be complete, or all; one that cannot be is told as such.

    ``folders`` holds each session's folder and whether it runs.
    """
    told = []
    for folder, running in folders:
        try:
            if every or not is_complete(ledger, folder):
                told.append(rebuild(ledger, folder, running=running))
        except LannerError as error:
            told.append(Rebuilt(folder.name, left_out=error.message()))
    return told


def is_complete(ledger: Ledger, folder: Path) -> bool:
    """Tell whether a session's rows are known to lack nothing."""
    try:
        standing = ledger.standing(folder.name)
    except FAULTS as error:
        raise ledger.unreachable(error) from error
    return standing is not None and standing.complete and is_kept(ledger, folder / KILL_LOG)


def _standing(fold: Fold, folder: Path, running: bool) -> Row:
    """Return how a session stands by its journal and its events."""
    faults = [event.text for event in read_events(folder) if event.topic == "system.fault"]
    if running:
        state, reason, ended = "running", "", None
    elif fold.ended_ts is not None:
        state, reason, ended = "ended", "", fold.ended_ts
    elif faults:
        state, reason, ended = "failed", faults[-1], fold.last_ts
    else:
        state, reason, ended = "interrupted", "the session did not end by itself", fold.last_ts
    return {
        "state": state,
        "reason": reason,
        "ended_ns": ended,
        "updated_ns": fold.last_ts,
        "equity": fold.equity,
        "journal_seq": fold.seq,
        "complete": not running,
    }
