"""Ask a running session something, from another process."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from lanner.core.errors import ConfigError, LannerError, NotFoundError, RiskRefusedError
from lanner.live.control import socket_path

_KINDS = {4: ConfigError, 2: NotFoundError, 6: RiskRefusedError}


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


def _line(door: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        piece = door.recv(65_536)
        if not piece:
            break
        data += piece
    return data
