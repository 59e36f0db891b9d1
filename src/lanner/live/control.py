"""The door of a running session: a socket in its folder, one JSON object a line, an answer for each.

Only the user who started the session can open it (mode 0600). ``remote.ask`` is the other side.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.core.errors import ConfigError, LannerError
from lanner.live.killswitch import take_permission, unlock
from lanner.live.remote import socket_path
from lanner.live.status import orders_of_session, state_of_session, status_of_session
from lanner.risk.gate import TradingState

if TYPE_CHECKING:
    from lanner.live.session import Session

MAX_LINE = 1_000_000

Action = Callable[["Session", dict[str, Any]], Awaitable[dict[str, Any]]]


class ControlServer:
    """Answer what is asked of a session through its socket."""

    def __init__(self, session: Session, actions: dict[str, Action] | None = None) -> None:
        self.path = socket_path(session.folder)
        self._session = session
        self._actions = {**ACTIONS, **(actions or {})}
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Open the door; a socket that a dead process left behind is replaced."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        await asyncio.to_thread(refuse_second, self._session.folder)
        self._server = await asyncio.start_unix_server(self._serve, path=str(self.path), limit=MAX_LINE)
        self.path.chmod(0o600)

    async def stop(self) -> None:
        """Close the door."""
        if self._server is not None:
            self._server.close()
            with suppress(FileNotFoundError):
                self.path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line), default=str).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            return  # who asked is gone, or wrote more than a line can hold
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(line)
            action = self._actions.get(asked.get("do", "")) if isinstance(asked, dict) else None
            if action is None:
                raise ConfigError(
                    "unknown action", expected=", ".join(sorted(self._actions)), found=line[:100]
                )
            return {"ok": True, **await action(self._session, asked)}
        except LannerError as error:
            return {"ok": False, **error.as_dict()}
        except ValueError as error:
            return {"ok": False, "error": "ConfigError", "message": f"not JSON: {error}", "exit_code": 4}


def refuse_second(folder: Path) -> None:
    """Raise when another process runs the session of a folder; remove what a dead one left."""
    import socket

    path = socket_path(folder)
    if not path.exists():
        return
    probe = socket.socket(socket.AF_UNIX)
    try:
        probe.settimeout(1.0)
        probe.connect(str(path))
    except OSError:
        path.unlink(missing_ok=True)
    else:
        raise ConfigError(
            f"session {folder.name} is running already",
            fix=f"Stop it with `lanner stop {folder.name}`, or give another --session.",
        )
    finally:
        probe.close()


# -- actions ---------------------------------------------------------------------------------------------


async def _status(session: Session, _asked: dict[str, Any]) -> dict[str, Any]:
    return status_of_session(session)


async def _pause(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    session.pause(_reason(asked))
    return state_of_session(session)


async def _resume(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    unlock(session.folder)
    take_permission(session.folder)
    if session.engine.execution.gate.state is not TradingState.ACTIVE:
        session.set_state(TradingState.ACTIVE, _reason(asked))
    if session.engine.paused:
        session.resume(_reason(asked))
    return state_of_session(session)


async def _kill(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    report = await session.kill(_reason(asked) or "by hand")
    return {**state_of_session(session), **report.as_dict()}


async def _stop(session: Session, _asked: dict[str, Any]) -> dict[str, Any]:
    session.stop()
    return state_of_session(session)


async def _orders(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    return {"orders": orders_of_session(session, only_open=not asked.get("all", False))}


async def _reconcile(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "differences": await session.reconcile(_reason(asked) or "asked for"),
        **state_of_session(session),
    }


async def _reload(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    """Take new parameters and limits: from ``set`` (NAME=VALUE), from another ``file``, or from the session's own."""
    dry_run, reason = bool(asked.get("dry_run")), _reason(asked) or "asked for"
    if asked.get("set"):
        report = await session.reload.change(
            [str(one) for one in asked["set"]], dry_run=dry_run, reason=reason
        )
    else:
        path = Path(str(asked["file"])) if asked.get("file") else None
        report = await session.reload.reload_now(path, dry_run=dry_run, reason=reason)
    return {**state_of_session(session), **report.as_dict(), "reload": session.reload.as_dict()}


def _reason(asked: dict[str, Any]) -> str:
    return str(asked.get("reason", ""))[:500]


ACTIONS: dict[str, Action] = {
    "status": _status,
    "pause": _pause,
    "resume": _resume,
    "stop": _stop,
    "kill": _kill,
    "orders": _orders,
    "reconcile": _reconcile,
    "reload": _reload,
}
