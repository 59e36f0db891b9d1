"""The kill switch of a whole home folder: while its file is there, no process starts a session from this home.

It outlives the process that set it. A file that is there and cannot be read counts as set.
"""

from __future__ import annotations

import json
from pathlib import Path

from lanner.control.errors import KillSwitchActiveError
from lanner.core.errors import ConfigError, LannerError
from lanner.net.wallclock import wall_ns
from lanner.storage.environment import default_home
from lanner.storage.files import write_atomic

FILE = "kill-switch.json"
LAST = "kill-switch-last.json"
"""What the kill switch was set for last, and why it was taken off."""
UNTOLD = "no reason told"
UNREADABLE = "its file cannot be read"


def kill_switch_file() -> Path:
    """Return where the kill switch of this home is kept."""
    return default_home() / FILE


def set_kill_switch(reason: str) -> None:
    """Let no session be started until ``clear_kill_switch``; raise ``OSError`` where that cannot be kept.

    One that is set already keeps its first reason.
    """
    if kill_switch_reason() in ("", UNREADABLE):
        told = {"reason": reason or UNTOLD, "ts": wall_ns()}
        write_atomic(kill_switch_file(), json.dumps(told).encode())


def kill_switch_reason() -> str:
    """Return why the kill switch is set, or nothing."""
    try:
        told = json.loads(kill_switch_file().read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError):
        return UNREADABLE
    return str(told.get("reason") or UNTOLD) if isinstance(told, dict) else UNREADABLE


def clear_kill_switch(reason: str) -> str:
    """Let sessions be started again; return what the kill switch was set for, or nothing where it was not set."""
    was = kill_switch_reason()
    if not was:
        return ""
    if not reason.strip():
        raise ConfigError("the kill switch is taken off only with a reason", expected="why trading may go on")
    told = {"reason": was, "cleared": reason, "ts": wall_ns()}
    path = kill_switch_file()
    try:
        write_atomic(path.with_name(LAST), json.dumps(told).encode())
        path.unlink(missing_ok=True)
    except OSError as error:
        raise LannerError(
            "the kill switch cannot be taken off", found=str(error), fix=f"Remove {path} by hand."
        ) from error
    return was


def refuse_killed() -> None:
    """Raise ``KillSwitchActiveError`` while the kill switch is set."""
    refuse(kill_switch_reason())


def refuse(reason: str) -> None:
    """Raise ``KillSwitchActiveError`` for a reason that is one."""
    if reason:
        raise KillSwitchActiveError(
            "the kill switch is active, so nothing is started",
            found=reason,
            fix="When you know why: `lanner resume --all --reason …`.",
        )
