"""Stream connections: what each listens to, and the little language in which it says so.

A connection is ``raw`` (the frame alone) or ``combined`` (``{"stream":…,"data":…}``). Feeds join all connections that
listen to one name, so a frame is written once however many listen.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from lanner.simulator.dialect import Kind, WsSession
from lanner.simulator.dialects.binance.names import Route, Stream, Topic, parse_stream

MOST_STREAMS = 1024
SECOND = 10**9
_LEGAL = re.compile(r"[A-Za-z0-9_!@.+:\-\u0080-\U0010ffff]{1,128}")
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_encode = msgspec.json.Encoder().encode

Render = Callable[[bool], bytes]
"""Write a frame; the argument tells whether times are microseconds."""


class Listener:
    """A stream connection: its names, how it wants frames, and how much it has said lately."""

    __slots__ = ("combined", "heard", "micro", "names", "route", "session", "users")

    def __init__(
        self, session: WsSession, *, combined: bool, micro: bool = False, route: Route | None = None
    ) -> None:
        self.session = session
        self.combined = combined
        self.micro = micro
        self.route = route
        """USD-M: the entrance it came by, ``None`` for the old root path."""
        self.names: dict[str, Stream | None] = {}
        self.users: dict[str, frozenset[str]] = {}
        """USD-M listen keys with the events wanted, empty for all."""
        self.heard: deque[int] = deque()

    def is_noisy(self, now_ns: int, most: int) -> bool:
        """Count an incoming message; tell whether there were more than ``most`` within a second."""
        heard = self.heard
        heard.append(now_ns)
        while heard and heard[0] <= now_ns - SECOND:
            heard.popleft()
        return len(heard) > most


class Feed:
    """One stream name with everybody who listens, and what waits to be sent."""

    __slots__ = (
        "asks",
        "bids",
        "changed",
        "due_ns",
        "first_seq",
        "last_seq",
        "listeners",
        "open_ns",
        "sent_seq",
        "stream",
        "symbols",
        "wrap",
    )

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.listeners: dict[int, Listener] = {}
        self.wrap = b'{"stream":' + _encode(stream.name) + b',"data":'
        self.due_ns = 0
        self.changed = True
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.first_seq = 0
        self.last_seq = 0
        self.sent_seq = 0
        self.symbols: set[str] = set()
        """Symbols that changed, for streams of all symbols."""
        self.open_ns = 0
        """Start of the candle that was sent last."""

    def send(self, render: Render, kind: Kind) -> None:
        """Write the frame once per form that is wanted, and hand it to all listeners."""
        forms: dict[tuple[bool, bool], bytes] = {}
        for listener in self.listeners.values():
            form = (listener.micro, listener.combined)
            frame = forms.get(form)
            if frame is None:
                plain = forms.get((listener.micro, False)) or render(listener.micro)
                forms[listener.micro, False] = plain
                frame = self.wrap + plain + b"}" if listener.combined else plain
                forms[form] = frame
            listener.session.send(frame, kind)


class Feeds:
    """All feeds of a product, found by topic and symbol."""

    def __init__(self) -> None:
        self._by_name: dict[str, Feed] = {}
        self._by_topic: dict[tuple[Topic, str], list[Feed]] = {}
        self.timed: list[Feed] = []
        """Feeds that are written at their own pace."""

    def of(self, topic: Topic, symbol: str) -> list[Feed]:
        """Return the feeds of a topic and symbol, ``""`` for those of all symbols."""
        return self._by_topic.get((topic, symbol), [])

    def has(self, topic: Topic, symbol: str) -> bool:
        """Tell whether anybody listens."""
        return (topic, symbol) in self._by_topic

    def join(self, stream: Stream, listener: Listener) -> Feed:
        """Let a connection listen to a stream."""
        feed = self._by_name.get(stream.name)
        if feed is None:
            feed = self._by_name[stream.name] = Feed(stream)
            self._by_topic.setdefault((stream.topic, stream.symbol), []).append(feed)
            if stream.every_ms:
                self.timed.append(feed)
        feed.listeners[listener.session.session_id] = listener
        return feed

    def leave(self, stream: Stream, listener: Listener) -> None:
        """Let a connection stop listening; a feed without listeners is forgotten."""
        feed = self._by_name.get(stream.name)
        if feed is None or feed.listeners.pop(listener.session.session_id, None) is None or feed.listeners:
            return
        del self._by_name[stream.name]
        key = (stream.topic, stream.symbol)
        kept = [one for one in self._by_topic[key] if one is not feed]
        if kept:
            self._by_topic[key] = kept
        else:
            del self._by_topic[key]
        self.timed = [one for one in self.timed if one is not feed]


class ControlError(Exception):
    """Carry a refusal of a control message: ``{"error":{"code":…,"msg":…},"id":…}``."""

    def __init__(self, code: int, msg: str) -> None:
        super().__init__(msg)
        self.code = code
        self.msg = msg


class Control:
    """The language of stream connections: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, SET_PROPERTY, GET_PROPERTY."""

    def __init__(self, feeds: Feeds, *, usdm: bool, joined: Callable[[Feed, Listener], None]) -> None:
        self._feeds = feeds
        self._usdm = usdm
        self._joined = joined
        self.serves_all = False
        """USD-M: whether the old root path serves every stream."""
        self.private: Callable[[Listener, str, bool], bool] | None = None
        """USD-M: subscribe or unsubscribe a listen key; ``False`` if the name is none."""

    def frame(self, listener: Listener, payload: bytes) -> None:
        """Obey one message and answer it."""
        request_id: Any = None
        try:
            request_id, method, params = self._read(payload)
            answer: dict[str, Any] = {"result": self._obey(listener, method, params), "id": request_id}
        except ControlError as fault:
            answer = {"error": {"code": fault.code, "msg": fault.msg}}
            if request_id is not None:
                answer["id"] = request_id
        listener.session.send(_encode(answer), Kind.CONTROL)

    def _read(self, payload: bytes) -> tuple[Any, str, list[Any]]:
        try:
            request = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ControlError(3, "Invalid JSON: expected value at line 1 column 1") from None
        if not isinstance(request, dict):
            raise ControlError(2, "Invalid request: expected an object")
        method = request.get("method")
        if method is None:
            raise ControlError(2, f"Invalid request: missing field `method` at line 1 column {len(payload)}")
        if method not in _METHODS:
            wanted = ", ".join(f"`{one}`" for one in _METHODS)
            raise ControlError(
                2,
                f"Invalid request: unknown variant `{method}`, expected one of {wanted} "
                f"at line 1 column {len(payload)}",
            )
        request_id = request.get("id")
        if not self._is_id(request_id):
            raise ControlError(2, "Invalid request: request ID must be an unsigned integer")
        params = request.get("params") or []
        if not isinstance(params, list):
            raise ControlError(2, "Invalid request: invalid type for `params`, expected a sequence")
        return request_id, method, params

    def _is_id(self, request_id: Any) -> bool:
        if isinstance(request_id, bool):
            return False
        if self._usdm:
            return isinstance(request_id, int) and request_id >= 0
        if request_id is None or isinstance(request_id, int):
            return True
        return isinstance(request_id, str) and len(request_id) <= 36

    def _obey(self, listener: Listener, method: str, params: list[Any]) -> Any:
        if method == "LIST_SUBSCRIPTIONS":
            return [*listener.names, *listener.users]
        if method == "SET_PROPERTY":
            return self._set_property(listener, params)
        if method == "GET_PROPERTY":
            self._property(params, 1)
            return listener.combined
        if not params or not all(isinstance(name, str) and _LEGAL.fullmatch(name) for name in params):
            raise ControlError(2, "Invalid request: invalid stream")
        if method == "SUBSCRIBE":
            self.subscribe(listener, params)
        else:
            self.unsubscribe(listener, params)
        return None

    @staticmethod
    def _property(params: list[Any], count: int) -> None:
        if len(params) > count:
            raise ControlError(2, "Invalid request: too many parameters")
        if not params or not isinstance(params[0], str):
            raise ControlError(2, "Invalid request: property name must be a string")
        if params[0] != "combined":
            raise ControlError(0, "Unknown property")

    def _set_property(self, listener: Listener, params: list[Any]) -> None:
        self._property(params, 2)
        if len(params) < 2 or not isinstance(params[1], bool):
            raise ControlError(1, "Invalid value type: expected Boolean")
        listener.combined = params[1]

    def subscribe(self, listener: Listener, names: Iterable[str]) -> None:
        """Let a connection listen to names; what nobody ever sends is kept in the list all the same."""
        for name in names:
            if name in listener.names:
                continue
            if self.private is not None and self.private(listener, name, True):
                continue
            if len(listener.names) >= MOST_STREAMS:
                raise ControlError(2, f"Invalid request: too many streams, at most {MOST_STREAMS}")
            stream = parse_stream(name, usdm=self._usdm)
            listener.names[name] = stream
            if stream is not None and self._is_served(listener, stream):
                self._joined(self._feeds.join(stream, listener), listener)

    def unsubscribe(self, listener: Listener, names: Iterable[str]) -> None:
        """Let a connection stop listening to names."""
        for name in names:
            if self.private is not None and self.private(listener, name, False):
                continue
            stream = listener.names.pop(name, None)
            if stream is not None:
                self._feeds.leave(stream, listener)

    def leave(self, listener: Listener) -> None:
        """Forget a connection."""
        self.unsubscribe(listener, list(listener.names))
        listener.users.clear()

    def _is_served(self, listener: Listener, stream: Stream) -> bool:
        if not self._usdm or (listener.route is None and self.serves_all):
            return True
        return stream.comes_from(listener.route or Route.PUBLIC)
