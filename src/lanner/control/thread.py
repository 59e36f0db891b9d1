"""One session in a thread of its own, with a life that can be asked for from any thread.

The session has its own event loop; nothing of it is touched from outside but through that loop. What blocks or breaks
one session is told as its state and leaves every other one alone.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from lanner.control.bridge import Bridge, silent
from lanner.control.errors import (
    AlreadyRunningError,
    NotAnsweringError,
    NotPausedError,
    NotRunningError,
    in_words,
)
from lanner.control.life import Life
from lanner.control.opening import FindKeys, run_session, session_folder
from lanner.control.states import LiveStatus
from lanner.control.stats import Samples, is_reconnecting
from lanner.control.watching import Watching
from lanner.core.errors import LannerError
from lanner.live.hosting import Host, cut_off

if TYPE_CHECKING:
    from lanner.control.trading_engine import LiveTradingEngine
    from lanner.live.config import SessionConfig
    from lanner.live.session import Session

T = TypeVar("T")
START_S = 60.0
STOP_S = 30.0
ANSWER_S = 5.0
SAMPLE_S = 1.0


class SessionThread:
    """Run one session, inside ``engine`` where there is one; see the module."""

    def __init__(
        self, config: SessionConfig, name: str, engine: LiveTradingEngine | None, keys: FindKeys | None
    ) -> None:
        self.config = config
        self.id = name
        self.engine = engine
        self.folder = session_folder(name)
        self.last_error = ""
        self.samples = Samples()
        self._keys = keys
        self._life = Life(name, self._told)
        self._thread: threading.Thread | None = None
        self._bridge = Bridge(name)
        self._session: Session | None = None
        self._error: BaseException | None = None
        self._watching: Watching | None = None
        self._host: Host | None = None

    def _told(self, state: LiveStatus) -> None:
        """Hear of each new state, in whatever thread it came about."""

    # -- life ----------------------------------------------------------------------------------------------

    def start(self, *, wait: bool = True, timeout_s: float = START_S) -> None:
        """Start the session, and wait until it trades; raise what kept it from that."""
        with self._life.changed:
            if self._life.is_alive:
                raise AlreadyRunningError(f"session {self.id} is {self._life.state} already")
            self._life.move(LiveStatus.STARTING)
            self.last_error, self._error, self._session = "", None, None
            self.samples = Samples()
            self._thread = threading.Thread(target=self._run, name=f"session-{self.id}", daemon=True)
            self._thread.start()
        if wait:
            self.wait_started(timeout_s)

    def wait_started(self, timeout_s: float = START_S) -> None:
        """Wait until the session trades; raise what kept it from that."""
        with self._life.changed:
            done = self._life.wait(lambda: self._life.state is not LiveStatus.STARTING, timeout_s)
            if self._life.state is LiveStatus.ERROR:
                raise self._as_error()
        if not done:
            self._bridge.end()
            raise NotAnsweringError(
                f"session {self.id} was not ready within {timeout_s:g} s and is being stopped"
            )

    def stop(self, *, timeout_s: float = STOP_S) -> None:
        """End the session and wait until it is closed; its orders stay unless its strategies cancel them."""
        with self._life.changed:
            if self._life.state is LiveStatus.ERROR:
                self._life.move(LiveStatus.STOPPED)
                return
            if self._life.state is LiveStatus.STOPPED:
                raise NotRunningError(f"session {self.id} does not run")
            if self._life.state is not LiveStatus.STOPPING:
                self._life.move(LiveStatus.STOPPING)
        self._bridge.end()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)
            if thread.is_alive():
                raise silent(self.id, timeout_s)

    def end(self, *, timeout_s: float = STOP_S) -> None:
        """Do what ``stop`` does, also where the session ends by itself meanwhile or has ended."""
        with suppress(NotRunningError):
            if self.is_alive:
                self.stop(timeout_s=timeout_s)

    def pause(self, reason: str = "paused") -> None:
        """Let no handler of the strategies run; connections, prices and indicators go on."""
        self._life.need(LiveStatus.RUNNING, LiveStatus.RECONNECTING)
        self.ask(lambda session: session.pause(reason))

    def resume(self, reason: str = "resumed") -> None:
        """Let a paused session's strategies work again."""
        with self._life.changed:
            if self._life.state is not LiveStatus.PAUSED:
                raise NotPausedError(f"session {self.id} is not paused", found=self._life.state.value)
        self.ask(lambda session: session.resume(reason))

    def join(self, timeout_s: float | None = None) -> LiveStatus:
        """Wait until the session has ended by itself or was stopped; return its status."""
        with self._life.changed:
            self._life.wait(lambda: not self._life.is_alive, timeout_s)
            return self._life.state

    def get_status(self) -> LiveStatus:
        """Return where the session is; it never waits."""
        return self._life.state

    @property
    def is_broken(self) -> bool:
        """Tell whether a fault ended the session, or it was cut off because it did not answer."""
        return self._life.state is LiveStatus.ERROR or (self._host is not None and self._host.was_cut_off)

    @property
    def is_alive(self) -> bool:
        """Tell whether the session has a thread."""
        return self._life.is_alive

    @property
    def is_active(self) -> bool:
        """Tell whether the session trades, or would when it is resumed."""
        return self._life.is_active

    # -- the thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        from lanner.net.loop import run

        error: BaseException | None = None
        try:
            run(self._main())
        except asyncio.CancelledError:
            pass
        except BaseException as caught:  # noqa: BLE001 - the thread's outermost wall: whatever ends it is told
            error = caught
        with self._life.changed:
            self._bridge.leave()
            if error is not None:
                self._error, self.last_error = error, in_words(error)
                self._life.move(LiveStatus.ERROR)
                return
            if self._life.state is not LiveStatus.STOPPING:
                self._life.move(LiveStatus.STOPPING)
            self._life.move(LiveStatus.STOPPED)

    async def _main(self) -> None:
        self._bridge.enter()
        self._watching = Watching(self.config)
        serve = partial(run_session, self.config, self.id, keys=self._keys)
        try:
            await (serve if self.engine is None else self.engine.serve)(
                on_session=self._made, on_ready=self._ready, on_change=self._noticed
            )
        finally:
            if self._host is not None:
                self._host.stop()
            await self._watching.close()

    def _made(self, session: Session) -> None:
        self._session, self.folder = session, session.folder
        self._host = Host(session)
        self._bridge.lead_to(session)
        if self._life.state is LiveStatus.STOPPING:
            self._bridge.end()

    def _ready(self, session: Session) -> None:
        with self._life.changed:
            if self._life.state is LiveStatus.STOPPING:
                session.stop()
                return
        session.spawn(self._sample(session))
        self._settle()

    async def _sample(self, session: Session) -> None:
        while True:
            self.samples.take(session)
            self._settle()
            await asyncio.sleep(SAMPLE_S)

    def _noticed(self) -> None:
        """Something changed, most often an order: look closer only when it can have been the state."""
        session = self._session
        if session is None or session.paused is not (self._life.state is LiveStatus.PAUSED):
            self._settle()

    def _settle(self) -> None:
        """Take the state over that the session is in; called in its own thread."""
        session = self._session
        if session is None or not session.health.started_ns or session.fault is not None:
            return
        if session.paused:
            state = LiveStatus.PAUSED
        else:
            state = LiveStatus.RECONNECTING if is_reconnecting(session) else LiveStatus.RUNNING
        with self._life.changed:
            if self._life.is_active or self._life.state is LiveStatus.STARTING:
                self._life.move(state)

    # -- asking --------------------------------------------------------------------------------------------

    def ask(self, work: Callable[[Session], T], *, timeout_s: float = ANSWER_S) -> T:
        """Do something with the session in its own thread and return what comes of it; raise what it raises.

        A session whose loop does not answer in time raises ``NotAnsweringError``; what was asked is taken back.
        """

        async def answer(session: Session) -> T:
            return work(session)

        return self.await_(answer, timeout_s=timeout_s)

    def await_(self, work: Callable[[Session], Awaitable[T]], *, timeout_s: float = ANSWER_S) -> T:
        """Like ``ask``, for what takes its time."""
        return self._bridge.ask(work, timeout_s)

    def _cut_off(self, reason: str) -> str:
        """Let the session send nothing more; return what is wrong with it."""
        session = self._session
        if session is not None:
            cut_off(session, reason)
            if self._host is not None and self.is_alive:
                self._host.was_cut_off = True
        if not self.is_alive:
            why = self.last_error or "it had not begun to trade"
            return f"session {self.id} was {self.get_status().value}: {why}"
        if session is not None and session.fault is not None:
            return f"session {self.id} broke while it was being ended: {in_words(session.fault)}"
        return f"session {self.id} does not answer and was cut off"

    @property
    def may_hold(self) -> bool:
        """Tell whether there may be something at a venue that only a kill from outside can end."""
        idle = self.get_status() in (LiveStatus.ERROR, LiveStatus.STARTING)
        return idle and self.config.mode == "live" and any((self.folder / "journal").glob("*.journal"))

    def _as_error(self) -> LannerError:
        if isinstance(self._error, LannerError):
            return self._error
        return LannerError(f"session {self.id} could not be started", found=self.last_error)
