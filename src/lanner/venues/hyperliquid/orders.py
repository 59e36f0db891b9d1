"""Commands on their way: one signed action each, and the reports that its answer makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lanner.model.commands import AmendOrder, CancelOrder, SubmitOrder
from lanner.model.enums import OrderType
from lanner.model.orders import TRIGGERED_TYPES
from lanner.model.reports import (
    AmendRejected,
    CancelRejected,
    OrderExpired,
    OrderRejected,
    OrderReport,
    OrderUnanswered,
)
from lanner.net.ratelimit import Priority
from lanner.venues.codec import HttpRequest
from lanner.venues.errors import ErrorKind, VenueError
from lanner.venues.hyperliquid import answers, spec, text, wire
from lanner.venues.hyperliquid.actions import Action
from lanner.venues.hyperliquid.auth import Signer
from lanner.venues.hyperliquid.own import Change, Own, OwnOrders
from lanner.venues.hyperliquid.symbols import Symbols
from lanner.venues.hyperliquid.user import UserDecoder

JSON = {"Content-Type": "application/json"}
_UNTOLD: Mapping[str, int] = {}

Part = SubmitOrder | CancelOrder | AmendOrder


@dataclass(slots=True)
class Desk:
    """What a command needs of its codec. ``expire_ms`` is how long the venue may take an action, None for ever."""

    symbols: Symbols
    orders: OwnOrders
    news: UserDecoder
    signer: Signer
    expire_ms: int | None = None


class ActionCall:
    """An action of one kind with one part for each command; see ``venues.codec.OrderCall``."""

    def __init__(self, desk: Desk, request_id: int, name: str, action: Action, parts: Sequence[Part]) -> None:
        self.request_id = str(request_id)
        self.name = name
        self.parts = parts
        self.order_ids = tuple(part.order_id for part in parts)
        self.costs: Mapping[str, int] = {"weight": 1 + len(parts) // spec.BATCH_STEP, "messages": 1}
        self.priority = _priority(parts)
        self.used: Mapping[str, int] = _UNTOLD
        self.silent_until_ms = 0
        self._desk = desk
        self._action = action

    # -- writing -----------------------------------------------------------------------------------------

    def _payload(self, ts_ms: int, nonce: int) -> bytes:
        expire = self._desk.expire_ms
        return self._desk.signer.payload(self._action, nonce, None if expire is None else ts_ms + expire)

    def frame(self, ts_ms: int, nonce: int) -> bytes:
        """Write the command for a socket."""
        head = f'{{"method":"post","id":{self.request_id},"request":{{"type":"action","payload":'
        return head.encode() + self._payload(ts_ms, nonce) + b"}}"

    def request(self, ts_ms: int, nonce: int) -> HttpRequest:
        """Write the command for HTTP."""
        return HttpRequest("POST", "/exchange", body=self._payload(ts_ms, nonce), headers=JSON)

    # -- reading -----------------------------------------------------------------------------------------

    def answer(self, status: int, body: bytes, ts_recv: int) -> Sequence[OrderReport]:
        """Read the answer; one refusal for a whole batch holds for each of its parts."""
        try:
            told = answers.statuses(status, body)
        except VenueError as error:
            # whatever a 5xx means elsewhere, of an order it proves nothing: it may have been taken before
            if error.kind in (ErrorKind.UNANSWERED, ErrorKind.MALFORMED) or status >= 500:
                return self.unanswered(error.what, ts_recv)
            return self.refused(error, ts_recv)
        if len(told) == 1 and len(self.parts) > 1 and isinstance(told[0], wire.Status) and told[0].error:
            told = told * len(self.parts)
        out: list[OrderReport] = []
        for index, part in enumerate(self.parts):
            if index < len(told):
                out += self._part(part, told[index], ts_recv)
            else:
                out.append(_silence(part, "the answer does not speak of it", ts_recv))
        return out

    def _part(self, part: Part, told: wire.Status | str, ts_recv: int) -> Sequence[OrderReport]:
        error = told.error if isinstance(told, wire.Status) else None
        if error is not None:
            return self._refuse(part, error, answers.reason_of(error), ts_recv)
        own = self._desk.orders.get(part.order_id)
        if own is None:
            return [_silence(part, "the order is not known any more", ts_recv)]
        if isinstance(part, CancelOrder):
            return self._desk.orders.canceled(own, ts_recv)
        if isinstance(part, AmendOrder):
            return self._changed(own, part, told, ts_recv)
        return self._placed(own, told, ts_recv)

    def _placed(self, own: Own, told: wire.Status | str, ts_recv: int) -> Sequence[OrderReport]:
        orders = self._desk.orders
        oid = _oid(told)
        out = orders.accept(own, oid, ts_recv, ts_recv)
        out += self._desk.news.released(own, ts_recv)
        filled = told.filled if isinstance(told, wire.Status) else None
        if filled is not None and oid == own.oid:
            instrument = self._desk.symbols.instrument(own.instrument_id)
            lots = text.lots_of(instrument, filled.totalSz)
            if lots < own.lots:
                report = OrderExpired(
                    own.order_id, own.instrument_id, ts_recv, ts_recv, "partly filled at once"
                )
                out += orders.end(own, report, own.prior + lots, ts_recv)
        return out

    def _changed(
        self, own: Own, part: AmendOrder, told: wire.Status | str, ts_recv: int
    ) -> Sequence[OrderReport]:
        change, oid = own.changes.get(part.request), _oid(told) or own.oid
        if change is None:
            return []  # the account's stream was faster and has told it
        out = self._desk.orders.changed(own, oid, change, part.request, ts_recv, ts_recv)
        return [*out, *self._desk.news.released(own, ts_recv)]

    def refused(self, error: VenueError, ts_recv: int) -> Sequence[OrderReport]:
        """Turn a fault that proves the command never took effect into reports."""
        code = error.reason or error.kind.name
        return [report for part in self.parts for report in self._refuse(part, error.what, code, ts_recv)]

    def _refuse(self, part: Part, reason: str, code: str, ts_recv: int) -> Sequence[OrderReport]:
        orders = self._desk.orders
        own = orders.get(part.order_id)
        name = (part.order_id, part.instrument_id, ts_recv, ts_recv)
        if isinstance(part, CancelOrder):
            if own is not None:
                own.cancel_asked = False
            return [CancelRejected(*name, reason, part.request)]
        if isinstance(part, AmendOrder):
            later = [] if own is None else orders.unchanged(own, part.request, ts_recv)
            return [AmendRejected(*name, reason, part.request), *later]
        report = OrderRejected(*name, reason, code)
        return [report] if own is None else orders.end(own, report, own.filled, ts_recv)

    def unanswered(self, reason: str, ts_recv: int) -> Sequence[OrderReport]:
        """Turn silence into reports that say so."""
        return [_silence(part, reason, ts_recv) for part in self.parts]


def asked(orders: OwnOrders, parts: Sequence[Part], changes: Mapping[int, Change]) -> None:
    """Note what is about to be asked: cancels, and changes by the place of their command."""
    for index, part in enumerate(parts):
        own = orders.get(part.order_id)
        if own is None:
            continue
        if isinstance(part, CancelOrder):
            own.cancel_asked = True
        elif index in changes:
            assert isinstance(part, AmendOrder)
            own.changes[part.request] = changes[index]


def _oid(told: wire.Status | str) -> int:
    if isinstance(told, str):
        return 0
    if told.resting is not None:
        return told.resting.oid
    return told.filled.oid if told.filled is not None else 0


def _silence(part: Part, reason: str, ts_recv: int) -> OrderUnanswered:
    return OrderUnanswered(part.order_id, part.instrument_id, ts_recv, ts_recv, reason)


def _priority(parts: Sequence[Part]) -> Priority:
    """Return the most urgent rank of an action's parts."""
    return min(_rank(part) for part in parts)


def _rank(part: Part) -> Priority:
    if isinstance(part, CancelOrder):
        return Priority.CANCEL
    if isinstance(part, AmendOrder):
        return Priority.AMEND
    protects = part.reduce_only and (part.type in TRIGGERED_TYPES or part.type is OrderType.MARKET)
    return Priority.STOP if protects else Priority.NEW
