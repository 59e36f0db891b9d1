"""``LiveRunner``: one session in a thread of its own, with a life that can be asked for from any thread.

The session has its own event loop; nothing of it is touched from outside but through that loop. What blocks or breaks
one session is told as its state and leaves every other one alone.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from lanner.control.bridge import Bridge, silent
from lanner.control.confirmation import check_live
from lanner.control.errors import (
    AlreadyRunningError,
    EngineMissingError,
    NotAnsweringError,
    NotPausedError,
    NotRunningError,
    PausedError,
)
from lanner.control.opening import FindKeys, run_session, session_folder
from lanner.control.orders import cancel_all, cancel_one, submit
from lanner.control.requests import LiveRequest
from lanner.control.states import ACTIVE, ALIVE, LIFE, LiveStatus
from lanner.control.stats import (
    LiveStats,
    Samples,
    balance_of,
    history_of,
    is_reconnecting,
    picture_of,
    stats_of,
)
from lanner.control.stopping import KillOutcome, joined, kill_from_outside, kill_in_loop
from lanner.control.watching import Watching
from lanner.core.errors import LannerError
from lanner.live.hosting import Host, cut_off

if TYPE_CHECKING:
    from lanner.live.config import SessionConfig
    from lanner.live.reload import ReloadReport
    from lanner.live.session import Session

T = TypeVar("T")
START_S = 60.0
STOP_S = 30.0
ANSWER_S = 5.0
KILL_S = 60.0
SAMPLE_S = 1.0


class LiveRunner:
    """Run one session; see the module. ``live`` and ``confirm`` are what real orders need: see ``check_live``.

    ``on_status`` is called with each new status, in whatever thread it came about; it must not block.
    """

    def __init__(
        self,
        request: LiveRequest | SessionConfig,
        session_id: str = "",
        *,
        live: bool = False,
        confirm: str = "",
        keys: FindKeys | None = None,
        on_status: Callable[[LiveRunner, LiveStatus], None] | None = None,
    ) -> None:
        if isinstance(request, LiveRequest):
            self.request: LiveRequest | None = request
            self.config: SessionConfig = request.config()
            self.id = session_id or request.session_id
        else:
            self.request, self.config, self.id = None, request, session_id or request.name
        check_live(self.config, live, confirm)
        self.folder = session_folder(self.id)
        self.last_error = ""
        self.samples = Samples()
        self._keys = keys
        self._on_status = on_status
        self._state = LiveStatus.STOPPED
        self._changed = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None
        self._bridge = Bridge(self.id)
        self._session: Session | None = None
        self._error: BaseException | None = None
        self._stats = LiveStats()
        self._watching: Watching | None = None
        self._host: Host | None = None

    # -- life ----------------------------------------------------------------------------------------------

    def start(self, *, wait: bool = True, timeout_s: float = START_S) -> None:
        """Start the session, and wait until it trades; raise what kept it from that."""
        with self._changed:
            if self._state in ALIVE:
                raise AlreadyRunningError(f"session {self.id} is {self._state} already")
            self._move(LiveStatus.STARTING)
            self.last_error, self._error, self._session = "", None, None
            self.samples = Samples()
            self._thread = threading.Thread(target=self._run, name=f"session-{self.id}", daemon=True)
            self._thread.start()
        if wait:
            self.wait_started(timeout_s)

    def wait_started(self, timeout_s: float = START_S) -> None:
        """Wait until the session trades; raise what kept it from that."""
        with self._changed:
            done = self._changed.wait_for(lambda: self._state is not LiveStatus.STARTING, timeout_s)
            if self._state is LiveStatus.ERROR:
                raise self._as_error()
        if not done:
            self._bridge.end()
            raise NotAnsweringError(
                f"session {self.id} was not ready within {timeout_s:g} s and is being stopped"
            )

    def stop(self, *, timeout_s: float = STOP_S) -> None:
        """End the session and wait until it is closed; its orders stay unless its strategies cancel them."""
        with self._changed:
            if self._state is LiveStatus.ERROR:
                self._move(LiveStatus.STOPPED)
                return
            if self._state is LiveStatus.STOPPED:
                raise NotRunningError(f"session {self.id} does not run")
            if self._state is not LiveStatus.STOPPING:
                self._move(LiveStatus.STOPPING)
        self._bridge.end()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)
            if thread.is_alive():
                raise silent(self.id, timeout_s)

    def pause(self, reason: str = "paused") -> None:
        """Let no handler of the strategies run; connections, prices and indicators go on."""
        self._need(LiveStatus.RUNNING, LiveStatus.RECONNECTING)
        self.ask(lambda session: session.pause(reason))

    def resume(self, reason: str = "resumed") -> None:
        """Let a paused session's strategies work again."""
        with self._changed:
            if self._state is not LiveStatus.PAUSED:
                raise NotPausedError(f"session {self.id} is not paused", found=self._state.value)
        self.ask(lambda session: session.resume(reason))

    def join(self, timeout_s: float | None = None) -> LiveStatus:
        """Wait until the session has ended by itself or was stopped; return its status."""
        with self._changed:
            self._changed.wait_for(lambda: self._state not in ALIVE, timeout_s)
            return self._state

    def get_status(self) -> LiveStatus:
        """Return where the session is; it never waits."""
        return self._state

    @property
    def is_broken(self) -> bool:
        """Tell whether a fault ended the session, or it was cut off because it did not answer."""
        return self._state is LiveStatus.ERROR or (self._host is not None and self._host.was_cut_off)

    @property
    def is_alive(self) -> bool:
        """Tell whether the session has a thread."""
        return self.get_status() in ALIVE

    @property
    def is_active(self) -> bool:
        """Tell whether the session trades, or would when it is resumed."""
        return self.get_status() in ACTIVE

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
        with self._changed:
            self._bridge.leave()
            if error is not None:
                self._error, self.last_error = error, self._text(error)
                self._move(LiveStatus.ERROR)
                return
            if self._state is not LiveStatus.STOPPING:
                self._move(LiveStatus.STOPPING)
            self._move(LiveStatus.STOPPED)

    async def _main(self) -> None:
        self._bridge.enter()
        self._watching = Watching(self.config)
        try:
            await run_session(
                self.config,
                self.id,
                keys=self._keys,
                on_session=self._made,
                on_ready=self._ready,
                on_change=self._noticed,
            )
        finally:
            if self._host is not None:
                self._host.stop()
            await self._watching.close()

    def _made(self, session: Session) -> None:
        self._session = session
        self._host = Host(session)
        self._bridge.lead_to(session)
        if self._state is LiveStatus.STOPPING:
            self._bridge.end()

    def _ready(self, session: Session) -> None:
        with self._changed:
            if self._state is LiveStatus.STOPPING:
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
        if session is None or session.engine.paused is not (self._state is LiveStatus.PAUSED):
            self._settle()

    def _settle(self) -> None:
        """Take the state over that the session is in; called in its own thread."""
        session = self._session
        if session is None or not session.health.started_ns or session.fault is not None:
            return
        if session.engine.paused:
            state = LiveStatus.PAUSED
        else:
            state = LiveStatus.RECONNECTING if is_reconnecting(session) else LiveStatus.RUNNING
        with self._changed:
            if self._state in ACTIVE or self._state is LiveStatus.STARTING:
                self._move(state)

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

    def get_stats(self) -> LiveStats:
        """Return what the session has done; the last figures known where it does not answer or does not run."""
        try:
            picture = self._look(picture_of, timeout_s=2.0)
        except NotAnsweringError:
            return replace(self._stats, responsive=False)
        except (NotRunningError, EngineMissingError):
            return self._stats
        self._stats = stats_of(picture, self.samples, self.config.instruments[0])
        return self._stats

    def get_status_details(self) -> dict[str, Any]:
        """Return everything that a status view shows."""
        from lanner.live.status import status_of_session

        return self._look(status_of_session)

    def summary(self) -> dict[str, Any]:
        """Return what the session did, in few words; also of one that could not be started."""
        from lanner.live.status import state_of_session

        told: dict[str, Any] = {"session": self.id, "status": "", "last_error": ""}
        if self._session is not None:
            with suppress(NotAnsweringError, NotRunningError):
                told |= self._look(state_of_session)
        return {
            **told,
            "status": self.get_status().value,
            "last_error": self.last_error,
            "folder": self.folder,
        }

    def get_order_history(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the newest orders, newest first; at most 1,000 are told."""
        return self._look(lambda session: history_of(session, limit))

    def get_balance(self) -> dict[str, Any]:
        """Return what the account holds, as it was heard of last."""
        return self._look(balance_of)

    def refresh_balance(self) -> dict[str, Any]:
        """Compare a live session with its venue now, and return what the account holds."""

        async def refresh(session: Session) -> dict[str, Any]:
            if session.is_live:
                await session.reconcile("the balance was asked for")
            return balance_of(session)

        return self.await_(refresh, timeout_s=30.0)

    def get_connection_state(self) -> list[dict[str, str]]:
        """Return the state of each connection."""

        def look(session: Session) -> list[dict[str, str]]:
            return [
                {"name": one.name, "state": one.state.name.lower(), "reason": one.reason}
                for one in session.link_statuses()
            ]

        return self._look(look)

    def _look(self, work: Callable[[Session], T], *, timeout_s: float = ANSWER_S) -> T:
        """Read something, also of a session that has ended."""
        session = self._session
        if session is not None and self.get_status() not in ALIVE:
            return work(session)
        return self.ask(work, timeout_s=timeout_s)

    # -- doing ---------------------------------------------------------------------------------------------

    def submit_order(
        self, side: str, quantity: float | str, price: float | str | None = None, **options: Any
    ) -> dict[str, Any]:
        """Send an order by hand and return it; it passes the session's limits like any other.

        ``options``: ``symbol``, ``stop_price``, ``tif``, ``post_only``, ``reduce_only``, ``strategy`` (whose order it
        is; default: the first).
        """
        self._need_trading()
        return self.ask(lambda session: submit(session, side, quantity, price, options))

    def cancel_order(self, order_id: str) -> dict[str, Any]:
        """Ask for an order back and return it; ``NotFoundError`` for one that the session does not know."""
        self._need(*ACTIVE)
        return self.ask(lambda session: cancel_one(session, order_id))

    def cancel_all_orders(self, symbol: str | None = None) -> int:
        """Ask for all orders back (of one instrument, or of all); return how many there were."""
        self._need(*ACTIVE)
        return self.ask(lambda session: cancel_all(session, symbol))

    def subscribe(self, symbol: str) -> str:
        """Let market data of a further instrument come onto the session's bus; its engine does not see them."""
        self._need(*ACTIVE)
        watching = self._watching
        assert watching is not None
        return self.await_(lambda session: watching.add(session, symbol), timeout_s=30.0)

    def unsubscribe(self, symbol: str) -> bool:
        """Let market data of an instrument that was subscribed by hand come no more; tell whether it was."""
        self._need(*ACTIVE)
        watching = self._watching
        assert watching is not None
        return self.await_(lambda _session: watching.drop(symbol), timeout_s=10.0)

    def reload(self, *changes: str, dry_run: bool = False, reason: str = "asked for") -> ReloadReport:
        """Change parameters and limits (``NAME=VALUE``), or without any take what is new in the session's file."""
        self._need(*ACTIVE)

        def work(session: Session) -> Awaitable[ReloadReport]:
            if changes:
                return session.reload.change(changes, dry_run=dry_run, reason=reason)
            return session.reload.reload_now(dry_run=dry_run, reason=reason)

        return self.await_(work, timeout_s=30.0)

    def kill(self, reason: str, *, cancel_orders: bool = True, close_positions: bool = True) -> KillOutcome:
        """Stop all trading and latch the session; one that does not answer is cut off and ended at the venue.

        So is one with real orders that broke, before or while it was killed, or has not begun to trade yet: its journal
        says what it may have there.
        """
        if self._state is LiveStatus.STARTING:
            with suppress(NotAnsweringError, NotRunningError):
                self.stop(timeout_s=STOP_S)
        done: KillOutcome | None = None
        if self.is_active and self.get_stats().responsive:
            with suppress(NotAnsweringError, NotRunningError):
                done = self.await_(
                    lambda session: kill_in_loop(
                        session, reason, cancel_orders=cancel_orders, close_positions=close_positions
                    ),
                    timeout_s=KILL_S,
                )
        if done is not None and (done.flat or not close_positions or not self._broke_live()):
            return done
        rest = kill_from_outside(self.folder, self.config, reason, self._cut_off(reason), self._keys)
        return rest if done is None else joined(done, rest)

    def _broke_live(self) -> bool:
        session = self._session
        return session is not None and session.is_live and session.fault is not None

    def _cut_off(self, reason: str) -> str:
        """Let the session send nothing more; return what is wrong with it."""
        session = self._session
        if session is not None:
            cut_off(session, reason)
            if self._host is not None and self.is_alive:
                self._host.was_cut_off = True
        if not self.is_alive:
            why = self.last_error or "it had not begun to trade"
            return f"session {self.id} was {self._state.value}: {why}"
        if session is not None and session.fault is not None:
            return f"session {self.id} broke while it was being ended: {self._text(session.fault)}"
        return f"session {self.id} does not answer and was cut off"

    @property
    def may_hold(self) -> bool:
        """Tell whether there may be something at a venue that only a kill from outside can end."""
        idle = self._state in (LiveStatus.ERROR, LiveStatus.STARTING)
        return idle and self.config.mode == "live" and any((self.folder / "journal").glob("*.journal"))

    # -- parts ---------------------------------------------------------------------------------------------

    def _need_trading(self) -> None:
        if self.get_status() is LiveStatus.PAUSED:
            raise PausedError(f"session {self.id} is paused", fix="Resume it first.")
        self._need(LiveStatus.RUNNING, LiveStatus.RECONNECTING)

    def _need(self, *states: LiveStatus) -> None:
        state = self.get_status()
        if state not in states:
            raise NotRunningError(f"session {self.id} does not run", found=state.value)

    def _move(self, state: LiveStatus) -> None:
        with self._changed:
            if state is self._state:
                return
            LIFE.check(self._state, state, self.id)
            self._state = state
            self._changed.notify_all()
        if self._on_status is not None:
            self._on_status(self, state)

    def _as_error(self) -> LannerError:
        if isinstance(self._error, LannerError):
            return self._error
        return LannerError(f"session {self.id} could not be started", found=self.last_error)

    @staticmethod
    def _text(error: BaseException) -> str:
        if isinstance(error, LannerError):
            return error.message()
        return f"{type(error).__name__}: {error}"
