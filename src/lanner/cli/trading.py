"""What the commands for sessions share: settings from options, the session's folder, running it, showing it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lanner.live.build import Plan
    from lanner.live.config import SessionConfig
    from lanner.live.session import Session


def new_session_id(now_ns: int) -> str:
    """Return an id that sorts by time and is short enough to stand in every venue's client order id."""
    stamp = datetime.fromtimestamp(now_ns / 1e9, UTC)
    return f"{stamp:%y%m%d%H%M%S}{now_ns // 1_000_000 % 1000:03d}"


def session_folder(session: str) -> Path:
    """Return where a session's journal is."""
    from lanner.storage.environment import default_home

    return default_home() / "sessions" / session


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
    from lanner.cli.commands.data_record import stop_event
    from lanner.cli.output import note
    from lanner.live.connect import Where
    from lanner.live.ledger import attach_ledger
    from lanner.live.session import Session
    from lanner.live.watchdog import WatchdogProcess

    stop = stop_event(0)
    where = Where(config.url, config.testnet, config.ca_file)
    plan = await plan_for(config, where)
    session = Session(plan, name, session_folder(name), where, keys=_keys(config))
    ledger = attach_ledger(session)
    loop = asyncio.get_running_loop()

    watchers: list[asyncio.Task[None]] = []

    def ready() -> None:
        if session.is_live and config.recovery.watchdog:
            dog = WatchdogProcess(name, session.folder / "watchdog.log")
            watchers.append(loop.create_task(dog.keep()))
        note(f"session {name} runs ({config.mode}); Ctrl-C ends it", quiet=quiet)
        if seconds > 0:
            loop.call_later(seconds, stop.set)

    async def watch_stop() -> None:
        await stop.wait()
        session.stop()

    watchers.append(asyncio.create_task(watch_stop()))
    fault: BaseException | None = None
    try:
        await session.run(on_ready=ready)
    except BaseException as error:
        fault = error
        raise
    finally:
        for watcher in watchers:
            watcher.cancel()
        kept = await ledger.aclose(fault)
        if not kept.up:
            note(
                f"the ledger was not there ({kept.error}); `lanner ledger rebuild {name}` makes its rows later",
                quiet=quiet,
            )
    return summary(session)


async def plan_for(config: SessionConfig, where: Any) -> Plan:
    """Ask the venues for the instruments and make the plan."""
    from lanner.live.build import make_plan, products_of_session
    from lanner.live.connect import connect, load_instruments, unknown_instrument
    from lanner.venues.registry import product_of

    known: dict[str, Any] = {}
    for product in products_of_session(config):
        async with connect(product, where) as link:
            traded = await load_instruments(link)
        for name in config.instruments:
            if product_of(name) == product and name not in traded:
                raise unknown_instrument(name, product, traded)
        known.update(traded)
    return make_plan(config, known)


def _keys(config: SessionConfig) -> Any:
    from lanner.venues.keys import load_keys

    return lambda product: load_keys(product, config.key)


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


def need_live(live: bool, fix: str = "Add --live when you mean it.") -> None:
    """Refuse what changes something at a venue without ``--live``; raise ``RiskRefusedError``."""
    from lanner.core.errors import RiskRefusedError

    if not live:
        raise RiskRefusedError("real orders are sent only with --live", fix=fix)


def ask_phrase(products: Sequence[str], what: str, confirm: str) -> None:
    """Let somebody type which products are traded, or take the phrase from an option; else ``RiskRefusedError``."""
    import sys

    from lanner.core.errors import RiskRefusedError

    phrase = f"trade {' and '.join(products)}"
    typed = confirm
    if not typed and sys.stdin.isatty():
        print(what, file=sys.stderr)
        print(f"Type `{phrase}` to go on: ", end="", file=sys.stderr, flush=True)
        typed = sys.stdin.readline().strip()
    if typed != phrase:
        raise RiskRefusedError(
            "the confirmation was not given",
            expected=repr(phrase),
            found=repr(typed) if typed else "nothing",
            fix="Type it when asked, or give it with --confirm.",
        )


def running_session(name: str) -> Path:
    """Return the folder of a session by its id; without one, of the only session that runs."""
    from lanner.core.errors import ConfigError, NotFoundError
    from lanner.live.remote import is_running

    if name:
        return session_folder(name)
    running = [
        folder.parent for folder in sorted(session_folder("").glob("*/journal")) if is_running(folder.parent)
    ]
    if len(running) == 1:
        return running[0]
    if not running:
        raise NotFoundError("no session is running", fix="Start one with `lanner paper` or `lanner live`.")
    raise ConfigError(
        "several sessions are running",
        expected="the id of one",
        found=", ".join(folder.name for folder in running),
    )
