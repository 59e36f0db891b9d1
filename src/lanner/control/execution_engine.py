"""``ExecutionEngine``: orders of a session, on paper or live, from handlers of the bus and from other threads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from lanner.backtest.mistakes import validate
from lanner.control.confirmation import check_live
from lanner.control.errors import NotRunningError
from lanner.core.errors import NotFoundError
from lanner.live.config import SessionConfig
from lanner.model.enums import OrderStatus
from lanner.model.orders import OrderView

if TYPE_CHECKING:
    from lanner.control.opening import FindKeys
    from lanner.live.session import Session

BY_HAND = "lanner.live.idle:Idle"


@dataclass(frozen=True, slots=True)
class ExecutionStats:
    """What became of the orders of a session."""

    submitted: int
    filled: int
    cancelled: int
    rejected: int
    open: int


class ExecutionEngine:
    """The orders of one session. ``settings`` are a session's (``SessionConfig``), as an object or as plain data.

    Without a strategy in them, orders come only from ``submit_order``. Each is written into the journal before it
    leaves, passes the risk rules and is kept track of until the venue has ended it, as every order is. ``live`` and
    ``confirm`` are what real orders need. Methods may be called from handlers of the bus and from any thread.
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
        self.config = settings if isinstance(settings, SessionConfig) else _config(settings)
        check_live(self.config, live, confirm)
        self.id = session_id or self.config.name
        self.keys = keys
        self._session: Session | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # -- what the trading engine calls ---------------------------------------------------------------------

    def attach(self, session: Session) -> None:
        """Take orders for this session from now on; called in its loop."""
        self._session, self._loop = session, asyncio.get_running_loop()

    def detach(self) -> None:
        """Take no orders any more; what became of them can still be asked for."""
        self._loop = None

    @property
    def session(self) -> Session:
        """Return the session that runs, or ran last."""
        if self._session is None:
            raise NotRunningError("there is no session yet")
        return self._session

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
    ) -> str:
        """Send an order as soon as what is being done is done; return its client order id.

        Raises for one that cannot be built. What the risk rules deny and the venue refuses is told under ``order.*``.
        """
        from lanner.live.adjusting import order_details
        from lanner.venues.registry import instrument_at

        client_id = f"hand-{uuid4().hex[:12]}"
        details = order_details(
            self.session.engine,
            side=side,
            qty=qty,
            px=px,
            stop_px=stop_px,
            tif=tif,
            post_only=post_only,
            reduce_only=reduce_only,
            instrument=instrument_at(instrument) if instrument else "",
            tag=client_id,
        )
        self._control("order", details)
        return client_id

    def cancel_order(self, client_id: str) -> None:
        """Ask for an order back, by its client order id or its id."""
        self._control("cancel", {"order_id": self.order(client_id).order_id})

    def cancel_all_orders(self, instrument: str = "") -> int:
        """Ask for all orders back (of one instrument, or of all); return how many there are now."""
        from lanner.venues.registry import instrument_at

        name = instrument_at(instrument) if instrument else ""
        self._control("cancel_all", {"instrument": name})
        return sum(name in ("", order.instrument_id) for order in self.open_orders())

    def order(self, client_id: str) -> OrderView:
        """Return an order as it stands, by its client order id or its id; raise ``NotFoundError``."""
        for order in reversed(self.session.engine.execution.orders.values()):
            if client_id in (order.tag, order.order_id):
                return OrderView(order)
        raise NotFoundError(f"no order {client_id!r} in this session")

    def open_orders(self) -> list[OrderView]:
        """Return the orders that may still fill."""
        return [OrderView(o) for o in list(self.session.engine.execution.orders.values()) if o.is_open]

    def is_order_pending(self, client_id: str) -> bool:
        """Tell whether an order has left and the venue has not answered."""
        return self.order(client_id).status in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN)

    def stats(self) -> ExecutionStats:
        """Count the orders."""
        orders = list(self.session.engine.execution.orders.values())
        refused = (OrderStatus.REJECTED, OrderStatus.DENIED)
        return ExecutionStats(
            len(orders),
            sum(order.status is OrderStatus.FILLED for order in orders),
            sum(order.status is OrderStatus.CANCELED for order in orders),
            sum(order.status in refused for order in orders),
            sum(order.is_open for order in orders),
        )

    def _control(self, action: str, details: dict[str, Any]) -> None:
        """Let the session write a control down and do it, after the step that may be under way."""
        session, loop = self.session, self._loop
        if loop is None or loop.is_closed():
            raise NotRunningError("the session does not run")
        loop.call_soon_threadsafe(lambda: session.control(action, "by hand", **details))


def _config(settings: Mapping[str, Any]) -> SessionConfig:
    plain = dict(settings)
    if not plain.get("strategy") and not plain.get("strategies"):
        plain["strategy"] = BY_HAND
    config: SessionConfig = validate(SessionConfig, plain, source="settings")
    return config
