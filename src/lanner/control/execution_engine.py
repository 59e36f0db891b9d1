"""``ExecutionEngine``: orders of a session, on paper or live, from handlers of the bus and from other threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from lanner.backtest.mistakes import validate
from lanner.control.confirmation import check_live
from lanner.control.errors import DuplicateOrderError, NotPausedError, NotRunningError, PausedError
from lanner.control.stats import balance_of, order_entry
from lanner.control.upkeep import (
    ExecutionStats,
    RecoveryReport,
    TimeoutReport,
    count_orders,
    recover,
    silent_orders,
)
from lanner.core.errors import ConfigError, NotFoundError
from lanner.live.adjusting import amend_details, controlled, order_details
from lanner.live.config import SessionConfig
from lanner.live.connect import servers
from lanner.model.enums import OrderStatus, Side
from lanner.model.orders import Order, OrderView
from lanner.portfolio.positions import PositionView

if TYPE_CHECKING:
    from lanner.control.opening import FindKeys
    from lanner.live.session import Session

BY_HAND = "lanner.live.idle:Idle"
_PENDING = frozenset({OrderStatus.SUBMITTED, OrderStatus.UNKNOWN})


class ExecutionEngine:
    """The orders of one session. ``settings`` are a session's (``SessionConfig``), as an object or as plain data.

    Without a strategy in them, orders come only from ``submit_order``. Each is written into the journal before it
    leaves, passes the risk rules and is kept track of until the venue has ended it, as every order is. ``live`` and
    ``confirm`` are what real orders need. Settings without ``url`` go to the servers of ``LANNER_URL``, if it is set.
    Methods may be called from handlers of the bus and from any thread; what they ask for is done after the step that
    is under way, and what comes of it is told under ``order.*``.

    While it runs, the bus answers the endpoints ``order.submit``, ``order.amend``, ``order.modify`` (the same),
    ``order.cancel`` and ``order.query``, each asked with a mapping of the method's arguments.
    """

    def __init__(
        self,
        settings: SessionConfig | Mapping[str, Any],
        session_id: str = "",
        *,
        live: bool = False,
        confirm: str = "",
        keys: FindKeys | None = None,
    ) -> None:
        told = settings if isinstance(settings, SessionConfig) else _config(settings)
        self.config = told.model_copy(update={"url": servers(told.url, testnet=told.testnet)})
        check_live(self.config, live, confirm)
        self.id = session_id or self.config.name
        self.keys = keys
        self._session: Session | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._naming = threading.Lock()
        self._names: set[str] = set()

    # -- what the trading engine calls ---------------------------------------------------------------------

    def attach(self, session: Session) -> None:
        """Take orders for this session from now on; called in its loop."""
        for endpoint, answer in self._endpoints().items():
            session.bus.register(endpoint, answer)
        self._session, self._loop = session, asyncio.get_running_loop()

    def ready(self) -> None:
        """Tell that the session trades."""
        self.session.bus.publish("execution_engine.started", self.state)

    def detach(self) -> None:
        """Take no orders any more; what became of them can still be asked for."""
        if self._loop is None:
            return
        self._loop = None
        self._names.clear()
        for endpoint in self._endpoints():
            self.session.bus.unregister(endpoint)
        self.session.bus.publish("execution_engine.stopped", self.get_stats())

    def _endpoints(self) -> dict[str, Callable[[Any], Any]]:
        def answer(work: Callable[..., Any]) -> Callable[[Any], Any]:
            return lambda asked: work(**(asked if isinstance(asked, Mapping) else {"client_id": asked}))

        return {
            "order.submit": answer(self.submit_order),
            "order.amend": answer(self.amend_order),
            "order.modify": answer(self.amend_order),
            "order.cancel": answer(self.cancel_order),
            "order.query": answer(lambda client_id: order_entry(self._order(client_id))),
        }

    @property
    def session(self) -> Session:
        """Return the session that runs, or ran last."""
        if self._session is None:
            raise NotRunningError("there is no session yet")
        return self._session

    @property
    def state(self) -> str:
        """Return ``stopped``, ``running`` or ``paused``."""
        if self._loop is None or self._loop.is_closed():
            return "stopped"
        return "paused" if self.session.paused else "running"

    def pause(self, reason: str = "paused") -> None:
        """Let no handler of the session's strategies run and take no new orders; cancelling goes on."""
        self._call(lambda session: session.pause(reason))

    def resume(self, reason: str = "resumed") -> None:
        """Undo ``pause``."""
        if self.state != "paused":
            raise NotPausedError(f"session {self.id} is not paused", found=self.state)
        self._call(lambda session: session.resume(reason))

    # -- orders --------------------------------------------------------------------------------------------

    def submit_order(
        self,
        side: str,
        qty: Any,
        px: Any = None,
        *,
        instrument: str = "",
        stop_px: Any = None,
        tif: str = "GTC",
        post_only: bool = False,
        reduce_only: bool = False,
        client_id: str = "",
    ) -> str:
        """Send an order as soon as what is being done is done; return its client order id.

        Raises for one that cannot be built. What the risk rules deny and the venue refuses is told under ``order.*``.
        """
        self._need_running()
        with self._naming:
            if client_id and (client_id in self._names or self._find(client_id) is not None):
                raise DuplicateOrderError(f"there is an order {client_id!r} already")
            client_id = client_id or f"hand-{uuid4().hex[:12]}"
            details = order_details(
                self.session.engine,
                side=side,
                qty=qty,
                px=px,
                stop_px=stop_px,
                tif=tif,
                post_only=post_only,
                reduce_only=reduce_only,
                instrument=_instrument(instrument),
                tag=client_id,
            )
            self._names.add(client_id)
        self._call(lambda session: self._place(session, client_id, details))
        return client_id

    def _place(self, session: Session, client_id: str, details: dict[str, Any]) -> None:
        """Send an order in the session's loop; one that is refused before it was one is told on ``control.refused``."""
        try:
            controlled(session, "order", "by hand", details)
        finally:
            self._names.discard(client_id)  # the order itself has the name now

    def amend_order(self, client_id: str, *, qty: Any = None, px: Any = None, stop_px: Any = None) -> None:
        """Ask for another quantity (of the whole order) or price of a working order, by its client order id or its id.

        Raises for a change that cannot be made. What the risk rules or the venue refuse is told under ``order.*``.
        """
        self._need_running()
        details = amend_details(self.session.engine, self._order(client_id), qty=qty, px=px, stop_px=stop_px)
        self._control("amend", details)

    def cancel_order(self, client_id: str) -> None:
        """Ask for an order back, by its client order id or its id; also for one that is still to be sent."""
        if not self._is_asked(client_id):
            self._order(client_id)

        def cancel(session: Session) -> None:
            order = self._find(client_id)
            if order is not None:
                session.control("cancel", "by hand", order_id=order.order_id)

        self._call(cancel)

    def cancel_all_orders(self, instrument: str = "", *, side: str = "", status: str = "") -> int:
        """Ask for all orders back (of one instrument, side or status, or of all); return how many there are now."""
        name = _instrument(instrument)
        wanted = [
            order
            for order in self._orders()
            if order.is_open
            and name in ("", order.instrument_id)
            and (not side or order.side is _side(side))
            and status.upper() in ("", order.status.name)
        ]
        if not side and not status:
            self._control("cancel_all", {"instrument": name})
        for order in wanted if side or status else ():
            self._control("cancel", {"order_id": order.order_id})
        return len(wanted)

    # -- looking -------------------------------------------------------------------------------------------

    def order(self, client_id: str) -> OrderView:
        """Return an order as it stands, by its client order id or its id; raise ``NotFoundError``."""
        return OrderView(self._order(client_id))

    def get_order_status(self, client_id: str) -> OrderStatus:
        """Return where an order is (INITIALIZED while it is still to be sent); raise ``NotFoundError``."""
        if self._is_asked(client_id):
            return OrderStatus.INITIALIZED
        return self._order(client_id).status

    def open_orders(self) -> list[OrderView]:
        """Return the orders that may still fill."""
        return [OrderView(order) for order in self._orders() if order.is_open]

    def get_pending_orders(self) -> list[OrderView]:
        """Return the orders that have left and that the venue has not answered."""
        return [OrderView(order) for order in self._orders() if order.status in _PENDING]

    def get_tracked_orders(self) -> list[OrderView]:
        """Return the orders that the venue has answered and not ended."""
        return [
            OrderView(order) for order in self._orders() if order.is_open and order.status not in _PENDING
        ]

    def is_order_pending(self, client_id: str) -> bool:
        """Tell whether an order is to be sent or has left, and the venue has not answered."""
        return self._is_asked(client_id) or self._order(client_id).status in _PENDING

    def get_position(self, instrument: str = "", *, strategy: str = "") -> PositionView | None:
        """Return what a strategy holds of an instrument (default: the first of each), None before it ever traded it."""
        engine, session = self.session.engine, self.session
        name = _instrument(instrument) or next(iter(session.plan.instruments))
        return engine.cache.position(strategy or next(iter(engine.desks)), name)

    def get_balance(self) -> dict[str, Any]:
        """Return what the account holds: of a live session what the venue said last, of a paper one its own books."""
        return balance_of(self.session)

    def get_stats(self) -> ExecutionStats:
        """Count the orders, and what they traded and cost."""
        return count_orders(self.session)

    # -- looking after -------------------------------------------------------------------------------------

    def recover(self) -> Future[RecoveryReport]:
        """Ask the venue for every order that may still fill, and take over what it says of each.

        The answer comes as a future, so that handlers may ask; ``execution_engine.recovery_complete`` tells the
        differences of each comparison, also of those that the session makes by itself.
        """
        loop = self._running_loop()
        return asyncio.run_coroutine_threadsafe(recover(self.session), loop)

    def check_timeouts(self, timeout_ms: int = 60_000, *, auto_cancel: bool = False) -> TimeoutReport:
        """Return the open orders that nothing has been heard of for so long; with ``auto_cancel`` ask for them back.

        It is told on ``execution_engine.timeout_check``, too.
        """
        session = self.session
        found = tuple(order.order_id for order in silent_orders(session, timeout_ms))
        asked = failed = 0
        for order_id in found if auto_cancel else ():
            try:
                self._control("cancel", {"order_id": order_id})
                asked += 1
            except NotRunningError:  # it ends this moment
                failed += 1
        report = TimeoutReport(found, asked, failed)
        with suppress(NotRunningError):
            self._call(lambda session: session.bus.publish("execution_engine.timeout_check", report))
        return report

    # -- parts ---------------------------------------------------------------------------------------------

    def _orders(self) -> list[Order]:
        return list(self.session.engine.execution.orders.values())

    def _is_asked(self, client_id: str) -> bool:
        """Tell whether an order was asked for that the session has not come to yet."""
        return client_id in self._names and self._find(client_id) is None

    def _find(self, client_id: str) -> Order | None:
        for order in reversed(self._orders()):
            if client_id in (order.tag, order.order_id):
                return order
        return None

    def _order(self, client_id: str) -> Order:
        found = self._find(client_id)
        if found is None:
            raise NotFoundError(f"no order {client_id!r} in this session")
        return found

    def _need_running(self) -> None:
        self._running_loop()
        if self.session.engine.paused:
            raise PausedError(f"session {self.id} is paused", fix="Resume it first.")

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        loop = self._loop
        if loop is None or loop.is_closed():
            raise NotRunningError("the session does not run")
        return loop

    def _control(self, action: str, details: dict[str, Any]) -> None:
        """Let the session write a control down and do it, after the step that may be under way."""
        self._call(lambda session: session.control(action, "by hand", **details))

    def _call(self, work: Callable[[Session], object]) -> None:
        loop, session = self._running_loop(), self.session
        try:
            loop.call_soon_threadsafe(lambda: work(session))
        except RuntimeError:  # the loop was closed this moment
            raise NotRunningError("the session does not run") from None


def _instrument(name: str) -> str:
    from lanner.venues.registry import instrument_at

    return instrument_at(name) if name else ""


def _side(word: str) -> Side:
    try:
        return Side[word.strip().upper()]
    except KeyError:
        raise ConfigError("no such side", expected="buy or sell", found=repr(word)) from None


def _config(settings: Mapping[str, Any]) -> SessionConfig:
    plain = dict(settings)
    if not plain.get("strategy") and not plain.get("strategies"):
        plain["strategy"] = BY_HAND
    config: SessionConfig = validate(SessionConfig, plain, source="settings")
    return config
