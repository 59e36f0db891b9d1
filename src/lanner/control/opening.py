"""The one way to start a session: plan, engine, what watches it from beside, and its end."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.core.errors import ConfigError

if TYPE_CHECKING:
    from lanner.core.bus import MessageBus
    from lanner.live.build import Plan
    from lanner.live.config import SessionConfig
    from lanner.live.connect import Where
    from lanner.live.session import Session
    from lanner.telemetry import SessionLog
    from lanner.venues.keys import Keys

FindKeys = Callable[[str], "Keys"]
_SESSION_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


def new_session_id(now_ns: int) -> str:
    """Return an id that sorts by time and is short enough to stand in every venue's client order id."""
    stamp = datetime.fromtimestamp(now_ns / 1e9, UTC)
    return f"{stamp:%y%m%d%H%M%S}{now_ns // 1_000_000 % 1000:03d}"


def session_folder(session: str) -> Path:
    """Return where a session's journal is; raise ``ConfigError`` for an id that would not be a folder's plain name."""
    from lanner.storage.environment import default_home

    if session and not _SESSION_ID.fullmatch(session):
        raise ConfigError(
            "not an id of a session",
            expected="letters, digits, `-`, `_` and `.`, at most 64, and no `.` in front",
            found=repr(session),
        )
    return default_home() / "sessions" / session


async def plan_for(config: SessionConfig, where: Where) -> Plan:
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


async def run_session(
    config: SessionConfig,
    session_id: str,
    *,
    keys: FindKeys | None = None,
    on_session: Callable[[Session], None] | None = None,
    on_ready: Callable[[Session], None] | None = None,
    on_change: Callable[[], None] | None = None,
    note: Callable[[str], None] | None = None,
    console: bool = True,
    bus: MessageBus | None = None,
) -> Session:
    """Run a session to its end and return it; raise what ended it otherwise.

    ``on_session`` is called when there is one, before it connects; ``on_ready`` when it is about to trade; ``note``
    with what people should know. ``keys`` finds keys by product (default: those of the settings' name). Confirmations
    for real orders are the caller's business. ``console`` False keeps alerts off the terminal, whatever the settings
    say.
    """
    from lanner.control.killswitch import kill_switch_reason, refuse_killed
    from lanner.live.alerting import open_log
    from lanner.live.claims import claimed
    from lanner.live.collecting import keep_collected
    from lanner.live.connect import Where
    from lanner.live.killswitch import refuse_latched
    from lanner.live.session import Session
    from lanner.venues.keys import load_keys

    if config.reload.watch and not config.reload.file:
        raise ConfigError(
            "reload.watch is on, and there is no file to watch",
            expected="reload.file, or a session that is started with a settings file of its own",
        )
    refuse_killed()
    folder = session_folder(session_id)
    begun = begun_with(config, folder)
    where = Where(config.url, config.testnet, config.ca_file)
    plan = await plan_for(begun, where)
    find = cache(keys or (lambda product: load_keys(product, config.key)))
    refuse_latched(folder)
    with ExitStack() as held:
        held.enter_context(claimed(plan, session_id, where, find))
        log = open_log(folder, config)
        sink = None if log is None else log.strategy_line
        try:
            session = Session(
                plan, session_id, folder, where, keys=find, on_change=on_change, log=sink, bus=bus
            )
        except BaseException:
            if log is not None:
                log.close()
            raise
        async with beside(session, config, note or _unheard, log=log, console=console) as start_watchdog:
            if on_session is not None:
                on_session(session)

            def ready() -> None:
                start_watchdog()
                session.spawn(keep_collected())
                if killed := kill_switch_reason():  # it was set while this session connected
                    session.spawn(session.kill(killed))
                if begun is not config:
                    session.spawn(_catch_up(session, config))
                if on_ready is not None:
                    on_ready(session)

            try:
                await session.run(on_ready=ready)
            finally:
                held.close()  # it may be started again while alerts and rows are still being carried away
        return session


@asynccontextmanager
async def beside(
    session: Session,
    config: SessionConfig,
    note: Callable[[str], None],
    *,
    log: SessionLog | None = None,
    console: bool = True,
) -> AsyncIterator[Callable[[], None]]:
    """Keep everything that watches a session while the block runs it; yield what starts its watchdog."""
    from lanner.live.alerting import attach_alerts, secrets_for_children
    from lanner.live.ledger import attach_ledger
    from lanner.live.watchdog import WatchdogProcess

    tasks: list[asyncio.Task[None]] = []

    def start_watchdog() -> None:
        if session.is_live and session.plan.config.recovery.watchdog:
            secrets = secrets_for_children(config.alerts)
            dog = WatchdogProcess(session.id, session.folder / "watchdog.log", secrets)
            dog.start()  # at once: a strategy that never returns must find it there
            tasks.append(asyncio.get_running_loop().create_task(dog.keep()))

    alerts = attach_alerts(session, config, log=log, console=console)
    ledger = attach_ledger(session)
    fault: BaseException | None = None
    try:
        yield start_watchdog
    except BaseException as error:
        fault = error
        raise
    finally:
        for task in tasks:
            task.cancel()
        kept = await ledger.aclose(fault)
        await alerts.aclose(fault)
        if not kept.up:
            note(
                f"the ledger was not there ({kept.error}); "
                f"`lanner ledger rebuild {session.id}` makes its rows later"
            )


def _unheard(_text: str) -> None:
    """Nobody listens."""


def begun_with(config: SessionConfig, folder: Path) -> SessionConfig:
    """Return the settings to rebuild a session with: those it was begun with, where its parameters were reloaded.

    Its journal holds every change since; what the settings say now is one more, made when it runs again.
    """
    from lanner.live.build import plan_of
    from lanner.live.reload import MARK
    from lanner.live.replaying import read_head

    if not (folder / MARK).exists() or not (folder / "journal").is_dir():
        return config
    first = plan_of(read_head(folder)).config
    return config.model_copy(
        update={
            "strategy": first.strategy,
            "strategies": first.strategies,
            "params": first.params,
            "risk": first.risk,
        }
    )


async def _catch_up(session: Session, config: SessionConfig) -> None:
    """Make the changes that a file of settings got while its session was down."""
    from lanner.live.reload import MARK

    told = json.loads((session.folder / MARK).read_text())
    if told.get("source") and told["source"] == config.reload.file:
        await session.reload.catch_up(config)
