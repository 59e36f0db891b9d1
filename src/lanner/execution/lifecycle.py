"""The life of an order, as one table, and the one function that moves an order along it.

Rules that hold everywhere: only a venue report ends an order that left; UNKNOWN is open and counts at its
worst case; a fill is believed in every state that the order can have after it left, and never counted
twice (fills are keyed by the venue's trade id). Requests are numbered and answered by number: while one is
unanswered, the order stays PENDING, whatever else is answered.
"""

from __future__ import annotations

from collections.abc import Iterable

from lanner.core.errors import InternalFaultError, TransitionError
from lanner.core.fsm import TransitionTable
from lanner.execution.late_fills import note_concluded
from lanner.model.enums import OrderStatus
from lanner.model.orders import FINAL_STATUSES, Order, Requests
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
        _S.HELD: {
            _S.SUBMITTED: "parent filled",
            _S.CANCELED: "canceled, or parent ended",
            _S.DENIED: "risk says no",
        },
        _S.SUBMITTED: {
            _S.ACCEPTED: "accepted",
            _S.REJECTED: "rejected",
            _S.PENDING_CANCEL: "cancel sent",
            _S.PENDING_AMEND: "amend sent",
            _S.TRIGGERED: "triggered",
            _S.UNKNOWN: "no answer",
            **_ENDS,
        },
        _S.ACCEPTED: {**_WORKING, **_ENDS, _S.REJECTED: "rejected when it was triggered"},
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
            _S.REJECTED: "rejected",
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
            _S.PENDING_AMEND: "cancel refused, amend unanswered",
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
_END_OF = {OrderRejected: _S.REJECTED, OrderCanceled: _S.CANCELED, OrderExpired: _S.EXPIRED}
_NEVER_LEFT = frozenset({_S.INITIALIZED, _S.DENIED, _S.HELD})


def move(order: Order, status: OrderStatus, ts: int) -> None:
    """Move an order to a status, or raise ``TransitionError`` naming both."""
    if status is not order.status:
        LIFECYCLE.check(order.status, status, order.order_id)
        order.status = status
    order.ts_last = ts


def found_working(
    order: Order,
    venue_order_id: str,
    *,
    triggered: bool,
    cum_lots: int,
    notional: int,
    trade_ids: Iterable[str],
) -> None:
    """Bring a new order to where the venue has it: one of another program's that is taken over.

    What was filled before (``notional``: ticks × lots) stays the other program's; the trade ids keep it from being
    counted later.
    """
    order.venue_order_id, order.triggered = venue_order_id, triggered
    order.cum_lots, order.notional = cum_lots, notional
    for trade_id in trade_ids:
        order.remember(trade_id)
    order.status = resting_status(order)


def ask_cancel(order: Order, ts: int) -> int:
    """Note that a cancel leaves; return the request's number."""
    requests = _requests(order)
    move(order, _S.PENDING_CANCEL, ts)
    requests.last += 1
    requests.cancels = (*requests.cancels, requests.last)
    return requests.last


def ask_amend(order: Order, lots: int | None, ts: int) -> int:
    """Note that an amend leaves; return the request's number."""
    requests = _requests(order)
    move(order, _S.PENDING_AMEND, ts)
    requests.last += 1
    requests.amends = (*requests.amends, requests.last)
    requests.asked_lots = max(requests.asked_lots, lots or 0)
    requests.aim_lots = lots or requests.aim_lots
    return requests.last


def can_amend(order: Order) -> bool:
    """Tell whether a change may be asked for now; not of an order that was asked back."""
    status = order.status
    return status is _S.PENDING_AMEND or (
        status is not _S.PENDING_CANCEL and _S.PENDING_AMEND in LIFECYCLE.steps[status]
    )


def _requests(order: Order) -> Requests:
    if order.requests is None:
        order.requests = Requests()
    order.requests.unsure = order.requests.unsure or order.status in (_S.SUBMITTED, _S.UNKNOWN)
    return order.requests


def standing_status(order: Order) -> OrderStatus:
    """Return the status of a working order by what is unanswered: cancels, then amends, else none of them."""
    requests = order.requests
    if requests is not None and requests.cancels:
        return _S.PENDING_CANCEL
    if requests is not None and requests.amends:
        return _S.PENDING_AMEND
    if requests is not None and requests.unsure:
        return _S.UNKNOWN
    return resting_status(order)


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
        _is_sure(order)
        if order.status not in _PENDING and not order.cum_lots:
            move(order, _S.TRIGGERED, ts)
        return True
    if kind is OrderAmended:
        return _apply_amended(order, report)  # type: ignore[arg-type]
    if kind is AmendRejected or kind is CancelRejected:
        return _apply_refusal(order, report)  # type: ignore[arg-type]
    if kind is OrderUnanswered:
        order.reason = report.reason  # type: ignore[union-attr]
        move(order, _S.UNKNOWN, ts)
        if order.requests is not None:  # what comes later is news, but no answer is waited for
            order.requests.cancels = order.requests.amends = ()
        return True
    if kind not in _END_OF:
        raise InternalFaultError(f"{kind.__name__} is not a report about an order")
    order.reason = report.reason  # type: ignore[union-attr]
    if isinstance(report, OrderRejected):
        order.reject_code = report.code
    move(order, _END_OF[kind], ts)
    order.requests = None
    return True


def _is_sure(order: Order) -> None:
    """Note that the venue has spoken of the order: it has it."""
    if order.requests is not None:
        order.requests.unsure = False


def _apply_accepted(order: Order, report: OrderAccepted) -> bool:
    order.venue_order_id = report.venue_order_id or order.venue_order_id
    _is_sure(order)
    if order.status in (_S.SUBMITTED, _S.UNKNOWN):
        move(order, resting_status(order), report.ts_event)
        return True
    return False


def _apply_amended(order: Order, report: OrderAmended) -> bool:
    """Take over the state of an order after a change, unless a newer state is known already."""
    requests = _requests(order)
    answers = report.request in requests.amends
    known_ts, known_request = requests.amended
    is_old = report.ts_event < known_ts or (
        report.ts_event == known_ts and 0 < report.request <= known_request
    )
    if is_old and not answers:
        return False
    requests.amends = tuple(number for number in requests.amends if number != report.request)
    requests.unsure = False
    if not is_old:
        requests.amended = report.ts_event, max(report.request, known_request)
        order.lots, order.px_ticks, order.stop_ticks = report.lots, report.px_ticks, report.stop_ticks
    if not requests.amends:
        requests.asked_lots = requests.aim_lots = 0
    if order.cum_lots >= order.lots:
        move(order, _S.FILLED, report.ts_event)
        order.requests = None
    else:  # who changes an order has it: that answers an earlier silence, too
        move(order, standing_status(order), report.ts_event)
    return True


def _apply_refusal(order: Order, report: AmendRejected | CancelRejected) -> bool:
    requests = _requests(order)
    if report.request in requests.amends:
        requests.amends = tuple(number for number in requests.amends if number != report.request)
        requests.amend_refused_ns = report.ts_recv
        if not requests.amends:
            requests.asked_lots = requests.aim_lots = 0
    elif report.request in requests.cancels:
        requests.cancels = tuple(number for number in requests.cancels if number != report.request)
        requests.refused_ns = report.ts_recv
    else:
        return False
    if order.status is not _S.UNKNOWN:
        move(order, standing_status(order), report.ts_event)
    return True


def _apply_fill(order: Order, fill: OrderFilled) -> bool:
    if fill.trade_id in order.trade_ids:
        return False
    order.remember(fill.trade_id)
    note_concluded(order, fill)
    _is_sure(order)
    order.cum_lots += fill.lots
    order.notional += fill.px_ticks * fill.lots
    order.fees += fill.fee
    order.ts_last = fill.ts_event
    if order.cum_lots >= order.lots:
        move(order, _S.FILLED, fill.ts_event)
        order.requests = None
    elif order.status not in FINAL_STATUSES and order.status not in _PENDING:
        move(order, _S.PARTIALLY_FILLED, fill.ts_event)
    return True
