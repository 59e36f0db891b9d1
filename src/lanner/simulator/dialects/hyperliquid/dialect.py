"""The dialect: HTTP and WebSocket of Hyperliquid over one exchange."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lanner.core.errors import ConfigError
from lanner.simulator.dialect import HttpRequest, HttpResponse, Kind, Refuse, WsSession
from lanner.simulator.dialects.hyperliquid import spec
from lanner.simulator.dialects.hyperliquid.endpoint import KINDS, Endpoint, UnreadableError, read
from lanner.simulator.dialects.hyperliquid.info_market import BadRequestError, MarketInfo, UnknownThingError
from lanner.simulator.dialects.hyperliquid.info_user import UserInfo
from lanner.simulator.dialects.hyperliquid.limits import (
    LOOPBACK,
    Visitor,
    Visitors,
    action_weight,
    answer_weight,
    info_weight,
)
from lanner.simulator.dialects.hyperliquid.orders import Desk
from lanner.simulator.dialects.hyperliquid.portfolio import sample
from lanner.simulator.dialects.hyperliquid.records import Records
from lanner.simulator.dialects.hyperliquid.sockets import Sockets
from lanner.simulator.dialects.hyperliquid.streams import Streams
from lanner.simulator.dialects.hyperliquid.topics import Contents
from lanner.simulator.dialects.hyperliquid.transfers import Office
from lanner.simulator.dialects.hyperliquid.twap import Twaps
from lanner.simulator.dialects.hyperliquid.venue import Options, Venue, dumps
from lanner.simulator.events import ExchangeEvent
from lanner.simulator.exchange import Exchange

SAMPLE_NS = 60 * spec.SECOND
_TEXT = "text/plain; charset=utf-8"


class HyperliquidDialect:
    """Speaks ``/info``, ``/exchange`` and ``/ws``."""

    name = "hyperliquid"

    def __init__(self, exchange: Exchange, options: Options | None = None) -> None:
        self.venue = Venue(exchange, options or Options())
        venue = self.venue
        self._streams = Streams(venue)
        self._records = Records(venue, self._streams)
        self._desk = Desk(venue, self._records.refused)
        self._twaps = Twaps(venue, self._streams.twap_step)
        office = Office(venue, self._records, self._desk)
        self._endpoint = Endpoint(venue, self._desk, office, self._twaps)
        market = MarketInfo(venue, self._records)
        user = UserInfo(venue, self._desk, market, self._twaps)
        self._handlers = {**market.handlers, **user.handlers}
        self._streams.show(Contents(venue, market, user, self._twaps))
        self._visitors = Visitors(venue.options.limits)
        self._sockets = Sockets(venue, self._streams, market, self._visitors, self._answer)
        self._maintenance = False
        self._stale: dict[str, tuple[int, bytes]] = {}
        self._stale_by = 0
        self._next_sample = 0

    # -- HTTP -----------------------------------------------------------------------------------------------

    def http(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        self.venue.move_clock(request.now_ns)
        path = request.path.rstrip("/")
        if request.method == "OPTIONS":
            return HttpResponse(body=b"", headers=_CORS)
        if path not in ("/info", "/exchange"):
            return HttpResponse(status=404, body=b"", content_type=_TEXT)
        if request.method != "POST":
            return HttpResponse(status=405, body=b"", headers={"allow": "POST"}, content_type=_TEXT)
        visitor = self._visitors.of(_visitor(request))
        if self._visitors.on and not visitor.weight.take(self._weight(path, request.body), request.now_ns):
            return HttpResponse(status=429, body=b"null")
        answer = self._answer(path, request.body)
        answer.headers = {**_CORS, **answer.headers}
        if path == "/info" and self._visitors.on:
            self._charge_length(visitor, request, answer)
        return answer

    @staticmethod
    def _weight(path: str, body: bytes) -> int:
        try:
            found = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return 1
        if not isinstance(found, dict):
            return 1
        if path == "/info":
            return info_weight(str(found.get("type")))
        action = found.get("action")
        if not isinstance(action, dict):
            return 1
        batches = (action.get(name) for name in ("orders", "cancels", "modifies"))
        return action_weight(max((len(one) for one in batches if isinstance(one, list)), default=0))

    @staticmethod
    def _charge_length(visitor: Visitor, request: HttpRequest, answer: HttpResponse) -> None:
        if answer.status != 200 or len(answer.body) < 1_000:
            return
        kind = str(msgspec.json.decode(request.body)["type"])
        more = answer_weight(kind, msgspec.json.decode(answer.body))
        visitor.weight.charge(more, request.now_ns)

    def _answer(self, path: str, body: bytes) -> HttpResponse:
        """Answer without counting; posts over the socket come here too."""
        return self._info(body) if path == "/info" else self._exchange(body)

    def _info(self, body: bytes) -> HttpResponse:
        try:
            request = msgspec.json.decode(body, type=dict[str, Any])
            handler = self._handlers.get(request.get("type", ""))
            if handler is None:
                raise BadRequestError("type")
            answer = dumps(handler(request))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BadRequestError, TypeError):
            return _unreadable()
        except UnknownThingError:
            return HttpResponse(status=500, body=b"null")
        if request["type"] == "l2Book":
            return HttpResponse(body=self._maybe_stale(str(request["coin"]), answer), kind=Kind.SNAPSHOT)
        return HttpResponse(body=answer, kind=Kind.READ)

    def _exchange(self, body: bytes) -> HttpResponse:
        if self._maintenance:
            return HttpResponse(body=dumps({"status": "err", "response": spec.HALTED}))
        try:
            signed = read(body)
        except UnreadableError:
            return _unreadable()
        kind = KINDS.get(signed.kind, Kind.OTHER)
        return HttpResponse(body=dumps(self._endpoint.handle(signed)), kind=kind)

    def _maybe_stale(self, coin: str, answer: bytes) -> bytes:
        """Answer with an older book while that fault is on."""
        if self._stale_by > 0 and coin in self._stale:
            self._stale_by -= 1
            return self._stale[coin][1]
        self._stale[coin] = (self.venue.now_ns, answer)
        return answer

    # -- WebSocket ------------------------------------------------------------------------------------------

    def ws_opened(self, session: WsSession, path: str, query: str) -> bool:
        """Greet a connection."""
        return self._sockets.opened(session, path)

    def ws_frame(self, session: WsSession, payload: bytes, now_ns: int) -> None:
        """Take one frame."""
        self.venue.move_clock(now_ns)
        self._sockets.frame(session, payload)

    def ws_pong(self, session: WsSession, payload: bytes, now_ns: int) -> None:
        """Take a pong frame; the venue sends no pings."""

    def ws_closed(self, session: WsSession, now_ns: int) -> None:
        """Forget a connection."""
        self._sockets.closed(session)

    # -- the exchange and time ------------------------------------------------------------------------------

    def on_event(self, event: ExchangeEvent) -> None:
        """Take one event of the exchange."""
        self.venue.move_clock(event.ts_ns)
        self._records.on_event(event)

    def tick(self, now_ns: int) -> None:
        """Close the block, trade TWAP slices, close idle connections."""
        self.venue.move_clock(now_ns)
        self._twaps.tick()
        self.venue.pay_charges()
        self._streams.tick()
        self._sockets.tick()
        if abs(now_ns - self._next_sample) >= SAMPLE_NS or now_ns >= self._next_sample:
            self._next_sample = now_ns + SAMPLE_NS
            for user in self.venue.users.all():
                sample(self.venue, user)

    # -- faults ---------------------------------------------------------------------------------------------

    def refuse(self, what: Refuse, request: HttpRequest | None, retry_after_s: int) -> HttpResponse:
        """Word a refusal as the venue and the proxy before it do."""
        headers = {"retry-after": str(retry_after_s)} if retry_after_s else {}
        if what is Refuse.RATE_LIMITED:
            return HttpResponse(status=429, body=b"null", headers=headers)
        status = {Refuse.BANNED: 403, Refuse.SERVER_ERROR: 500, Refuse.MAINTENANCE: 502}.get(what, 503)
        words = {403: "403 Forbidden", 500: "Internal Server Error", 502: "502 Bad Gateway"}
        text = words.get(status, "503 Service Unavailable")
        return HttpResponse(status=status, body=text.encode(), headers=headers, content_type=_TEXT)

    def ws_refuse(self, session: WsSession, what: Refuse, payload: bytes, retry_after_s: int) -> None:
        """Answer a post or subscription with an error."""
        refusal = self.refuse(what, None, retry_after_s)
        self._sockets.refuse(session, payload, refusal)

    def command(self, name: str, arguments: dict[str, str], now_ns: int) -> bool:
        """Obey a fault that only the dialect can act out."""
        self.venue.move_clock(now_ns)
        if name == "maintenance":
            self._maintenance = arguments.get("on", "true") == "true"
            return True
        if name == "stale-snapshot":
            count = int(arguments.get("count", "1"))
            self._stale_by = self._streams.frozen = count
            return True
        return False


_CORS = {"access-control-allow-origin": "*", "vary": "origin"}


def _visitor(request: HttpRequest) -> str:
    """Return whose budget a request uses: an address, on loopback the program there.

    Programs on one machine would share one budget here that stand on machines of their own elsewhere.
    """
    if request.remote in LOOPBACK:
        return f"{request.remote} {request.headers.get('user-agent', '')}"
    return request.remote


def _unreadable() -> HttpResponse:
    return HttpResponse(status=422, body=spec.BAD_JSON.encode(), content_type=_TEXT)


def make(exchange: Exchange, options: Mapping[str, str], seed: int = 0) -> HyperliquidDialect:  # noqa: ARG001
    """Make the dialect from options given as text. An unknown or unusable one raises ``ConfigError``."""
    try:
        chosen = msgspec.convert(dict(options), Options, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError("hyperliquid: an option cannot be used", found=str(error)) from error
    unknown = set(options) - set(Options.__struct_fields__)
    if unknown or chosen.chain not in ("any", "mainnet", "testnet"):
        raise ConfigError(
            "hyperliquid: an option is not known",
            expected=", ".join(Options.__struct_fields__),
            found=", ".join(sorted(unknown)) or f"chain={chosen.chain}",
        )
    return HyperliquidDialect(exchange, chosen)
