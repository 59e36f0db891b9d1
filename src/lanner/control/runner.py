"""``LiveRunner``: everything that can be asked of a session and done with it, from any thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from lanner.control.confirmation import check_live
from lanner.control.errors import (
    EngineMissingError,
    NotAnsweringError,
    NotRunningError,
)
from lanner.control.execution_engine import ExecutionEngine
from lanner.control.opening import FindKeys
from lanner.control.orders import amend_one, cancel_all, cancel_one, submit
from lanner.control.requests import LiveRequest
from lanner.control.states import ACTIVE, LiveStatus
from lanner.control.stats import (
    LiveStats,
    balance_of,
    history_of,
    picture_of,
    stats_of,
)
from lanner.control.stopping import KillOutcome, joined, kill_from_outside, kill_in_loop
from lanner.control.thread import ANSWER_S, STOP_S, SessionThread

if TYPE_CHECKING:
    from lanner.control.trading_engine import LiveTradingEngine
    from lanner.live.config import SessionConfig
    from lanner.live.reload import ReloadReport
    from lanner.live.session import Session

T = TypeVar("T")
KILL_S = 60.0


class LiveRunner(SessionThread):
    """Run one session in a thread of its own. ``live`` and ``confirm`` are what real orders need: see ``check_live``.

    With an ``engine`` the session runs inside it, in the runner's thread: on its bus and cache, beside its endpoints
    and its clock. Its settings for ticks, heartbeats and recovery stand over the request's. Without one the session has
    a bus of its own.

    ``on_status`` is called with each new status, in whatever thread it came about; it must not block.
    """

    def __init__(
        self,
        request: LiveRequest | SessionConfig,
        engine: LiveTradingEngine | None = None,
        *,
        session_id: str = "",
        live: bool = False,
        confirm: str = "",
        keys: FindKeys | None = None,
        on_status: Callable[[LiveRunner, LiveStatus], None] | None = None,
    ) -> None:
        self.request = request if isinstance(request, LiveRequest) else None
        config: SessionConfig = request.config() if isinstance(request, LiveRequest) else request
        check_live(config, live, confirm)
        name = request.session_id if isinstance(request, LiveRequest) else config.name
        super().__init__(config, session_id or name, engine, keys)
        if engine is not None:
            engine.set_execution_engine(
                ExecutionEngine(config, self.id, live=live, confirm=confirm, keys=keys)
            )
        self._on_status = on_status
        self._stats = LiveStats()

    def _told(self, state: LiveStatus) -> None:
        if self._on_status is not None:
            self._on_status(self, state)

    def __enter__(self) -> LiveRunner:
        """Return the runner; the end of the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, *, timeout_s: float = STOP_S) -> None:
        """Stop the session where it runs; nothing else is left to be done."""
        self.end(timeout_s=timeout_s)

    # -- asking --------------------------------------------------------------------------------------------

    def get_stats(self) -> LiveStats:
        """Return what the session has done; the last figures known where it does not answer or does not run."""
        try:
            picture = self._look(picture_of, timeout_s=2.0)
        except NotAnsweringError:
            return replace(self._stats, responsive=False)
        except (NotRunningError, EngineMissingError):
            return self._stats
        self._stats = stats_of(picture, self.samples, self.config.instruments[0])
        if self.engine is not None:
            own = self.engine.get_stats()
            self._stats = replace(self._stats, ticks=own.ticks, heartbeats_sent=own.heartbeats_sent)
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
        if session is not None and not self._life.is_alive:
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
        self._life.need_trading()
        return self.ask(lambda session: submit(session, side, quantity, price, options))

    def amend_order(
        self,
        order_id: str,
        quantity: float | str | None = None,
        price: float | str | None = None,
        stop_price: float | str | None = None,
    ) -> dict[str, Any]:
        """Ask for another quantity or price of a working order and return it; what is not given stays.

        ``quantity`` is that of the whole order, what is filled included.
        """
        self._life.need_trading()
        return self.ask(lambda session: amend_one(session, order_id, quantity, price, stop_price))

    def cancel_order(self, order_id: str) -> dict[str, Any]:
        """Ask for an order back and return it; ``NotFoundError`` for one that the session does not know."""
        self._life.need(*ACTIVE)
        return self.ask(lambda session: cancel_one(session, order_id))

    def cancel_all_orders(self, symbol: str | None = None) -> int:
        """Ask for all orders back (of one instrument, or of all); return how many there were."""
        self._life.need(*ACTIVE)
        return self.ask(lambda session: cancel_all(session, symbol))

    def subscribe(self, symbol: str) -> str:
        """Let market data of a further instrument come onto the session's bus; its engine does not see them."""
        self._life.need(*ACTIVE)
        watching = self._watching
        assert watching is not None
        return self.await_(lambda session: watching.add(session, symbol), timeout_s=30.0)

    def unsubscribe(self, symbol: str) -> bool:
        """Let market data of an instrument that was subscribed by hand come no more; tell whether it was."""
        self._life.need(*ACTIVE)
        watching = self._watching
        assert watching is not None
        return self.await_(lambda _session: watching.drop(symbol), timeout_s=10.0)

    def reload(self, *changes: str, dry_run: bool = False, reason: str = "asked for") -> ReloadReport:
        """Change parameters and limits (``NAME=VALUE``), or without any take what is new in the session's file."""
        self._life.need(*ACTIVE)

        def work(session: Session) -> Awaitable[ReloadReport]:
            if changes:
                return session.reload.change(changes, dry_run=dry_run, reason=reason)
            return session.reload.reload_now(dry_run=dry_run, reason=reason)

        return self.await_(work, timeout_s=30.0)

    def kill(
        self,
        reason: str,
        *,
        cancel_orders: bool = True,
        close_positions: bool = True,
        stop_s: float = STOP_S,
    ) -> KillOutcome:
        """Stop all trading and latch the session; one that does not answer is cut off and ended at the venue.

        ``stop_s`` is how long one that is just starting may take to give that up.

        So is one with real orders that broke, before or while it was killed, or has not begun to trade yet: its journal
        says what it may have there.
        """
        if self.get_status() is LiveStatus.STARTING:
            with suppress(NotAnsweringError, NotRunningError):
                self.stop(timeout_s=stop_s)
        done: KillOutcome | None = None
        if self.is_active and self.get_stats().responsive:
            with suppress(NotAnsweringError, NotRunningError):
                done = self.await_(
                    lambda session: kill_in_loop(
                        session, reason, cancel_orders=cancel_orders, close_positions=close_positions
                    ),
                    timeout_s=KILL_S,
                )
        broke_live = self._session is not None and self._session.is_live and self._session.fault is not None
        if done is not None and (done.flat or not close_positions or not broke_live):
            return done
        why = self._cut_off(reason)
        rest = kill_from_outside(self.folder, self.config, reason, why, self._keys)
        return rest if done is None else joined(done, rest)
