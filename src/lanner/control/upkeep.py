"""What is done about a session's orders from outside: counting, asking the venue for them, finding silent ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lanner.control.stats import REFUSED, count, volume_of
from lanner.core.errors import LannerError
from lanner.model.enums import OrderStatus
from lanner.net.wallclock import mono_ns

if TYPE_CHECKING:
    from lanner.live.session import Session
    from lanner.model.orders import Order


@dataclass(frozen=True, slots=True)
class ExecutionStats:
    """What became of the orders of a session; volume and commission in its currency."""

    submitted: int
    filled: int
    cancelled: int
    rejected: int
    open: int
    total_volume: float
    total_commission: float


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What asking the venue for all open orders came to; ``differences`` and ``errors`` are in words."""

    orders_checked: int
    orders_updated: int
    orders_closed: int
    duration_ms: int
    differences: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TimeoutReport:
    """Orders that nothing was heard of, by id; how many were asked back, and of how many that failed."""

    timeout_orders: tuple[str, ...]
    orders_cancelled: int
    cancel_errors: int


def count_orders(session: Session) -> ExecutionStats:
    """Count the orders of a session."""
    portfolio = session.engine.portfolio
    execution = session.engine.execution
    orders, past = list(execution.orders.values()), execution.retention.totals
    paid = [(one.instrument.settle, one.fees) for one in orders]
    paid += [(one.instrument.settle, one.fees) for one in past.traded.values()]
    rates = {settle: float(portfolio.rate(settle)) for settle in {settle for settle, _ in paid}}
    return ExecutionStats(
        submitted=execution.retention.order_count,
        filled=count(orders, past, OrderStatus.FILLED),
        cancelled=count(orders, past, OrderStatus.CANCELED),
        rejected=count(orders, past, *REFUSED),
        open=sum(order.is_open for order in orders),
        total_volume=volume_of(orders, past, rates),
        total_commission=sum(float(fees) * rates[settle] for settle, fees in paid),
    )


async def recover(session: Session) -> RecoveryReport:
    """Compare the open orders of a session with its venue; on paper nobody is asked, because nobody else knows."""
    began = mono_ns()
    before = {order: _stand(order) for order in session.engine.execution.working_orders()}
    differences, errors = list[str](), list[str]()
    try:
        if session.is_live:
            differences = await session.reconcile("recovery was asked for")
    except LannerError as error:
        errors.append(error.message())
    return RecoveryReport(
        orders_checked=len(before),
        orders_updated=sum(_stand(order) != was for order, was in before.items()),
        orders_closed=sum(not order.is_open for order in before),
        duration_ms=(mono_ns() - began) // 1_000_000,
        differences=differences,
        errors=errors,
    )


def _stand(order: Order) -> tuple[object, ...]:
    return order.status, order.cum_lots, order.lots, order.px_ticks, order.venue_order_id


def silent_orders(session: Session, timeout_ms: int) -> list[Order]:
    """Return the open orders that nothing has been heard of for so long."""
    limit = session.now() - timeout_ms * 1_000_000
    return [order for order in session.engine.execution.working_orders() if order.ts_last <= limit]
