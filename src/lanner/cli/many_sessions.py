"""Several sessions from one file: what stands beside ``sessions`` is meant for each of them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.cli.venue_options import VENUE, Network
from lanner.core.errors import ConfigError

if TYPE_CHECKING:
    from lanner.control.runner import LiveRunner
    from lanner.live.config import SessionConfig
    from lanner.live.entries import ReadFile

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(slots=True)
class Given:
    """What the options say, for all sessions of the file."""

    network: Network = VENUE
    settings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ManySessions:
    """Id and settings of each session of a file, and the file as it was read."""

    sessions: list[tuple[str, SessionConfig]]
    file: ReadFile


def read_sessions(path: Path, given: Given, now_ns: int) -> ManySessions:
    """Return the sessions of a file; ``ConfigError`` tells the mistakes of the first wrong one.

    Options stand over the environment, that over an entry, and that over what is meant for all.
    """
    from lanner.backtest.config_file import merge
    from lanner.backtest.mistakes import validate
    from lanner.control.opening import new_session_id
    from lanner.live.config import SessionConfig
    from lanner.live.entries import read_entries

    file = read_entries(path)
    lines = file.lines
    over, names = _over(given)
    found: list[tuple[str, SessionConfig]] = []
    for number, (told, own) in enumerate(file.entries):
        name = told or new_session_id(now_ns + number * 1_000_000)
        if not _ID.fullmatch(name):
            raise ConfigError(
                f"{path.name}: the id of a session is wrong",
                expected="letters, digits, - _ .",
                found=repr(name),
            )
        place = {key[2:]: line for key, line in lines.items() if key[:2] == ("sessions", number)}
        config: SessionConfig = validate(
            SessionConfig,
            {"name": name, **merge(own, over)},
            source=f"{path.name}, session {name}",
            lines={**{key: line for key, line in lines.items() if key[0] != "sessions"}, **place},
            names=names,
        )
        found.append((name, _with_file(config, path.resolve(), has_id=bool(told))))
    _refuse_shared_positions(path, found)
    return ManySessions(found, file)


def _refuse_shared_positions(path: Path, sessions: list[tuple[str, SessionConfig]]) -> None:
    """Refuse two live sessions on one perpetual of one account: its venue keeps one position for both of them.

    Each would take what the other holds for a difference, and make its own books say the same.
    """
    from lanner.venues.registry import product_of

    owners: dict[tuple[str, str, str], str] = {}
    for name, config in sessions:
        for instrument in config.instruments if config.mode == "live" else ():
            if not instrument.partition(".")[0].endswith("-PERP"):
                continue
            other = owners.setdefault((product_of(instrument), config.key, instrument), name)
            if other != name:
                raise ConfigError(
                    f"{path.name}: sessions {other} and {name} would share one position in {instrument}",
                    expected="one live session for a perpetual of an account",
                    fix="Give one of them a key of another account (`key:`), or run both strategies in one session.",
                )


def _with_file(config: SessionConfig, path: Path, *, has_id: bool) -> SessionConfig:
    """Let hot reload look at the file that an entry names, else at the file of sessions itself."""
    if config.reload.file:
        file = (path.parent / Path(config.reload.file).expanduser()).resolve()
    elif has_id:
        file = path
    elif config.reload.watch:
        raise ConfigError(
            f"{path.name}: a session that takes what is new in this file needs an id",
            expected="id: in its entry, or a file of its own (reload.file)",
        )
    else:
        return config
    return config.model_copy(update={"reload": config.reload.model_copy(update={"file": str(file)})})


def _over(given: Given) -> tuple[dict[str, Any], dict[str, str]]:
    from lanner.backtest.config_file import merge
    from lanner.cli.backtest_options import Options
    from lanner.live.overrides import settings_from

    between, options = Options(), Options()
    for place, (variable, value) in settings_from(os.environ).items():
        between.put(place, variable, value)
    given.network.put_into(options)
    options.add_settings(given.settings)
    return merge(between.values, options.values), {**between.names, **options.names}


def run_all(
    many: ManySessions, seconds: float, *, live: bool, quiet: bool
) -> tuple[list[dict[str, Any]], int]:
    """Run a file's sessions until they end, time is over, or a signal says so; return what each did, and the exit code.

    The confirmation for real orders has been given before. A session that breaks leaves the others alone.
    """
    import signal
    import threading
    from functools import partial

    from lanner.cli.output import note
    from lanner.control.confirmation import phrase_of
    from lanner.control.manager import EngineManager
    from lanner.control.sessions_file import SessionsFile
    from lanner.core.errors import LannerError
    from lanner.live.build import products_of_session

    over = threading.Event()
    before = {sign: signal.signal(sign, lambda *_: over.set()) for sign in (signal.SIGINT, signal.SIGTERM)}

    def changed(runner: LiveRunner, status: str) -> None:
        error = f": {runner.last_error}" if status == "error" else ""
        note(f"session {runner.id}: {status}{error}", quiet=quiet)
        if manager_done():
            over.set()

    manager = EngineManager(on_status=changed)
    runners: list[LiveRunner] = []
    started = threading.Event()

    def manager_done() -> bool:
        return started.is_set() and not any(runner.is_alive for runner in runners)

    errors: dict[str, str] = {}
    together: dict[str, LiveRunner] = {}
    path = many.file.path
    pace_ms = [config.reload.interval_ms for _, config in many.sessions if _is_watched(config, path)]
    watched: SessionsFile | None = None
    try:
        if pace_ms:
            tell = partial(note, quiet=quiet)
            watched = SessionsFile(many.file, together, tell, interval_s=min(pace_ms) / 1e3)
        for name, config in many.sessions:
            try:
                confirm = phrase_of(products_of_session(config))
                shared = _is_watched(config, path)
                alone = _watched_together(config) if shared else config
                runners.append(manager.start_live(alone, name, live=live, confirm=confirm, wait=False))
                if shared:
                    together[name] = runners[-1]
            except LannerError as error:
                errors[name] = error.message()
                note(f"session {name}: {error.message()}", quiet=quiet)
        started.set()
        if watched is not None:
            watched.start()
        if not manager_done():
            over.wait(seconds if seconds > 0 else None)
        if watched is not None:
            watched.stop()
        for text in manager.stop_all():
            note(text, quiet=quiet)
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
    told = [runner.summary() for runner in runners]
    told += [{"session": name, "status": "error", "last_error": text} for name, text in errors.items()]
    failed = bool(errors) or any(one["status"] != "stopped" or one["last_error"] for one in told)
    return told, int(failed)


def _is_watched(config: SessionConfig, path: Path) -> bool:
    """Tell whether a session takes what is new in the file of all sessions."""
    return config.reload.watch and config.reload.file == str(path.resolve())


def _watched_together(config: SessionConfig) -> SessionConfig:
    """Return the settings of a session that does not look at its file by itself: somebody does for all of them."""
    return config.model_copy(update={"reload": config.reload.model_copy(update={"watch": False})})
