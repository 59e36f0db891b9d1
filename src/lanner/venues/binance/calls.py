"""A command on its way: written for the order socket or for HTTP, its answer read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from lanner.model.commands import AmendOrder, CancelOrder, SubmitOrder
from lanner.model.reports import (
    AmendRejected,
    CancelRejected,
    OrderRejected,
    OrderReport,
    OrderUnanswered,
)
from lanner.net.ratelimit import Priority
from lanner.venues.binance.auth import Signer
from lanner.venues.binance.codes import ErrorBody, error_of, fault_of
from lanner.venues.binance.orders import Wire
from lanner.venues.binance.wire_orders import Reply, Used, Wait
from lanner.venues.codec import HttpRequest
from lanner.venues.errors import ErrorKind, Reason, VenueError

Order = SubmitOrder | CancelOrder | AmendOrder
Read = Callable[[bytes, int], Sequence[OrderReport]]
"""Reads a success: the result, the receive stamp."""
ReadError = Callable[[ErrorBody, int], Sequence[OrderReport] | None]
"""Reads a refusal that tells more than its code; None leaves it to the usual reading."""

_reply = msgspec.json.Decoder(Reply, strict=False).decode
_used = msgspec.json.Decoder(list[Used], strict=False).decode
_wait = msgspec.json.Decoder(Wait, strict=False).decode
_UNTOLD: Mapping[str, int] = {}

BUCKETS = {
    ("REQUEST_WEIGHT", "MINUTE", 1): "weight",
    ("ORDERS", "SECOND", 10): "orders_10s",
    ("ORDERS", "MINUTE", 1): "orders_1m",
    ("ORDERS", "DAY", 1): "orders_1d",
}
"""Our name for each limit of which the order socket's answers tell."""


@dataclass(slots=True)
class BinanceOrderCall:
    """One request about one or several orders; see ``lanner.venues.codec.OrderCall``."""

    request_id: str
    name: str
    costs: Mapping[str, int]
    priority: Priority
    commands: tuple[Order, ...]
    wire: Wire
    signer: Signer
    read: Read
    read_error: ReadError | None = None
    order_ids: tuple[str, ...] = ()
    used: Mapping[str, int] = field(default_factory=dict)
    silent_until_ms: int = 0

    def __post_init__(self) -> None:
        self.order_ids = tuple([command.order_id for command in self.commands])

    def frame(self, ts_ms: int, nonce: int) -> bytes:
        """Write the command for the order socket; ``VenueError`` where the venue takes it over HTTP only."""
        wire, signer = self.wire, self.signer
        if not wire.socket:
            raise VenueError(
                ErrorKind.REJECTED, f"{self.name} goes over HTTP only", reason=Reason.UNSUPPORTED
            )
        if signer.logs_on:
            return signer.stamped(self.request_id, wire.socket, wire.params, ts_ms)
        return signer.frame(self.request_id, wire.socket, wire.params, ts_ms)

    def request(self, ts_ms: int, nonce: int) -> HttpRequest:
        """Write the command for HTTP."""
        return self.signer.signed(self.wire.method, self.wire.path, self.wire.params, ts_ms)

    def answer(self, status: int, body: bytes, ts_recv: int) -> Sequence[OrderReport]:
        """Read the answer; one that proves nothing is ``OrderUnanswered``."""
        try:
            result, refusal_told, code = self._parts(status, body)
            if refusal_told is None:
                return self.read(result, ts_recv)
            told = None if self.read_error is None else self.read_error(refusal_told, ts_recv)
            if told is not None:
                return told
            return self._judged(fault_of(code, refusal_told.code, refusal_told.msg), ts_recv)
        except (VenueError, msgspec.MsgspecError, ValueError, ArithmeticError) as error:
            return self.unanswered(f"the answer cannot be understood: {error}"[:300], ts_recv)

    def _parts(self, status: int, body: bytes) -> tuple[bytes, ErrorBody | None, int]:
        """Take an answer apart: result, error (or None), status; note what it tells of limits."""
        if status:
            told = error_of(body) if status >= 400 or body[:1] == b"{" else None
            if status >= 400 and told is None:
                return b"", ErrorBody(0, body[:200].decode(errors="replace")), status
            return body, told, status
        reply = _reply(body)
        self.used = _use_of(reply.rateLimits)
        raw = bytes(reply.error)
        if raw and raw != b"null":
            error = error_of(raw) or ErrorBody(0, raw[:200].decode(errors="replace"))
            if reply.status not in (418, 429):
                return b"", error, 0 if reply.status < 500 else reply.status
            self.silent_until_ms = _silence_of(error.data)
            return b"", error, reply.status
        if reply.status >= 400 or not bytes(reply.result):
            return b"", ErrorBody(0, "an answer without a result"), max(reply.status, 500)
        return bytes(reply.result), None, reply.status

    def _judged(self, fault: VenueError, ts_recv: int) -> Sequence[OrderReport]:
        """Report a refusal. That an id is taken proves that the order is there, so it is no refusal."""
        if fault.kind in (ErrorKind.UNANSWERED, ErrorKind.MALFORMED):
            return self.unanswered(f"{fault.what} ({fault.code})", ts_recv)
        if fault.reason == Reason.DUPLICATE_ID:
            return self.unanswered("the venue has an order of this id already", ts_recv)
        return self.refused(fault, ts_recv)

    def refused(self, error: VenueError, ts_recv: int) -> Sequence[OrderReport]:
        """Turn a fault that proves the command never took effect into reports."""
        return [refusal(command, error, ts_recv) for command in self.commands]

    def unanswered(self, reason: str, ts_recv: int) -> Sequence[OrderReport]:
        """Turn silence into reports that say so."""
        return [
            OrderUnanswered(command.order_id, command.instrument_id, ts_recv, ts_recv, reason)
            for command in self.commands
        ]


def _use_of(limits: msgspec.Raw) -> Mapping[str, int]:
    """Return by our buckets how much the venue says is used; what is said oddly spoils no answer."""
    try:
        return {
            name: one.count
            for one in _used(limits)
            if (name := BUCKETS.get((one.rateLimitType, one.interval, one.intervalNum)))
        }
    except msgspec.MsgspecError:
        return _UNTOLD


def _silence_of(data: msgspec.Raw) -> int:
    """Return until when (ms) the venue wants no requests, 0 where it does not say."""
    try:
        return _wait(data).retryAfter
    except msgspec.MsgspecError:
        return 0


def refusal(command: Order, error: VenueError, ts_recv: int) -> OrderReport:
    """Report that a command was refused."""
    reason = f"{error.what} ({error.code})" if error.code else error.what
    name = (command.order_id, command.instrument_id, ts_recv, ts_recv, reason)
    if isinstance(command, CancelOrder):
        return CancelRejected(*name, command.request)
    if isinstance(command, AmendOrder):
        return AmendRejected(*name, command.request)
    return OrderRejected(*name, error.reason or error.kind.name)
