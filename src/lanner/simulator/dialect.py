"""The face between the server, which moves bytes, and a dialect, which gives them a venue's meaning.

Everything here is synchronous and takes the time as an argument. The server calls ``http``, ``ws_*`` and
``tick``; the exchange calls ``on_event``. A dialect answers requests with ``HttpResponse`` and pushes frames
with ``WsSession.send``; the ``Kind`` it names lets faults be aimed and keeps answers before their user events.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Protocol

import msgspec

from lanner.simulator.events import ExchangeEvent


class Kind(IntEnum):
    """What a response or frame is about. Faults name these in lower case (``kind=order``)."""

    OTHER = 0
    ORDER = 1
    """The answer to placing orders."""
    CANCEL = 2
    AMEND = 3
    READ = 4
    """The answer to a query."""
    USER = 5
    """A private event: held back until the answer that caused it is sent."""
    BOOK = 6
    """Book deltas."""
    SNAPSHOT = 7
    """A book snapshot, by request or stream."""
    TRADE = 8
    QUOTE = 9
    MARKET = 10
    """Other public data: candles, tickers, mark prices."""
    CONTROL = 11
    """Subscription answers, pongs, logons."""


class Refuse(IntEnum):
    """Answers that a fault makes up before the venue sees the request."""

    RATE_LIMITED = 429
    BANNED = 418
    SERVER_ERROR = 500
    UNAVAILABLE = 503
    MAINTENANCE = 504


class HttpRequest(msgspec.Struct, kw_only=True, gc=False):
    """A request as it came. ``query`` and ``body`` are raw, because signatures cover the raw text."""

    method: str
    path: str
    """Percent-decoded path without query."""
    query: str = ""
    headers: dict[str, str] = {}
    """Names in lower case."""
    body: bytes = b""
    remote: str = ""
    """The client's address without port: the unit of IP limits."""
    now_ns: int = 0
    """The venue's time (skewed by faults)."""


class HttpResponse(msgspec.Struct, kw_only=True, gc=False):
    """An answer; ``kind`` tells faults what it is."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = {}
    content_type: str = "application/json"
    kind: Kind = Kind.OTHER


class WsSession(Protocol):
    """One WebSocket connection, made by the server. ``state`` belongs to the dialect."""

    session_id: int
    remote: str
    state: Any

    def send(self, payload: bytes, kind: Kind = Kind.OTHER) -> None:
        """Queue a text frame. USER frames wait until the call that is being handled has been answered."""
        ...

    def ping(self, payload: bytes = b"") -> None:
        """Send a ping frame."""
        ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a code after what is queued has been sent; 1006 drops the TCP connection."""
        ...


class Dialect(Protocol):
    """One venue's protocol over one ``Exchange``.

    ``lanner.simulator.registry`` names the function ``make(exchange, options, seed)`` of each; the server gives it a
    port of its own, HTTP and WebSocket together, with the root path, and calls ``exchange.listen(on_event)``.
    """

    name: str
    """``binance-spot``, ``binance-usdm`` or ``hyperliquid``."""

    def http(self, request: HttpRequest) -> HttpResponse:
        """Answer a request. Must not raise for bad input."""
        ...

    def ws_opened(self, session: WsSession, path: str, query: str) -> bool:
        """Greet a connection; ``False`` refuses it (the server answers 404 to the upgrade)."""
        ...

    def ws_frame(self, session: WsSession, payload: bytes, now_ns: int) -> None:
        """Take one text or binary frame. Must not raise for bad input."""
        ...

    def ws_pong(self, session: WsSession, payload: bytes, now_ns: int) -> None:
        """Take a pong."""
        ...

    def ws_closed(self, session: WsSession, now_ns: int) -> None:
        """Forget a connection."""
        ...

    def on_event(self, event: ExchangeEvent) -> None:
        """Take one event of the exchange; must not call the exchange's verbs."""
        ...

    def tick(self, now_ns: int) -> None:
        """Do what is due: throttled streams, pings, candles, listen keys. Called about every 5 ms."""
        ...

    def refuse(self, what: Refuse, request: HttpRequest | None, retry_after_s: int) -> HttpResponse:
        """Word a refusal that a fault asked for in the venue's own form (body, headers such as Retry-After)."""
        ...

    def ws_refuse(self, session: WsSession, what: Refuse, payload: bytes, retry_after_s: int) -> None:
        """Answer a WebSocket request in the venue's words without obeying it."""
        ...

    def command(self, name: str, arguments: dict[str, str], now_ns: int) -> bool:
        """Obey a fault that only a dialect can act out, ``False`` when it does not know it.

        Names: ``listen-key-expiry`` (account=…), ``stale-snapshot`` (by=… updates, count=…), ``sequence-gap``
        (market=…, count=…), ``maintenance`` (on=true|false).
        """
        ...
