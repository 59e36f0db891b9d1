"""The WebSocket API: the operations of REST as ``{"id","method","params"}``, and sessions that log on once."""

from __future__ import annotations

from typing import Any

import msgspec

from lanner.simulator.accounts import Account, ApiKey
from lanner.simulator.dialect import Kind, Refuse, WsSession
from lanner.simulator.dialects.binance import errors
from lanner.simulator.dialects.binance.auth import check_time, socket_signed
from lanner.simulator.dialects.binance.calls import Call, Operation, Security, cost
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.dialects.binance.params import Params, as_text
from lanner.simulator.dialects.binance.venue import Venue, encode

MOST_CONTROL_FRAMES = 5
_decode = msgspec.json.Decoder().decode


class ApiSession:
    """A connection to the WebSocket API: who logged on, and which accounts' events it hears."""

    __slots__ = (
        "account",
        "authorized_ns",
        "key",
        "micro",
        "next_subscription",
        "opened_ns",
        "session",
        "session_users",
        "show_limits",
        "users",
    )

    def __init__(self, session: WsSession, now_ns: int, *, show_limits: bool, micro: bool) -> None:
        self.session = session
        self.opened_ns = now_ns
        self.show_limits = show_limits
        self.micro = micro
        self.account: Account | None = None
        self.key: ApiKey | None = None
        self.authorized_ns = 0
        self.users: dict[int, str] = {}
        """Account ids by subscription id."""
        self.session_users: set[int] = set()
        self.next_subscription = 0

    def logon(self, account: Account | None, key: ApiKey | None, now_ns: int) -> None:
        """Remember (or with ``None`` forget) who logged on."""
        self.account, self.key, self.authorized_ns = account, key, now_ns

    def subscribe(self, account_id: str, *, by_session: bool = False) -> int:
        """Hear an account's events; return the subscription's id. One by the session ends with its logon."""
        number = self.next_subscription
        self.next_subscription += 1
        self.users[number] = account_id
        if by_session:
            self.session_users.add(number)
        return number

    def logout(self) -> None:
        """Forget who logged on, and what was subscribed by that."""
        self.logon(None, None, 0)
        for number in self.session_users:
            self.users.pop(number, None)
        self.session_users.clear()


class WebSocketApi:
    """Serve the operations of a venue over WebSocket."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.sessions: dict[int, ApiSession] = {}

    def opened(
        self, session: WsSession, pairs: list[tuple[str, str]], now_ns: int, handshake_weight: int
    ) -> ApiSession:
        """Greet a connection; the URL may ask for microseconds and hide the limits."""
        found = dict(pairs)
        unit = found.get("timeUnit", "").upper()
        state = ApiSession(
            session,
            now_ns,
            show_limits=found.get("returnRateLimits", "true").lower() != "false",
            micro=self._venue.hears_unit and unit == "MICROSECOND",
        )
        self._venue.limits.spend(session.remote, handshake_weight, now_ns)
        self.sessions[session.session_id] = state
        return state

    def closed(self, session: WsSession) -> None:
        """Forget a connection."""
        self.sessions.pop(session.session_id, None)

    def frame(self, state: ApiSession, payload: bytes, now_ns: int) -> None:
        """Serve one request."""
        request_id: Any = None
        call: Call | None = None
        operation: Operation | None = None
        status, key, found = 200, "result", None
        params: dict[str, Any] = {}
        try:
            request_id, method, params = self._read(payload)
            operation = self._venue.operations.ws.get(method)
            if operation is None:
                raise ApiError(-1020, "This operation is not supported.")
            call = self._call(state, operation, params, now_ns)
            found = operation.handler(call)
            if self._venue.strict and operation.kind in (Kind.READ, Kind.SNAPSHOT):
                call.params.refuse_unread()
        except ApiError as refusal:
            status, key, found = refusal.status, "error", refusal.body()
        answer = {"id": request_id, "status": status, key: found}
        if self._shows_limits(state, params):
            answer["rateLimits"] = self._limits(state, call, now_ns)
        kind = Kind.OTHER if operation is None else operation.kind
        state.session.send(encode(answer), kind)
        if status == 418:
            state.session.close(1008, "IP banned")

    @staticmethod
    def _read(payload: bytes) -> tuple[Any, str, dict[str, Any]]:
        try:
            request = _decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ApiError(-1135, "Invalid JSON Request") from None
        if not isinstance(request, dict):
            raise ApiError(-1135, "Invalid JSON Request")
        request_id = request.get("id")
        if (
            "id" not in request
            or isinstance(request_id, bool)
            or not isinstance(request_id, int | str | None)
        ):
            raise errors.missing("id")
        method = request.get("method")
        if not isinstance(method, str) or not method:
            raise errors.missing("method")
        params = request.get("params")
        if params is not None and not isinstance(params, dict):
            raise ApiError(-1135, "Invalid 'params' in JSON request; expected an object.")
        return request_id, method.removeprefix("v3/").removeprefix("v1/"), params or {}

    def _call(self, state: ApiSession, operation: Operation, raw: dict[str, Any], now_ns: int) -> Call:
        venue = self._venue
        params = Params.from_json(raw, client_id_rule=venue.client_id_rule)
        weight = operation.weight if operation.ws_weight is None else operation.ws_weight
        venue.limits.spend(state.session.remote, cost(weight, params), now_ns)
        call = Call(params, now_ns, state.session.remote, micro=state.micro)
        call.session = state
        if operation.security != Security.NONE:
            self._authorize(state, operation, raw, call)
        if venue.maintenance and operation.kind != Kind.CONTROL:
            raise ApiError(-1016, "This service is no longer available.", status=503)
        return call

    def _authorize(self, state: ApiSession, operation: Operation, raw: dict[str, Any], call: Call) -> None:
        venue = self._venue
        api_key = raw.get("apiKey")
        if api_key is None and state.key is not None and state.account is not None:
            self._by_session(state, operation, raw, call)
            return
        if not isinstance(api_key, str) or not api_key:
            raise errors.missing("apiKey")
        key = venue.admit(call, operation, api_key)
        if operation.security != Security.SIGNED:
            return
        signature = raw.get("signature")
        if not isinstance(signature, str) or not signature:
            raise errors.missing("signature")
        check_time(_plain(raw, "timestamp"), _plain(raw, "recvWindow"), call.now_ns)
        if not socket_signed(venue.verifier(key), raw, signature):
            raise errors.bad_signature()

    def _by_session(self, state: ApiSession, operation: Operation, raw: dict[str, Any], call: Call) -> None:
        """Let the session's key answer for a request; a key that was revoked ends the logon."""
        if state.key is None or state.account is None:
            raise errors.missing("apiKey")
        try:
            self._venue.admit(call, operation, state.key.key)
        except ApiError:
            if state.key.revoked:
                state.logout()
                lost = {"id": None, "status": 401, "error": errors.bad_key().body()}
                state.session.send(encode(lost), Kind.CONTROL)
            raise
        if operation.security == Security.SIGNED:
            check_time(_plain(raw, "timestamp"), _plain(raw, "recvWindow"), call.now_ns)

    @staticmethod
    def _shows_limits(state: ApiSession, params: dict[str, Any]) -> bool:
        wanted = params.get("returnRateLimits")
        return wanted if isinstance(wanted, bool) else state.show_limits

    def _limits(self, state: ApiSession, call: Call | None, now_ns: int) -> list[dict[str, Any]]:
        limits = self._venue.limits
        rows: list[dict[str, Any]] = []
        if call is not None and call.order_count:
            rows.extend(limits.order_rows(call.account.account_id, now_ns))
        rows.append(limits.weight_row(state.session.remote, now_ns))
        return rows

    def refuse(
        self, state: ApiSession, what: Refuse, payload: bytes, retry_after_s: int, now_ns: int
    ) -> None:
        """Word a refusal that a fault asked for."""
        try:
            request_id = self._read(payload)[0]
        except ApiError:
            request_id = None
        refusal = self._venue.refusal_of(what, retry_after_s, now_ns)
        answer = {"id": request_id, "status": refusal.status, "error": refusal.body()}
        state.session.send(encode(answer), Kind.OTHER)
        if what == Refuse.BANNED:
            state.session.close(1008, "IP banned")

    # -- sessions as operations ---------------------------------------------------------------------

    def session_operations(self) -> list[Operation]:
        """Return the operations about the connection itself."""
        return [
            Operation(
                self._logon, ws=("session.logon",), weight=2, security=Security.SIGNED, kind=Kind.CONTROL
            ),
            Operation(self._status, ws=("session.status",), weight=2, kind=Kind.CONTROL),
            Operation(self._logout, ws=("session.logout",), weight=2, kind=Kind.CONTROL),
        ]

    def _logon(self, call: Call) -> dict[str, Any]:
        state: ApiSession = call.session
        if call.key is None or not self._venue.verifier(call.key).is_ed25519:
            raise ApiError(-4056, "Unsupported API key type. Only Ed25519 keys are supported.")
        state.logon(call.account, call.key, call.now_ns)
        return self._about(state, call)

    def _status(self, call: Call) -> dict[str, Any]:
        return self._about(call.session, call)

    def _logout(self, call: Call) -> dict[str, Any]:
        state: ApiSession = call.session
        state.logout()
        return self._about(state, call)

    def _about(self, state: ApiSession, call: Call) -> dict[str, Any]:
        found: dict[str, Any] = {
            "apiKey": None if state.key is None else state.key.key,
            "authorizedSince": call.time(state.authorized_ns) if state.authorized_ns else None,
            "connectedSince": call.time(state.opened_ns),
            "returnRateLimits": state.show_limits,
            "serverTime": call.time(call.now_ns),
        }
        if self._venue.spot:
            found["userDataStream"] = bool(state.users)
        return found


def _plain(raw: dict[str, Any], name: str) -> str:
    value = raw.get(name)
    return "" if value is None else as_text(value)
