"""The face to the server: connections of both kinds, their pings, events and time handed on to the product."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lanner.core.errors import ConfigError
from lanner.simulator.dialect import HttpRequest, HttpResponse, Kind, Refuse, WsSession
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.dialects.binance.params import split_pairs
from lanner.simulator.dialects.binance.publisher import Frames, Publisher
from lanner.simulator.dialects.binance.streams import Control, ControlError, Feed, Feeds, Listener
from lanner.simulator.dialects.binance.venue import Venue
from lanner.simulator.dialects.binance.wsapi import ApiSession, WebSocketApi
from lanner.simulator.events import BookChanged, ExchangeEvent, PublicTrade

SECOND = 10**9
DAY = 86_400 * SECOND
LOOK_NS = SECOND // 5
"""How often connections are looked after."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """How the venue keeps connections alive."""

    ping_ns: int
    pong_within_ns: int
    messages_per_s: int
    handshake_weight: int
    """Weight of opening a connection to the WebSocket API."""


class Connection:
    """What the dialect knows of a connection."""

    __slots__ = ("api", "listener", "next_ping_ns", "opened_ns", "ponged_ns", "session")

    def __init__(
        self,
        session: WsSession,
        now_ns: int,
        pulse: Pulse,
        *,
        api: ApiSession | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.session = session
        self.api = api
        self.listener = listener
        self.opened_ns = now_ns
        self.ponged_ns = now_ns
        self.next_ping_ns = now_ns + pulse.ping_ns


class Desk(ABC):
    """Serve one product to many connections. The product's own parts are put in by its subclass."""

    name = ""

    def __init__(self, venue: Venue, frames: Frames, pulse: Pulse, *, join_ns: int) -> None:
        self.venue = venue
        self.exchange = venue.exchange
        self.feeds = Feeds()
        self.publisher = Publisher(venue, frames, self.feeds, join_ns)
        self.api = WebSocketApi(venue)
        self.control = Control(self.feeds, usdm=not venue.spot, joined=self._joined)
        self.connections: dict[int, Connection] = {}
        self._pulse = pulse
        self._looked_ns = 0

    # -- HTTP ---------------------------------------------------------------------------------------

    def http(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        return self.venue.http(request)

    def refuse(self, what: Refuse, request: HttpRequest | None, retry_after_s: int) -> HttpResponse:
        """Word a refusal that a fault asked for."""
        return self.venue.refuse(what, request, retry_after_s)

    # -- WebSocket ------------------------------------------------------------------------------------

    @abstractmethod
    def ws_opened(self, session: WsSession, path: str, query: str) -> bool:
        """Greet a connection, ``False`` where nothing lives at the path."""

    def open_api(self, session: WsSession, query: str, now_ns: int) -> bool:
        """Greet a connection to the WebSocket API; a banned address is sent away."""
        try:
            state = self.api.opened(session, split_pairs(query), now_ns, self._pulse.handshake_weight)
        except ApiError:
            return False
        self._keep(Connection(session, now_ns, self._pulse, api=state))
        return True

    def open_stream(self, listener: Listener, names: list[str], now_ns: int) -> bool:
        """Greet a stream connection that listens to names from the start."""
        self._keep(Connection(listener.session, now_ns, self._pulse, listener=listener))
        try:
            self.control.subscribe(listener, names)
        except ControlError:
            return False
        return True

    def _keep(self, connection: Connection) -> None:
        connection.session.state = connection
        self.connections[connection.session.session_id] = connection

    def _joined(self, feed: Feed, listener: Listener) -> None:
        self.publisher.joined(feed, self.exchange.now_ns)

    def ws_frame(self, session: WsSession, payload: bytes, now_ns: int) -> None:
        """Take a frame."""
        connection = self.connections.get(session.session_id)
        if connection is None:
            return
        if connection.api is not None:
            self.api.frame(connection.api, payload, now_ns)
        elif connection.listener is not None:
            if connection.listener.is_noisy(now_ns, self._pulse.messages_per_s):
                session.close(1008, "Too many requests")
                return
            self.control.frame(connection.listener, payload)

    def ws_pong(self, session: WsSession, payload: bytes, now_ns: int) -> None:
        """Take a pong."""
        connection = self.connections.get(session.session_id)
        if connection is None:
            return
        connection.ponged_ns = now_ns
        listener = connection.listener
        if listener is not None and listener.is_noisy(now_ns, self._pulse.messages_per_s):
            session.close(1008, "Too many requests")

    def ws_closed(self, session: WsSession, now_ns: int) -> None:
        """Forget a connection."""
        connection = self.connections.pop(session.session_id, None)
        if connection is None:
            return
        if connection.api is not None:
            self.api.closed(session)
        if connection.listener is not None:
            self.control.leave(connection.listener)

    def ws_refuse(self, session: WsSession, what: Refuse, payload: bytes, retry_after_s: int) -> None:
        """Answer a request over the WebSocket API without obeying it."""
        connection = self.connections.get(session.session_id)
        if connection is not None and connection.api is not None:
            self.api.refuse(connection.api, what, payload, retry_after_s, self.exchange.now_ns)

    # -- events and time ------------------------------------------------------------------------------

    def on_event(self, event: ExchangeEvent) -> None:
        """Take an event of the exchange."""
        kind = type(event)
        if kind is BookChanged:
            self.publisher.on_book(event)  # type: ignore[arg-type]
        elif kind is PublicTrade:
            self.publisher.on_trade(event)  # type: ignore[arg-type]
        else:
            self.on_private(event)

    @abstractmethod
    def on_private(self, event: ExchangeEvent) -> None:
        """Take an event that is not of the public book or tape."""

    def tick(self, now_ns: int) -> None:
        """Do what is due."""
        self.publisher.tick(now_ns)
        if now_ns - self._looked_ns >= LOOK_NS:
            self._looked_ns = now_ns
            self._look_after(now_ns)

    def _look_after(self, now_ns: int) -> None:
        pulse = self._pulse
        for connection in list(self.connections.values()):
            if now_ns - connection.opened_ns >= DAY:
                connection.session.close(1000, "24 hours are over")
            elif now_ns - connection.ponged_ns > pulse.ping_ns + pulse.pong_within_ns:
                connection.session.close(1008, "Pong timeout")
            elif now_ns >= connection.next_ping_ns:
                connection.next_ping_ns = now_ns + pulse.ping_ns
                connection.session.ping(str(now_ns // 10**6).encode())

    def command(self, name: str, arguments: dict[str, str], now_ns: int) -> bool:
        """Obey a fault that only a dialect can act out."""
        symbols = (
            [arguments["market"]] if "market" in arguments else [one.symbol for one in self.venue.markets]
        )
        count = int(arguments.get("count", "1"))
        if name == "sequence-gap":
            for symbol in symbols:
                self.publisher.lose(symbol, count)
        elif name == "stale-snapshot":
            for symbol in symbols:
                self.publisher.freeze(symbol, count)
        elif name == "maintenance":
            self.venue.maintenance = arguments.get("on", "true") == "true"
            if self.venue.maintenance:
                self.say_goodbye(now_ns)
        else:
            return False
        return True

    def say_goodbye(self, now_ns: int) -> None:
        """Tell every connection that the server is about to go."""
        event = b'{"e":"serverShutdown","E":%d}' % (now_ns // 10**6)
        for connection in list(self.connections.values()):
            if connection.api is not None:
                connection.session.send(b'{"event":%b}' % event, Kind.CONTROL)
            elif connection.listener is not None and connection.listener.combined:
                connection.session.send(b'{"stream":"!serverShutdown","data":%b}' % event, Kind.CONTROL)
            else:
                connection.session.send(event, Kind.CONTROL)


def check_options(options: Mapping[str, str], known: Mapping[str, Any]) -> dict[str, str]:
    """Return the options over their defaults; an unknown one raises ``ConfigError``."""
    unknown = set(options) - set(known)
    if unknown:
        raise ConfigError(
            "an option of the dialect is not known",
            expected=", ".join(sorted(known)) or "no options",
            found=", ".join(sorted(unknown)),
        )
    return {**{name: str(value) for name, value in known.items()}, **options}
