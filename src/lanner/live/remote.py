"""Ask a running session something, from another process."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import tempfile
from pathlib import Path
from typing import Any

from lanner.core.errors import ConfigError, LannerError, NotFoundError, RiskRefusedError

SOCKET = "control.sock"
LONGEST_PATH = 100
"""Systems take about 104 bytes for the path of a socket."""
_KINDS = {4: ConfigError, 2: NotFoundError, 6: RiskRefusedError}


def socket_path(folder: Path) -> Path:
    """Return where a session's socket is: in its folder, or in a folder of the user's own where that is too long."""
    path = folder.resolve() / SOCKET
    if len(os.fsencode(path)) <= LONGEST_PATH:
        return path
    short = Path(tempfile.gettempdir()) / f"lanner-{os.getuid()}"
    return short / f"{hashlib.blake2b(os.fsencode(path), digest_size=8).hexdigest()}.sock"


def ask(folder: Path, do: str, *, timeout_s: float = 30.0, **details: Any) -> dict[str, Any]:
    """Return a session's answer; raise what it raised, or ``NotFoundError`` when it does not run."""
    path = socket_path(folder)
    if not folder.is_dir():
        raise NotFoundError(f"no session {folder.name!r}", fix="`lanner sessions` lists them.")
    door = socket.socket(socket.AF_UNIX)
    try:
        door.settimeout(timeout_s)
        try:
            door.connect(str(path))
        except OSError:
            raise NotFoundError(
                f"session {folder.name} is not running", fix="`lanner sessions` shows which are."
            ) from None
        door.sendall(json.dumps({"do": do, **details}).encode() + b"\n")
        answer = json.loads(_line(door))
    except TimeoutError:
        raise LannerError(
            f"session {folder.name} does not answer",
            expected=f"an answer within {timeout_s:g} s",
            fix=f"If it is stuck: `lanner kill {folder.name}`.",
        ) from None
    except (ConnectionError, ValueError):
        raise NotFoundError(
            f"session {folder.name} ended before it answered",
            fix="`lanner sessions` shows which are running.",
        ) from None
    finally:
        door.close()
    if not answer.pop("ok"):
        kind = _KINDS.get(answer.get("exit_code", 1), LannerError)
        raise kind(
            answer["message"],
            expected=answer.get("expected"),
            found=answer.get("found"),
            fix=answer.get("fix"),
        )
    return dict(answer)


def is_running(folder: Path) -> bool:
    """Tell whether a session's process answers at its door."""
    try:
        ask(folder, "status", timeout_s=2.0)
    except LannerError:
        return False
    return True


def has_process(folder: Path) -> bool:
    """Tell whether a session's process is there, if only stuck: its door takes callers, answered or not."""
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(2.0)
        try:
            door.connect(str(socket_path(folder)))
        except TimeoutError:  # so many callers are waiting
            return True
        except OSError:
            return False
    return True


def _line(door: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        piece = door.recv(65_536)
        if not piece:
            break
        data += piece
    return data
