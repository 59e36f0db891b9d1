"""Whose a perpetual of an account is: a venue keeps one position for it, so one live session of this machine trades it.

Two would each take what the other holds for a difference, and make its own books say the same.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lanner.core.errors import ConfigError
from lanner.live.connect import shared_files
from lanner.net.sharing import can_share
from lanner.venues.registry import endpoints_of, make_codec, product_of, product_spec

try:
    import fcntl
except ImportError:  # no flock on Windows, and nothing is shared there
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from lanner.live.build import Plan
    from lanner.live.connect import Where
    from lanner.venues.keys import Keys


@contextmanager
def claimed(plan: Plan, session_id: str, where: Where, keys: Callable[[str], Keys]) -> Iterator[None]:
    """Keep other live sessions from a live session's perpetuals while the block lasts.

    Raise ``ConfigError`` where another one has them; a process that dies gives them back.
    """
    perpetuals = [one for one in plan.instruments.values() if not one.is_spot]
    with ExitStack() as held:
        if plan.config.mode == "live" and can_share():
            for instrument in perpetuals:
                product = product_of(instrument.id)
                held.enter_context(
                    _claim(_file(product, where, keys(product), instrument.id), session_id, instrument.id)
                )
        yield


def _file(product: str, where: Where, keys: Keys, instrument: str) -> Path:
    """Return the file that stands for one perpetual of one account at one server."""
    endpoints = endpoints_of(product_spec(product), url=where.url(product), testnet=where.testnet)
    budget = shared_files(make_codec(product, endpoints))[0]
    account = hashlib.sha256((keys.vault or keys.account or keys.api_key).encode()).hexdigest()[:12]
    return budget.with_name(f"{budget.stem}-{account}-{instrument}.session")


@contextmanager
def _claim(path: Path, session_id: str, instrument: str) -> Iterator[None]:
    """Hold the file's lock; what is in the file names who has it.

    The lock is that of ``net.sharing``'s files, so that none is swept away while it is held.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _locked(Path(f"{path}.users"))
        if lock is not None:
            path.write_text(session_id, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            "what the programs of this machine share about orders cannot be kept",
            expected=f"a folder that can be written: {path.parent}",
            found=str(error),
            fix="Make the folder writable, or name another home folder in LANNER_HOME.",
        ) from error
    if lock is None:
        raise _refusal(path, session_id, instrument)
    try:
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)  # a copy of this process, made for a checkpoint, must not keep it
        os.close(lock)


def _locked(path: Path) -> int | None:
    """Return a lock on a file that is still there under its name, None where somebody else has it."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        except BaseException:
            os.close(lock)
            raise
        if path.exists() and path.stat().st_ino == os.fstat(lock).st_ino:
            return lock
        os.close(lock)


def _refusal(path: Path, session_id: str, instrument: str) -> ConfigError:
    owner = path.read_text(encoding="utf-8") if path.exists() else ""
    if owner == session_id:
        return ConfigError(
            f"session {owner} is running already",
            fix=f"Stop it with `lanner stop {owner}`, or give another --session.",
        )
    return ConfigError(
        f"session {owner or '(another one)'} trades {instrument} with this account: they would share one position",
        expected="one live session for a perpetual of an account",
        fix="Give one of them a key of another account, or run both strategies in one session.",
    )
