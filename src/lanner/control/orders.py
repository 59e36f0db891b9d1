"""Orders by hand in a running session: written into its journal like everything that a person does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from lanner.control.stats import order_entry
from lanner.control.symbols import instrument_of
from lanner.core.errors import ConfigError, LannerError, RiskRefusedError
from lanner.live.adjusting import amend_details, controlled, order_details
from lanner.venues.registry import instrument_at, product_of

if TYPE_CHECKING:
    from lanner.live.session import Session

_OPTIONS = frozenset({"symbol", "stop_price", "tif", "post_only", "reduce_only", "strategy"})


def submit(
    session: Session, side: str, quantity: Any, price: Any, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Send an order and return it as it stands now; raise for one that cannot be built."""
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise ConfigError(
            f"an order has no {', '.join(unknown)}", expected=f"one of {', '.join(sorted(_OPTIONS))}"
        )
    tag = f"hand-{uuid4().hex[:12]}"
    details = order_details(
        session.engine,
        side=side,
        qty=quantity,
        px=price,
        stop_px=options.get("stop_price"),
        tif=str(options.get("tif") or "GTC"),
        post_only=bool(options.get("post_only")),
        reduce_only=bool(options.get("reduce_only")),
        instrument=_instrument(session, options.get("symbol")),
        strategy=str(options.get("strategy") or ""),
        tag=tag,
    )
    session.control("order", "by hand", **details)
    for order in reversed(session.engine.execution.orders.values()):
        if order.tag == tag:
            return order_entry(order)
    raise LannerError("the order was not taken", found=session.health.last_error or "no reason")


def amend_one(session: Session, order_id: str, quantity: Any, price: Any, stop_price: Any) -> dict[str, Any]:
    """Ask for a change of an order and return it as it stands now; raise for one that cannot be made."""
    order = session.engine.execution.find(order_id)
    details = amend_details(session.engine, order, qty=quantity, px=price, stop_px=stop_price)
    denied = session.engine.execution.denied_amends
    refused = controlled(session, "amend", "by hand", details)
    if refused is not None:
        raise refused
    if session.engine.execution.denied_amends > denied:
        raise RiskRefusedError(f"order {order_id} was not amended", found=order.reason)
    return order_entry(order)


def cancel_one(session: Session, order_id: str) -> dict[str, Any]:
    """Ask for an order back and return it as it stands now."""
    order = session.engine.execution.find(order_id)
    session.control("cancel", "by hand", order_id=order_id)
    return order_entry(order)


def cancel_all(session: Session, symbol: str | None) -> int:
    """Ask for all orders back; return how many there were."""
    name = _instrument(session, symbol)
    working = session.engine.execution.working_orders()
    count = sum(name in ("", order.instrument_id) for order in working)
    session.control("cancel_all", "by hand", instrument=name)
    return count


def _instrument(session: Session, symbol: str | None) -> str:
    """Return the session's instrument that a symbol means, as people write it; nothing is the first, or all."""
    traded = session.plan.instruments
    if not symbol or symbol in traded:
        return symbol or ""
    text = symbol.strip().replace("/", "-").upper()
    found = [name for name in traded if name.rpartition(".")[0] in (text, f"{text}-PERP")]
    if not found and "@" not in text:
        found = [name for name in traded if name == instrument_of(product_of(name), symbol)]
    return found[0] if len(found) == 1 else instrument_at(symbol)
