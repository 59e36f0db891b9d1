"""What the commands for sessions share: settings from options, the session's folder, running it, showing it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.control.confirmation import check_phrase, need_live, phrase_of
from lanner.control.opening import new_session_id, plan_for, run_session, session_folder

if TYPE_CHECKING:
    from lanner.live.config import SessionConfig
    from lanner.live.session import Session

__all__ = [
    "ask_confirmation",
    "ask_phrase",
    "need_live",
    "new_session_id",
    "plan_for",
    "running_session",
    "session_folder",
    "summary",
    "trade",
]


def trade(config: SessionConfig, session: str | None, seconds: float, *, json: bool, quiet: bool) -> int:
    """Run a session to its end and print what came of it."""
    from lanner.cli.output import print_json
    from lanner.cli.render.session import print_state
    from lanner.cli.venue_options import run
    from lanner.net.wallclock import wall_ns

    name = session or new_session_id(wall_ns())
    state = run(_trade(config, name, seconds, quiet=quiet or json))
    if json:
        print_json(state)
    else:
        print_state(state)
    return 0


async def _trade(config: SessionConfig, name: str, seconds: float, *, quiet: bool) -> dict[str, Any]:
    from functools import partial

    from lanner.cli.commands.data_record import stop_event
    from lanner.cli.output import note
    from lanner.net.loop import settle_memory

    stop = stop_event(0)
    watchers: list[asyncio.Task[None]] = []

    async def watch_stop(session: Session) -> None:
        await stop.wait()
        session.stop()

    def made(session: Session) -> None:
        watchers.append(asyncio.get_running_loop().create_task(watch_stop(session)))

    def ready(session: Session) -> None:
        if session.recovered is not None:
            note(f"session {name} was {session.recovered.in_words()}", quiet=quiet)
        note(f"session {name} runs ({config.mode}); Ctrl-C ends it", quiet=quiet)
        if seconds > 0:
            asyncio.get_running_loop().call_later(seconds, stop.set)
        settle_memory()

    tell = partial(note, quiet=quiet)
    try:
        return summary(
            await run_session(config, name, on_session=made, on_ready=ready, note=tell, console=not quiet)
        )
    finally:
        for watcher in watchers:
            watcher.cancel()


def summary(session: Session) -> dict[str, Any]:
    """Return what a session did."""
    from lanner.live.status import state_of_session

    counts = session.counts
    return {
        **state_of_session(session),
        "folder": session.folder,
        "data": counts.data,
        "reports": counts.reports,
        "gaps": counts.gaps,
        "malformed": counts.malformed,
        "reconnects": counts.reconnects,
        "inputs": session.heart.inputs,
        "commands": session.heart.commands,
    }


def ask_confirmation(config: SessionConfig, live: bool, confirm: str) -> None:
    """Refuse to send a session's real orders without ``--live`` and the typed phrase; raise ``RiskRefusedError``."""
    from lanner.live.build import products_of_session

    need_live(live, "Use `lanner paper` to try a strategy, or add --live when you mean it.")
    where = ", ".join(config.url.values()) or ("the test network" if config.testnet else "real money")
    what = f"This sends orders for {', '.join(config.instruments)} ({where})."
    ask_phrase(products_of_session(config), what, confirm)


def ask_phrase(products: Sequence[str], what: str, confirm: str) -> None:
    """Let somebody type which products are traded, or take the phrase from an option; else ``RiskRefusedError``."""
    import sys

    typed = confirm
    if not typed and sys.stdin.isatty():
        from lanner.cli.asking import ask

        print(what, file=sys.stderr)
        typed = ask(f"Type `{phrase_of(products)}` to go on: ")
    check_phrase(products, typed)


def running_session(name: str) -> Path:
    """Return the folder of a session by its id; without one, of the only session that runs."""
    from lanner.core.errors import ConfigError, NotFoundError
    from lanner.live.remote import has_process

    if name:
        return session_folder(name)
    running = [
        folder.parent for folder in sorted(session_folder("").glob("*/journal")) if has_process(folder.parent)
    ]
    if len(running) == 1:
        return running[0]
    if not running:
        raise NotFoundError(
            "no session is running",
            fix="Start one with `lanner paper` or `lanner live`; one that died is named by its id.",
        )
    raise ConfigError(
        "several sessions are running",
        expected="the id of one",
        found=", ".join(folder.name for folder in running),
    )
