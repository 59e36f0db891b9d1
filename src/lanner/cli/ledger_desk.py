"""What the commands around the ledger share: which ledger, which sessions, and how rows are shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from lanner.storage.ledger.byhand import LogKeeper
    from lanner.storage.ledger.reading import LedgerView
    from lanner.storage.ledger.rebuild import Rebuilt
    from lanner.storage.ledger.store import Ledger

WAIT_S = 3.0


def ledger_url(url: str = "") -> str:
    """Return the ledger's address: the one that was given, else the environment's, else none (the file at home)."""
    from lanner.live.ledger import real_url
    from lanner.live.overrides import settings_from

    if not url:
        told = settings_from(os.environ).get("ledger.url")
        url = "" if told is None or told[1] is None else str(told[1])
    return real_url(url)


def open_ledger(url: str = "") -> Ledger:
    """Return the ledger that commands look at."""
    from lanner.storage.ledger.store import Ledger

    return Ledger(ledger_url(url), wait_s=WAIT_S)


def order_log() -> Path:
    """Return the log of the orders by hand."""
    from lanner.storage.environment import default_home

    return default_home() / "orders.jsonl"


def order_keeper() -> LogKeeper | None:
    """Return what keeps the orders by hand in the ledger; None where the environment wants no ledger."""
    from lanner.live.overrides import settings_from
    from lanner.storage.ledger.address import address_of
    from lanner.storage.ledger.byhand import SESSION, LogKeeper
    from lanner.storage.ledger.store import Ledger

    if settings_from(os.environ).get("ledger.enabled", ("", True))[1] is False:
        return None
    address = address_of(ledger_url())
    return LogKeeper(order_log(), SESSION, lambda: Ledger(address, wait_s=WAIT_S))


def open_view(url: str = "") -> LedgerView:
    """Return the ledger to ask; raise ``NotFoundError`` where nothing was written yet."""
    from lanner.core.errors import NotFoundError
    from lanner.storage.ledger.reading import LedgerView

    ledger = open_ledger(url)
    if not ledger.exists:
        raise NotFoundError(
            f"there is no ledger yet: {ledger.name}",
            fix="Sessions write it; `lanner ledger rebuild` makes it from the journals that are there.",
        )
    return LedgerView(ledger)


def show_rows(
    what: str,
    session: str,
    rows: Sequence[Mapping[str, Any]],
    table: Callable[[Sequence[Mapping[str, Any]]], str],
    *,
    json: bool,
    quiet: bool,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Print rows as a table or as one object."""
    from lanner.cli.output import note, print_json
    from lanner.cli.render.ledger import told

    if json:
        print_json(told({"session": session, what: rows, **(more or {})}))
    elif rows:
        print(table(rows))
    else:
        note(f"Session {session} has no {what}.", quiet=quiet)


def rebuild_sessions(session: str, url: str, *, every: bool) -> list[Rebuilt]:
    """Rebuild one session, or all that need it."""
    from lanner.cli.trading import session_folder
    from lanner.core.errors import NotFoundError
    from lanner.live.remote import is_running
    from lanner.storage.journal import has_begun
    from lanner.storage.ledger.byhand import SESSION as MANUAL
    from lanner.storage.ledger.byhand import is_kept
    from lanner.storage.ledger.rebuild import rebuild, rebuild_all, rebuild_manual

    ledger = open_ledger(url)
    log = order_log()
    try:
        if session == MANUAL:
            found = rebuild_manual(ledger, log)
            if found is None:
                raise NotFoundError("there are no orders by hand", found=str(log))
            return [found]
        if session:
            folder = session_folder(session)
            if not (folder / "journal").is_dir():
                raise NotFoundError(f"no session {session!r}", fix="`lanner sessions` lists them.")
            return [rebuild(ledger, folder, running=is_running(folder))]
        journals = sorted(session_folder("").glob("*/journal"))
        folders = [path.parent for path in journals if has_begun(path)]
        told = rebuild_all(ledger, [(folder, is_running(folder)) for folder in folders], every=every)
        manual = rebuild_manual(ledger, log) if every or not is_kept(ledger, log) else None
        return told if manual is None else [*told, manual]
    finally:
        ledger.close()


def with_ledger(sessions: list[dict[str, Any]], url: str = "") -> tuple[list[dict[str, Any]], str]:
    """Add to what the journals say what the ledger knows; return the sessions and why it knows nothing, if so.

    Sessions whose journals are gone are there by their rows alone.
    """
    from lanner.cli.trading import session_folder
    from lanner.core.errors import LannerError
    from lanner.live.remote import is_running
    from lanner.storage.ledger.reading import LedgerView

    fault = ""
    rows: dict[str, dict[str, Any]] = {}
    try:
        ledger = open_ledger(url)
        if ledger.exists:
            rows = {row["session"]: row for row in LedgerView(ledger).sessions()}
        ledger.close()
    except LannerError as error:
        fault = error.message()
    rows = {name: row for name, row in rows.items() if row["mode"] != "manual"}
    merged = [{**entry, **_known(rows.pop(entry["session"], None))} for entry in sessions]
    merged += [{**_identity(row), **_known(row), "bytes": 0} for row in rows.values()]
    for entry in merged:
        entry["running"] = is_running(session_folder("") / entry["session"])
        if entry["running"]:
            entry["state"] = "running"
        elif entry.get("state") in (None, "running"):
            entry["state"] = "interrupted" if entry.get("state") else "?"
    return sorted(
        merged, key=lambda entry: (entry.get("started_ns", 0), entry["session"]), reverse=True
    ), fault


_FROM_LEDGER = (
    "state",
    "ended_ns",
    "duration_s",
    "capital",
    "currency",
    "equity",
    "pnl",
    "orders",
    "fills",
    "complete",
)


def _known(row: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: None if row is None else row[name] for name in _FROM_LEDGER}


def _identity(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("session", "mode", "started_ns", "strategies", "instruments")}
