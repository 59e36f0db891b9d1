"""The life of an order, as one table, and the one function that moves an order along it.

Rules that hold everywhere: only a venue report ends an order that left; UNKNOWN is open and counts at its
worst case; a fill is believed in every state that the order can have after it left, and never counted
twice (fills are keyed by the venue's trade id).
"""

from __future__ import annotations

from lanner.core.errors import InternalFaultError, TransitionError
from lanner.core.fsm import TransitionTable
from lanner.model.enums import OrderStatus
from lanner.model.orders import FINAL_STATUSES, Order
from lanner.model.reports import (
    AmendRejected,
    CancelRejected,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReport,
    OrderTriggered,
    OrderUnanswered,
)

_S = OrderStatus

_ENDS = {
    _S.CANCELED: "canceled",
    _S.EXPIRED: "expired",
    _S.FILLED: "filled",
    _S.PARTIALLY_FILLED: "partial fill",
}
_WORKING = {
    _S.PENDING_CANCEL: "cancel sent",
    _S.PENDING_AMEND: "amend sent",
    _S.TRIGGERED: "triggered",
    _S.UNKNOWN: "no answer",
}

LIFECYCLE: TransitionTable[OrderStatus] = TransitionTable(
    "order",
    {
        _S.INITIALIZED: {_S.DENIED: "risk says no", _S.HELD: "waits for its parent", _S.SUBMITTED: "sent"},
        _S.HELD: {_S.SUBMITTED: "parent filled", _S.CANCELED: "parent ended", _S.DENIED: "risk says no"},
        _S.SUBMITTED: {
            _S.ACCEPTED: "accepted",
            _S.REJECTED: "rejected",
            _S.PENDING_CANCEL: "cancel sent",
            _S.PENDING_AMEND: "amend sent",
            _S.TRIGGERED: "triggered",
            _S.UNKNOWN: "no answer",
            **_ENDS,
        },
        _S.ACCEPTED: {**_WORKING, **_ENDS},
        _S.TRIGGERED: {
            **{k: v for k, v in _WORKING.items() if k is not _S.TRIGGERED},
            **_ENDS,
            _S.REJECTED: "rejected",
        },
        _S.PARTIALLY_FILLED: {
            _S.PENDING_CANCEL: "cancel sent",
            _S.PENDING_AMEND: "amend sent",
            _S.UNKNOWN: "no answer",
            **{k: v for k, v in _ENDS.items() if k is not _S.PARTIALLY_FILLED},
        },
        _S.PENDING_AMEND: {
            _S.ACCEPTED: "amend answered",
            _S.REJECTED: "rejected",
            _S.TRIGGERED: "triggered",
            _S.PENDING_CANCEL: "cancel sent",
            _S.UNKNOWN: "no answer",
            **_ENDS,
        },
        _S.PENDING_CANCEL: {
            _S.ACCEPTED: "cancel refused",
            _S.REJECTED: "rejected",
            _S.TRIGGERED: "triggered",
            _S.UNKNOWN: "no answer",
            **_ENDS,
        },
        _S.UNKNOWN: {
            _S.ACCEPTED: "found working",
            _S.REJECTED: "found rejected or never arrived",
            _S.TRIGGERED: "triggered",
            _S.PENDING_CANCEL: "cancel sent",
            **_ENDS,
        },
        _S.DENIED: {},
        _S.REJECTED: {_S.FILLED: "late fill"},
        _S.CANCELED: {_S.FILLED: "late fill"},
        _S.EXPIRED: {_S.FILLED: "late fill"},
        _S.FILLED: {},
    },
    FINAL_STATUSES,
)
"""Legal steps. Partial late fills leave a final state as it is and only raise ``cum_lots``."""

_PENDING = frozenset({_S.PENDING_AMEND, _S.PENDING_CANCEL})
_NEVER_LEFT = frozenset({_S.INITIALIZED, _S.DENIED, _S.HELD})


def move(order: Order, status: OrderStatus, ts: int) -> None:
    """Move an order to a status, or raise ``TransitionError`` naming both."""
    if status is not order.status:
        LIFECYCLE.check(order.status, status, order.order_id)
        order.status = status
    order.ts_last = ts


def resting_status(order: Order) -> OrderStatus:
    """Return the status a working order has when nothing is pending."""
    if order.cum_lots:
        return _S.PARTIALLY_FILLED
    return _S.TRIGGERED if order.triggered else _S.ACCEPTED


def apply_report(order: Order, report: OrderReport) -> bool:
    """Apply a venue report to its order; return False when it told nothing new (a duplicate or a late echo)."""
    if order.status in _NEVER_LEFT:
        raise TransitionError(
            f"order {order.order_id} never left, but the venue reports {type(report).__name__}",
            expected="reports only for orders that were sent",
            found=order.status.name,
        )
    kind = type(report)
    if kind is OrderFilled:
        return _apply_fill(order, report)  # type: ignore[arg-type]
    if order.status in FINAL_STATUSES:
        return False
    ts = report.ts_event
    if kind is OrderAccepted:
        return _apply_accepted(order, report)  # type: ignore[arg-type]
    if kind is OrderTriggered:
        order.triggered = True
        if order.status not in _PENDING and not order.cum_lots:
            move(order, _S.TRIGGERED, ts)
        return True
    if kind is OrderAmended:
        assert isinstance(report, OrderAmended)
        order.lots, order.px_ticks, order.stop_ticks = report.lots, report.px_ticks, report.stop_ticks
        done = order.cum_lots >= order.lots
        # who changes an order has it: that answers the silence, too
        resumed = _resume(order, _S.PENDING_AMEND, _S.UNKNOWN, _S.SUBMITTED)
        move(order, _S.FILLED if done else resumed, ts)
        return True
    if kind is AmendRejected or kind is CancelRejected:
        move(order, _resume(order, _S.PENDING_AMEND if kind is AmendRejected else _S.PENDING_CANCEL), ts)
        return True
    if kind is OrderUnanswered:
        order.reason = report.reason  # type: ignore[union-attr]
        move(order, _S.UNKNOWN, ts)
        return True
    ends = {OrderRejected: _S.REJECTED, OrderCanceled: _S.CANCELED, OrderExpired: _S.EXPIRED}
    if kind not in ends:
        raise InternalFaultError(f"{kind.__name__} is not a report about an order")
    order.reason = report.reason  # type: ignore[union-attr]
    move(order, ends[kind], ts)
    return True


def _apply_accepted(order: Order, report: OrderAccepted) -> bool:
    order.venue_order_id = report.venue_order_id or order.venue_order_id
    if order.status in (_S.SUBMITTED, _S.UNKNOWN):
        move(order, resting_status(order), report.ts_event)
        return True
    return False


def _apply_fill(order: Order, fill: OrderFilled) -> bool:
    if fill.trade_id in order.trade_ids:
        return False
    _remember(order, fill.trade_id)
    order.cum_lots += fill.lots
    order.notional += fill.px_ticks * fill.lots
    order.fees += fill.fee
    order.ts_last = fill.ts_event
    if order.cum_lots >= order.lots:
        move(order, _S.FILLED, fill.ts_event)
    elif order.status not in FINAL_STATUSES and order.status not in _PENDING:
        move(order, _S.PARTIALLY_FILLED, fill.ts_event)
    return True


def _remember(order: Order, trade_id: str) -> None:
    """Keep a trade id; most orders have one or two fills, and a set for each would be most of their memory."""
    ids = order.trade_ids
    if isinstance(ids, set):
        ids.add(trade_id)
    elif len(ids) < 8:
        order.trade_ids = (*ids, trade_id)
    else:
        order.trade_ids = {*ids, trade_id}


def _resume(order: Order, *answered: OrderStatus) -> OrderStatus:
    """Return where the order stands once one pending request is answered; another one stays pending."""
    return resting_status(order) if order.status in answered else order.status
