"""Several sessions from one file: what stands beside ``sessions`` is meant for each of them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.core.errors import ConfigError

if TYPE_CHECKING:
    from lanner.control.runner import LiveRunner
    from lanner.live.config import SessionConfig

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(slots=True)
class Given:
    """What the options say, for all sessions of the file."""

    url: list[str] | None = None
    testnet: bool = False
    ca_file: str = ""
    settings: list[str] = field(default_factory=list)


def read_sessions(path: Path, given: Given, now_ns: int) -> list[tuple[str, SessionConfig]]:
    """Return id and settings of each session of a file; ``ConfigError`` tells the mistakes of the first wrong one.

    Options stand over the environment, that over an entry, and that over what is meant for all.
    """
    from lanner.backtest.config_file import anchored, merge, read_yaml
    from lanner.backtest.mistakes import validate
    from lanner.control.opening import new_session_id
    from lanner.live.config import SessionConfig

    values, lines = read_yaml(path)
    entries = values.pop("sessions", None)
    if not isinstance(entries, list) or not entries or not all(isinstance(one, Mapping) for one in entries):
        raise ConfigError(
            f"{path.name} has no list of sessions",
            expected="sessions: with an entry for each",
            fix="A file with one session is for `lanner paper` and `lanner live`.",
        )
    common = anchored(values, path.parent)
    over, names = _over(given)
    found: list[tuple[str, SessionConfig]] = []
    for number, entry in enumerate(entries):
        own = dict(entry)
        name = str(own.pop("id", "") or new_session_id(now_ns + number * 1_000_000))
        if not _ID.fullmatch(name) or name in dict(found):
            raise ConfigError(
                f"{path.name}: the id of a session is wrong",
                expected="letters, digits, - _ . and each only once",
                found=repr(name),
            )
        merged = merge(merge(common, anchored(own, path.parent)), over)
        place = {key[2:]: line for key, line in lines.items() if key[:2] == ("sessions", number)}
        config: SessionConfig = validate(
            SessionConfig,
            {"name": name, **merged},
            source=f"{path.name}, session {name}",
            lines={**{key: line for key, line in lines.items() if key[0] != "sessions"}, **place},
            names=names,
        )
        if config.reload.file:
            file = str((path.parent / Path(config.reload.file).expanduser()).resolve())
            config = config.model_copy(update={"reload": config.reload.model_copy(update={"file": file})})
        found.append((name, config))
    return found


def _over(given: Given) -> tuple[dict[str, Any], dict[str, str]]:
    from lanner.backtest.config_file import merge
    from lanner.cli.backtest_options import Options
    from lanner.live.connect import parse_urls
    from lanner.live.overrides import settings_from
    from lanner.storage.environment import venue_urls

    between, options = Options(), Options()
    for place, (variable, value) in settings_from(os.environ).items():
        between.put(place, variable, value)
    asked = given.url or ([] if given.testnet else venue_urls())
    options.put("url", "--url" if given.url else "LANNER_URL", parse_urls(asked) if asked else None)
    options.put("testnet", "--testnet", given.testnet or None)
    options.put("ca_file", "--ca-file", given.ca_file or None)
    options.add_settings(given.settings)
    return merge(between.values, options.values), {**between.names, **options.names}


def run_all(
    sessions: Sequence[tuple[str, SessionConfig]], seconds: float, *, live: bool, quiet: bool
) -> tuple[list[dict[str, Any]], int]:
    """Run sessions until they end, time is over, or a signal says so; return what each did, and the exit code.

    The confirmation for real orders has been given before. A session that breaks leaves the others alone.
    """
    import signal
    import threading

    from lanner.cli.output import note
    from lanner.control.confirmation import phrase_of
    from lanner.control.manager import EngineManager
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
    try:
        for name, config in sessions:
            try:
                confirm = phrase_of(products_of_session(config))
                runners.append(manager.start_live(config, name, live=live, confirm=confirm, wait=False))
            except LannerError as error:
                errors[name] = error.message()
                note(f"session {name}: {error.message()}", quiet=quiet)
        started.set()
        if not manager_done():
            over.wait(seconds if seconds > 0 else None)
        for text in manager.stop_all():
            note(text, quiet=quiet)
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
    told = [runner.summary() for runner in runners]
    told += [{"session": name, "status": "error", "last_error": text} for name, text in errors.items()]
    failed = bool(errors) or any(one["status"] != "stopped" or one["last_error"] for one in told)
    return told, int(failed)
