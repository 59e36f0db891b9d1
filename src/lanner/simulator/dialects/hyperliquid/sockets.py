"""The WebSocket at ``/ws``: subscriptions, posts, pings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from lanner.simulator.dialect import HttpResponse, Kind, WsSession
from lanner.simulator.dialects.hyperliquid import spec
from lanner.simulator.dialects.hyperliquid.info_market import BadRequestError, MarketInfo, UnknownThingError
from lanner.simulator.dialects.hyperliquid.limits import Visitors
from lanner.simulator.dialects.hyperliquid.streams import Client, Streams
from lanner.simulator.dialects.hyperliquid.topics import Topic, frame, read_topic
from lanner.simulator.dialects.hyperliquid.venue import Venue, dumps

Json = dict[str, Any]
PONG = b'{"channel":"pong"}'
Answer = Callable[[str, bytes], HttpResponse]


class Message(msgspec.Struct):
    """What a client says."""

    method: str | None = None
    id: Any = None
    """A number in posts; elsewhere clients put what they like."""
    subscription: Any = None
    request: msgspec.Raw = msgspec.Raw()


class Post(msgspec.Struct):
    """A request that could have been sent over HTTP."""

    type: Literal["info", "action"]
    payload: msgspec.Raw


_MESSAGE = msgspec.json.Decoder(Message)
_POST = msgspec.json.Decoder(Post)


class Sockets:
    """All connections."""

    def __init__(
        self, venue: Venue, streams: Streams, market: MarketInfo, visitors: Visitors, answer: Answer
    ) -> None:
        self._venue = venue
        self._streams = streams
        self._market = market
        self._visitors = visitors
        self._answer = answer
        self._clients: dict[int, Client] = {}

    def opened(self, session: WsSession, path: str) -> bool:
        """Greet a connection; ``False`` where the path is not ours or the address has too many."""
        if path.rstrip("/") != "/ws":
            return False
        visitor = self._visitors.of(session.remote)
        if self._visitors.on and (
            visitor.connections >= visitor.max_connections or not visitor.connects.take(1, self._venue.now_ns)
        ):
            return False
        client = Client(session, visitor, self._venue.now_ns)
        session.state = client
        self._clients[session.session_id] = client
        visitor.connections += 1
        client.send(spec.GREETING.encode(), Kind.CONTROL, self._venue.now_ns)
        return True

    def closed(self, session: WsSession) -> None:
        """Forget a connection."""
        client = self._clients.pop(session.session_id, None)
        if client is None:
            return
        client.visitor.connections -= 1
        for topic in list(client.topics):
            self._drop(client, topic)

    def tick(self) -> None:
        """Close the connections that heard nothing for a minute."""
        now = self._venue.now_ns
        for client in list(self._clients.values()):
            if now - client.sent_ns >= spec.IDLE_NS:
                client.sent_ns = now
                client.session.close(1000, "Inactive")

    def frame(self, session: WsSession, payload: bytes) -> None:
        """Take one frame of a client."""
        client = self._clients.get(session.session_id)
        if client is None:
            return
        now = self._venue.now_ns
        if self._visitors.on and not client.visitor.messages.take(1, now):
            self._error(client, spec.TOO_MANY_MESSAGES)
            return
        understood = False
        try:
            message = _MESSAGE.decode(payload)
            if message.method == "ping":
                client.send(PONG, Kind.CONTROL, now)
                return
            if message.method == "post":
                understood = self._post(client, message)
            elif message.method in ("subscribe", "unsubscribe"):
                understood = self._wish(client, message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        if not understood:
            shown = payload.decode("utf-8", "replace")
            self._error(client, spec.BAD_FRAME.format(text=shown))

    def _error(self, client: Client, words: str) -> None:
        client.send(frame("error", words), Kind.CONTROL, self._venue.now_ns)

    # -- subscriptions --------------------------------------------------------------------------------------

    def _wish(self, client: Client, message: Message) -> bool:
        """Obey a wish to listen or not to; ``False`` where it cannot be read."""
        wish = message.subscription
        shown = dumps(wish).decode()
        try:
            topic = read_topic(wish, self._market)
        except (BadRequestError, UnknownThingError):
            self._error(client, spec.BAD_SUBSCRIPTION.format(subscription=shown))
            return True
        if topic is None:
            return False
        if message.method == "subscribe":
            self._subscribe(client, topic, message, shown)
        elif topic not in client.topics:
            self._error(client, spec.ALREADY_UNSUBSCRIBED.format(subscription=shown))
        else:
            self._drop(client, topic)
            self._confirm(client, message)
        return True

    def _subscribe(self, client: Client, topic: Topic, message: Message, shown: str) -> None:
        visitor = client.visitor
        if topic in client.topics:
            self._error(client, spec.ALREADY_SUBSCRIBED.format(subscription=shown))
            return
        if self._visitors.on and visitor.subscriptions >= spec.MAX_SUBSCRIPTIONS:
            self._error(client, spec.TOO_MANY_SUBSCRIPTIONS)
            return
        if topic.user and not visitor.watch(topic.user, free=not self._visitors.on):
            self._error(client, spec.TOO_MANY_USERS)
            return
        visitor.subscriptions += 1
        self._confirm(client, message)
        self._streams.subscribe(client, topic, message.subscription)

    def _drop(self, client: Client, topic: Topic) -> None:
        self._streams.unsubscribe(client, topic)
        client.visitor.subscriptions -= 1
        if topic.user:
            client.visitor.unwatch(topic.user)

    def _confirm(self, client: Client, message: Message) -> None:
        data = {"method": message.method, "subscription": message.subscription}
        client.send(frame("subscriptionResponse", data), Kind.CONTROL, self._venue.now_ns)

    def refuse(self, session: WsSession, payload: bytes, refusal: HttpResponse) -> None:
        """Answer a frame with a refusal that a fault asked for."""
        client = self._clients.get(session.session_id)
        if client is None:
            return
        words = f"{refusal.status}: {refusal.body.decode()}"
        try:
            number = _MESSAGE.decode(payload).id
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            number = None
        if isinstance(number, int):
            data = {"id": number, "response": {"type": "error", "payload": words}}
            client.send(frame("post", data), refusal.kind, self._venue.now_ns)
        else:
            self._error(client, words)

    # -- posts ----------------------------------------------------------------------------------------------

    def _post(self, client: Client, message: Message) -> bool:
        """Answer a post; ``False`` where it cannot be read."""
        number = message.id
        if not isinstance(number, int) or isinstance(number, bool) or not bytes(message.request):
            return False
        request = _POST.decode(message.request)
        kind = request.type
        found = self._answer("/info" if kind == "info" else "/exchange", bytes(request.payload))
        if found.status != 200:
            words = found.body.decode("utf-8", "replace")
            answer: Json = {"type": "error", "payload": f"{found.status}: {words}"}
        else:
            body: Any = msgspec.Raw(found.body)
            if kind == "info":
                asked = msgspec.json.decode(request.payload, type=dict[str, Any])
                body = {"type": asked.get("type"), "data": body}
            answer = {"type": kind, "payload": body}
        client.send(frame("post", {"id": number, "response": answer}), found.kind, self._venue.now_ns)
        return True
