"""What the two Binance products share: HTTP in and out, WebSocket sessions, keys, limits and clocks.

A product (``spot.SpotDialect``, ``usdm.UsdmDialect``) adds its operations, the words for the exchange's refusals,
and the frames of its streams.
"""

from __future__ import annotations

import msgspec

from lanner.simulator.accounts import Account, ApiKey, KeyKind
from lanner.simulator.dialect import HttpRequest, HttpResponse, Kind, Refuse
from lanner.simulator.dialects.binance import errors
from lanner.simulator.dialects.binance.auth import Verifier, check_time, looks_like_key
from lanner.simulator.dialects.binance.calls import Call, Operation, Operations, Security, cost
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.dialects.binance.ids import Ids
from lanner.simulator.dialects.binance.limits import Limits
from lanner.simulator.dialects.binance.params import SPOT_CLIENT_ID, Params, split_pairs, without_signature
from lanner.simulator.exchange import Exchange
from lanner.simulator.markets import Market

encode = msgspec.json.Encoder().encode
UNITS = {"": False, "MILLISECOND": False, "millisecond": False, "MICROSECOND": True, "microsecond": True}


def wants_micro(unit: str) -> bool:
    """Tell whether times are wanted in microseconds; an unknown unit is refused."""
    found = UNITS.get(unit)
    if found is None:
        raise ApiError(-1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.")
    return found


class Venue:
    """One product over one exchange: its markets, keys, limits, ids and operations."""

    client_id_rule = SPOT_CLIENT_ID
    trade_permission = "spot"
    hears_unit = True
    """Whether clients may ask for microseconds."""
    strict = True
    """Whether parameters that nobody reads are refused."""

    def __init__(self, exchange: Exchange, limits: Limits, *, spot: bool, seed: int = 0) -> None:
        self.exchange = exchange
        self.limits = limits
        self.spot = spot
        self.ids = Ids(seed)
        self.operations = Operations()
        self._verifiers: dict[tuple[str, bytes], Verifier] = {}
        self.maintenance = False

    # -- markets ----------------------------------------------------------------------------------

    @property
    def markets(self) -> list[Market]:
        """Return the product's markets."""
        return [market for market in self.exchange.markets.values() if market.is_spot == self.spot]

    def market(self, symbol: str) -> Market:
        """Return a market of the product by its symbol."""
        found = self.exchange.markets.get(symbol)
        if found is None or found.is_spot != self.spot:
            raise errors.bad_symbol()
        return found

    # -- who is it ---------------------------------------------------------------------------------

    def find_key(self, api_key: str) -> tuple[Account, ApiKey]:
        """Return the account and the key behind an API key."""
        if not looks_like_key(api_key):
            raise errors.bad_key_format()
        found = self.exchange.account_by_key(api_key)
        if found is None or found[1].revoked:
            raise errors.bad_key()
        return found

    def verifier(self, key: ApiKey) -> Verifier:
        """Return what checks a key's signatures."""
        name = (key.key, key.verify_with)
        found = self._verifiers.get(name)
        if found is None:
            text = key.verify_with.decode()
            found = Verifier(secret=text) if key.kind == KeyKind.HMAC else Verifier(public_pem=text)
            self._verifiers[name] = found
        return found

    def admit(self, call: Call, operation: Operation, api_key: str) -> ApiKey:
        """Find who calls and whether the key may do this."""
        account, key = self.find_key(api_key)
        if operation.permission == "trade":
            if not key.allows(self.trade_permission):
                raise errors.bad_key()
        elif not key.allows("read"):
            raise errors.bad_key()
        call.sign_in(account, key)
        return key

    # -- HTTP ------------------------------------------------------------------------------------------

    def http(self, request: HttpRequest) -> HttpResponse:
        """Answer an HTTP request."""
        path = request.path.rstrip("/") or "/"
        operation = self.operations.rest.get((request.method, path))
        try:
            if operation is None:
                raise ApiError(-5000, f"Path {path}, Method {request.method} is invalid", status=404)
            return self._serve(request, operation)
        except ApiError as refusal:
            return self._refusal(refusal, request, Kind.OTHER if operation is None else operation.kind)

    def _serve(self, request: HttpRequest, operation: Operation) -> HttpResponse:
        query, signature = without_signature(request.query)
        body, signature_in_body = without_signature(request.body.decode("utf-8", "replace"))
        params = Params.from_pairs(split_pairs(query) + split_pairs(body), client_id_rule=self.client_id_rule)
        self.limits.spend(request.remote, cost(operation.weight, params), request.now_ns)
        micro = self.hears_unit and wants_micro(request.headers.get("x-mbx-time-unit", ""))
        call = Call(params, request.now_ns, request.remote, micro=micro)
        if operation.security != Security.NONE:
            key = self.admit(call, operation, request.headers.get("x-mbx-apikey", ""))
            if operation.security == Security.SIGNED:
                given = signature if signature is not None else signature_in_body
                if not given:
                    raise errors.missing("signature")
                check_time(params.text("timestamp"), params.text("recvWindow"), request.now_ns)
                if not self.verifier(key).fits((query + body).encode(), given):
                    raise errors.bad_signature()
        if self.maintenance and operation.kind != Kind.OTHER:
            raise ApiError(-1016, "This service is no longer available.", status=503)
        found = operation.handler(call)
        if self.strict and operation.kind in (Kind.READ, Kind.SNAPSHOT):
            params.refuse_unread()
        headers = self._weight_headers(request)
        headers.update(call.headers)
        if call.order_count:
            headers.update(self.limits.order_headers(call.account.account_id, request.now_ns))
        return HttpResponse(body=encode(found), headers=headers, kind=operation.kind)

    def _weight_headers(self, request: HttpRequest) -> dict[str, str]:
        used = str(self.limits.used(request.remote, request.now_ns))
        return {"X-MBX-USED-WEIGHT": used, f"X-MBX-USED-WEIGHT-{self.limits.weight_limit.suffix}": used}

    def _refusal(self, refusal: ApiError, request: HttpRequest, kind: Kind) -> HttpResponse:
        headers = self._weight_headers(request)
        if refusal.retry_after is not None:
            headers["Retry-After"] = str(refusal.retry_after)
        body = refusal.body()
        if refusal.status in (418, 429):
            body.pop("data", None)
        return HttpResponse(status=refusal.status, body=encode(body), headers=headers, kind=kind)

    def refusal_of(self, what: Refuse, retry_after_s: int, now_ns: int) -> ApiError:
        """Word a refusal that a fault asked for."""
        if what == Refuse.RATE_LIMITED:
            return self.limits.too_much(now_ns, retry_after_s)
        if what == Refuse.BANNED:
            return self.limits.banned(now_ns, now_ns + retry_after_s * 10**9)
        if what == Refuse.SERVER_ERROR:
            return ApiError(-1000, "An unknown error occurred while processing the request.", status=500)
        if what == Refuse.UNAVAILABLE:
            return ApiError(
                -1007,
                "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
                status=503,
            )
        return ApiError(-1016, "This service is no longer available.", status=503)

    def refuse(self, what: Refuse, request: HttpRequest | None, retry_after_s: int) -> HttpResponse:
        """Word a refusal that a fault asked for, as an HTTP answer."""
        now_ns = self.exchange.now_ns if request is None else request.now_ns
        refusal = self.refusal_of(what, retry_after_s, now_ns)
        return self._refusal(
            refusal, request or HttpRequest(method="GET", path="/", now_ns=now_ns), Kind.OTHER
        )
