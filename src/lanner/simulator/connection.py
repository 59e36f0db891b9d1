"""One TCP connection of a client: HTTP requests, or after an upgrade a WebSocket session."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, cast

from lanner.simulator.dialect import HttpResponse, Kind
from lanner.simulator.wire_http import (
    BadRequest,
    RawRequest,
    answer_bytes,
    take_request,
    wants_continue,
)
from lanner.simulator.wire_ws import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    FrameReader,
    ProtocolError,
    close_payload,
    frame,
    is_upgrade,
    upgrade_answer,
)

if TYPE_CHECKING:
    from collections.abc import Callable


DEAF_S = 90.0
"""How long a dead connection is kept: longer than any venue waits for a pong or a word."""
LAST_WORDS_S = 10.0
"""How long a peer may take to read what it is owed when its connection is closed."""
MAX_UNSENT = 8 * 1024 * 1024
"""Bytes a slow reader may owe before the venue drops it."""


class Host(Protocol):
    """What a connection needs of the server behind it."""

    connections: set[Connection]
    unsent: list[Connection]

    def http(self, connection: Connection, raw: RawRequest) -> None:
        """Serve a request; answers by ``connection.answer``, now or later."""
        ...

    def refuses_sessions(self) -> bool:
        """Tell whether WebSockets are turned away."""
        ...

    def ws_opened(self, connection: Connection, raw: RawRequest) -> bool:
        """Take a new session, or not."""
        ...

    def ws_frame(self, connection: Connection, payload: bytes) -> None:
        """Take a frame."""
        ...

    def ws_pong(self, connection: Connection, payload: bytes) -> None:
        """Take a pong."""
        ...

    def ws_closed(self, connection: Connection) -> None:
        """Forget a session."""
        ...

    def send(self, connection: Connection, payload: bytes, kind: Kind) -> None:
        """Send a frame by way of the faults."""
        ...

    def flush(self) -> None:
        """Hand all queued frames to the sockets."""
        ...

    def note(self, text: str) -> None:
        """Tell the operator something."""
        ...


class Connection(asyncio.Protocol):
    """Bytes of one client. Also the ``WsSession`` a dialect sees after the upgrade."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._reader: FrameReader | None = None
        self._busy = False
        self._continued = False
        """Whether the present request has had its ``100 Continue``."""
        self._out: list[bytes] = []
        self._closing = False
        self._due = 0.0
        self._waiting = 0
        self._held: bytes | None = None
        self.deaf = False
        """A half-open connection: it stays, but nothing is read or written any more."""
        self.mute_until = 0.0
        """Until when (loop time) nothing is sent."""
        self.session_id = 0
        self.remote = ""
        self.state: Any = None

    # -- asyncio's side --------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.remote = str(peer[0]) if peer else "local"
        self._host.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the dialect that a session is gone."""
        self._host.connections.discard(self)
        self._transport = None
        if self.is_session:
            self._host.ws_closed(self)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self.deaf:
            return
        if self._reader is not None:
            self._frames(data)
            return
        self._buffer += data
        self._requests()

    # -- HTTP ------------------------------------------------------------------------------------------

    def _requests(self) -> None:
        while not self._busy and self._buffer and not self.deaf:
            try:
                request = take_request(self._buffer)
            except BadRequest as bad:
                self._buffer.clear()
                self.answer(HttpResponse(status=bad.status, body=b"{}"), keep_alive=False)
                return
            if request is None:
                if not self._continued and wants_continue(self._buffer):
                    self._continued = True
                    self._write_now(b"HTTP/1.1 100 Continue\r\n\r\n")
                return
            if is_upgrade(request.headers):
                self._upgrade(request)
                return
            self._busy, self._continued = True, False
            self._host.http(self, request)

    def answer(self, response: HttpResponse, *, keep_alive: bool, head_only: bool = False) -> None:
        """Write an HTTP answer and go on with the next request."""
        data = answer_bytes(
            response.status,
            response.body,
            response.headers,
            response.content_type,
            keep_alive=keep_alive,
            head_only=head_only,
        )
        self._write_now(data)
        if not keep_alive:
            self._end()
        self._busy = False
        if self._buffer:
            self._loop.call_soon(self._requests)

    def _upgrade(self, request: RawRequest) -> None:
        rest = bytes(self._buffer)
        self._buffer.clear()
        if self._host.refuses_sessions():
            self.answer(HttpResponse(status=503, body=b""), keep_alive=False)
            return
        if not self._host.ws_opened(self, request):
            self.answer(HttpResponse(status=404, body=b""), keep_alive=False)
            return
        self._reader = FrameReader()
        self._write_now(upgrade_answer(request.headers))
        self._host.flush()
        if rest:
            self._frames(rest)

    # -- WebSocket -------------------------------------------------------------------------------------

    @property
    def is_session(self) -> bool:
        """Tell whether the connection has become a WebSocket that the dialect knows."""
        return self._reader is not None and self.session_id > 0

    def _frames(self, data: bytes) -> None:
        assert self._reader is not None
        try:
            messages = self._reader.feed(data)
        except ProtocolError as error:
            self.close(error.code)
            return
        for opcode, payload in messages:
            if self._closing or self.deaf:
                break
            if opcode in (TEXT, BINARY):
                self._host.ws_frame(self, payload)
            elif opcode == PING:
                self._write(frame(payload, PONG))
            elif opcode == PONG:
                self._host.ws_pong(self, payload)
            elif opcode == CLOSE:
                self._write(frame(payload[:2] or close_payload(1000), CLOSE))
                self._end()
        self._host.flush()

    def send(self, payload: bytes, kind: Kind = Kind.OTHER) -> None:
        """Queue a text frame, by way of the faults."""
        if not self._closing:
            self._host.send(self, payload, kind)

    def ping(self, payload: bytes = b"") -> None:
        """Send a ping."""
        self._write(frame(payload, PING))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the session with a code; 1006 drops the connection without a word."""
        if self._closing:
            return
        if code == 1006:
            self._closing = True
            if self._transport is not None:
                self._transport.abort()
            return
        self._write(frame(close_payload(code, reason), CLOSE))
        self._end()

    # -- writing ---------------------------------------------------------------------------------------

    def put(self, payload: bytes, delay_s: float = 0.0, *, behind_next: bool = False) -> None:
        """Send a text frame now or later; later frames never overtake earlier ones unless told to."""
        if behind_next and self._held is None:
            self._held = payload
            return
        data = frame(payload)
        if self._held is not None:
            data, self._held = data + frame(self._held), None
        if delay_s <= 0.0 and not self._waiting:
            self._write(data)
            return
        # each a little later than the one before: a loop fires timers of one moment in any order
        self._due = max(self._due + 1e-6, self._loop.time() + delay_s)
        self._waiting += 1
        self._loop.call_at(self._due, self._late, data)

    def _late(self, data: bytes) -> None:
        self._waiting -= 1
        self._write(data)
        self.flush()

    def later(self, delay_s: float, work: Callable[[], None]) -> None:
        """Do something on this connection after a delay."""
        if delay_s <= 0.0:
            work()
        else:
            self._loop.call_later(delay_s, work)

    def _write(self, data: bytes) -> None:
        if self._closing or self.deaf:
            return
        if not self._out:
            self._host.unsent.append(self)
        self._out.append(data)

    def flush(self) -> None:
        """Hand what is queued to the transport."""
        if not self._out:
            return
        data = b"".join(self._out) if len(self._out) > 1 else self._out[0]
        self._out.clear()
        if self._transport is None or self.deaf or self._loop.time() < self.mute_until:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MAX_UNSENT:
            self._host.note(f"session {self.session_id}: too slow a reader, dropped")
            self._transport.abort()

    def _write_now(self, data: bytes) -> None:
        if self._transport is not None and not self.deaf and not self._closing:
            self._transport.write(data)

    def _end(self) -> None:
        self.flush()
        self._closing = True
        if self._transport is not None:
            self._transport.close()
            if self._transport.get_write_buffer_size():
                self._loop.call_later(LAST_WORDS_S, self.drop)

    def drop(self, *, politely: bool = False) -> None:
        """Close the connection, or cut it."""
        if politely:
            if self._reader is not None:
                self.close(1001, "going away")
            else:
                self._end()
        elif self._transport is not None:
            self._transport.abort()

    def go_deaf(self) -> None:
        """Leave the connection open and dead; when everybody should have noticed it is cut."""
        if self.deaf:
            return
        self.deaf = True
        self._loop.call_later(DEAF_S, self.drop)
        self._out.clear()
        if self._transport is not None:
            self._transport.pause_reading()
