"""Play a session's journal again: the same commands, the same fingerprint, or the first place where they differ."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.core.errors import DataError, NotFoundError
from lanner.storage.journal import Record, SessionHead, has_begun, read_journal

if TYPE_CHECKING:
    from lanner.engine.engine import Engine
    from lanner.live.build import Plan
    from lanner.live.heart import Replayed

LogLine = tuple[int, str, str]


def read_head(folder: Path) -> SessionHead:
    """Return the first record of a session's journal."""
    if not (folder / "journal").is_dir():
        raise NotFoundError(f"no session in {folder}", fix="`lanner sessions` lists them.")
    first = next(iter(read_journal(folder / "journal")), None)
    if first is None or not isinstance(first.message, SessionHead):
        raise DataError(f"the journal in {folder} does not begin with its session")
    return first.message


def replay_session(
    folder: Path,
    *,
    until_ts: int | None = None,
    log: Callable[[int, str, str], None] | None = None,
    on_step: Callable[[Engine, Record], bool] | None = None,
) -> tuple[Plan, Engine, Replayed]:
    """Replay a session; ``on_step(engine, record)`` may look at the engine after each record and end the replay."""
    from lanner.live.build import (  # with a strategy's whole world: a list of sessions needs none
        build_engine,
        plan_of,
    )
    from lanner.live.heart import replay

    head = read_head(folder)
    plan = plan_of(head)
    engine = build_engine(plan, head.session, log=log)

    def step(record: Record) -> bool:
        return on_step is not None and on_step(engine, record)

    found = replay(engine, read_journal(folder / "journal"), until_ts=until_ts, on_step=step)
    return plan, engine, found


def sessions_in(root: Path) -> list[dict[str, Any]]:
    """Return what can be read of all sessions in a folder, newest first; those that could not begin are none."""
    told: list[dict[str, Any]] = []
    for folder in sorted(root.glob("*/journal"), reverse=True):
        if not has_begun(folder):
            continue
        try:
            head = read_head(folder.parent)
        except (DataError, NotFoundError) as error:
            told.append({"session": folder.parent.name, "error": error.message()})
            continue
        config = head.spec["config"]
        told.append(
            {
                "session": head.session,
                "mode": head.mode,
                "started_ns": head.started_ns,
                "strategies": [entry["strategy"] for entry in config.get("strategies", [])]
                or [config["strategy"]],
                "instruments": config["instruments"],
                "bytes": sum(path.stat().st_size for path in folder.glob("*.journal")),
            }
        )
    return told
