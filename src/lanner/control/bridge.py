"""The way into a session's thread: work is done on its own loop, and whoever asked waits for what comes of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from lanner.control.errors import EngineMissingError, NotAnsweringError, NotRunningError

if TYPE_CHECKING:
    from lanner.live.session import Session

T = TypeVar("T")


class Bridge:
    """Reach one session from any thread while its loop runs; ``enter`` and ``leave`` are for its own thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._session: Session | None = None

    def enter(self) -> None:
        """Begin, inside the main task of the session's loop."""
        self._thread = threading.current_thread()
        self._task, self._loop = asyncio.current_task(), asyncio.get_running_loop()

    def leave(self) -> None:
        """End: nothing reaches the session any more."""
        self._loop = self._task = self._session = None

    def lead_to(self, session: Session) -> None:
        """Say which session there is now."""
        self._session = session

    def end(self) -> None:
        """Tell the session to end: in order when it trades, by cancelling what it waits for when it does not yet."""
        loop, session, task = self._loop, self._session, self._task

        def end() -> None:
            if session is not None and session.health.started_ns:
                session.stop()
            elif task is not None:
                task.cancel()

        if loop is not None:
            with suppress(RuntimeError):  # it has ended meanwhile
                loop.call_soon_threadsafe(end)

    def ask(self, work: Callable[[Session], Awaitable[T]], timeout_s: float) -> T:
        """Return what comes of work that is done on the session's loop; raise what it raises.

        A loop that does not answer in time raises ``NotAnsweringError``; what was asked is taken back.
        """
        loop, session = self._loop, self._session
        if loop is None:
            raise self._ended()
        if session is None:
            raise EngineMissingError(f"session {self._name} has no engine yet")
        if threading.current_thread() is self._thread:
            raise NotAnsweringError(f"session {self._name} cannot wait for itself")

        async def answer() -> T:
            return await work(session)

        coroutine = answer()
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        except RuntimeError:
            coroutine.close()
            raise self._ended() from None
        try:
            return future.result(timeout_s)
        except CancelledError:
            raise self._ended() from None
        except TimeoutError:
            if future.done():
                raise
            future.cancel()
            raise silent(self._name, timeout_s) from None

    def _ended(self) -> NotRunningError:
        return NotRunningError(f"session {self._name} does not run")


def silent(name: str, timeout_s: float) -> NotAnsweringError:
    """Return the error that says that a session does not answer."""
    return NotAnsweringError(
        f"session {name} does not answer",
        expected=f"an answer within {timeout_s:g} s",
        fix="Something in its strategies blocks; the kill switch ends it at the venue.",
    )
