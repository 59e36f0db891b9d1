"""WebSocket over picows: frames are parsed in C and handled inside the loop's read callback."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import zlib
from typing import Any, cast

from picows import (
    WSCloseCode,
    WSError,
    WSFrame,
    WSHandshakeError,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    ws_connect,
)
from picows.url import WSParsedURL

from lanner.net.deflate import OFFER, BadExtensionError, Inflater, TooBigError, agreed
from lanner.net.socket_settings import SocketSettings
from lanner.net.wallclock import wall_ns
from lanner.net.wires import Wire, WireFailed, WireSink, refusal

_TEXT = WSMsgType.TEXT
_BINARY = WSMsgType.BINARY
_CONTINUATION = WSMsgType.CONTINUATION

_LOG = logging.Logger("lanner.net.picows", logging.CRITICAL)  # noqa: LOG001
"""Outside the tree of loggers on purpose: picows would log addresses and headers, which hold keys."""


class _PicowsWire(WSListener):
    """One connection: picows' listener and our wire in one object, so that a frame takes one call less."""

    name = "picows"

    def __init__(self, sink: WireSink, limit: int) -> None:
        super().__init__()
        self.compressed = False
        self._sink = sink
        self._on_message = sink.on_message
        self._limit = limit
        self._inflater: Inflater | None = None
        self._transport: WSTransport | None = None
        self._live = False
        self._parts: list[bytes] = []
        self._parts_size = 0
        self._parts_packed = False
        self._reason = ""

    def accept(self, _request: WSUpgradeRequest, response: WSUpgradeResponse) -> _PicowsWire:
        """Read what the server agreed to."""
        self._inflater = agreed(response.headers.get("Sec-WebSocket-Extensions"), self._limit)
        self.compressed = self._inflater is not None
        return self

    # -- picows calls ----------------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin to live; frames that came with the handshake follow at once."""
        self._transport = transport
        self._live = True
        self._end = asyncio.get_running_loop().create_task(_see_off(transport))
        self._sink.on_opened(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Stamp first, then sort: whole plain messages take the short way."""
        ts_recv = wall_ns()
        if not self._live:
            return
        kind = frame.msg_type
        if (kind is _TEXT or kind is _BINARY) and frame.fin and not frame.rsv1 and not self._parts:
            self._on_message(frame.get_payload_as_bytes(), ts_recv)
        elif kind is WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
            self._sink.on_control(ts_recv, None)
        elif kind is WSMsgType.PONG:
            self._sink.on_control(ts_recv, frame.get_payload_as_bytes())
        elif kind is WSMsgType.CLOSE:
            self._closed_by_peer(transport, frame)
        else:
            self._part(transport, frame, kind, ts_recv)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Tell the keeper, unless it knows."""
        if self._live:
            # The stubs do not say so, but there is no handshake when no close frame went either way.
            handshake = cast(Any, transport.close_handshake)
            if handshake is not None and handshake.sent is not None:
                # picows met a frame against the protocol, and has said so to the peer.
                self._lose(f"protocol error: {handshake.sent.reason or handshake.sent.code}")
            else:
                self._lose("the connection broke without a close frame")

    def pause_writing(self) -> None:
        """Nothing to do: ``send`` looks at the buffer itself."""

    def resume_writing(self) -> None:
        """Nothing to do."""

    # -- the wire --------------------------------------------------------------------------------------

    def send(self, payload: bytes, binary: bool) -> bool:
        """Hand a message to the network now; False when the wire is closing."""
        transport = self._transport
        if not self._live or transport is None or transport.is_close_frame_sent or transport.is_disconnected:
            return False
        transport.send(_BINARY if binary else _TEXT, payload)
        return True

    def ping(self, payload: bytes) -> None:
        """Send a ping frame."""
        if self._live and self._transport is not None:
            self._transport.send_ping(payload)

    def buffered(self) -> int:
        """Return the bytes the network has not taken yet."""
        if self._transport is None:
            return 0
        return self._transport.underlying_transport.get_write_buffer_size()

    async def close(self, code: int, timeout_s: float) -> None:
        """Say goodbye and wait for the peer's answer that long, then cut."""
        transport = self._transport
        if transport is None:
            return
        self._live = False
        transport.send_close(WSCloseCode(code))
        try:
            async with asyncio.timeout(timeout_s):
                await transport.wait_disconnected()
        except (TimeoutError, WSError):
            transport.disconnect(graceful=False)

    def abort(self) -> None:
        """Cut at once."""
        self._live = False
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    # -- inside ----------------------------------------------------------------------------------------

    def _part(self, transport: WSTransport, frame: WSFrame, kind: WSMsgType, ts_recv: int) -> None:
        """Collect fragments and inflate what is compressed."""
        if (kind is _CONTINUATION) != bool(self._parts):
            return self._violated(transport, WSCloseCode.PROTOCOL_ERROR, "fragments out of order")
        if not self._parts:
            self._parts_packed = bool(frame.rsv1)
            if self._parts_packed and self._inflater is None:
                return self._violated(transport, WSCloseCode.PROTOCOL_ERROR, "compressed without agreement")
        self._parts.append(frame.get_payload_as_bytes())
        self._parts_size += frame.payload_size
        if self._parts_size > self._limit:
            return self._violated(transport, WSCloseCode.MESSAGE_TOO_BIG, "message too big")
        if not frame.fin:
            return self._sink.on_control(ts_recv, None)
        payload = b"".join(self._parts)
        self._parts.clear()
        self._parts_size = 0
        if self._parts_packed and self._inflater is not None:
            try:
                payload = self._inflater.message(payload)
            except TooBigError:
                return self._violated(transport, WSCloseCode.MESSAGE_TOO_BIG, "message too big")
            except zlib.error:
                return self._violated(transport, WSCloseCode.INVALID_TEXT, "message cannot be inflated")
        return self._on_message(payload, ts_recv)

    def _violated(self, transport: WSTransport, code: WSCloseCode, reason: str) -> None:
        transport.send_close(code, reason.encode())
        self._lose(f"{reason} (closed with {int(code.value)})")
        # The close frame gets a moment to leave; no answer is waited for.
        asyncio.get_running_loop().call_later(0.05, transport.disconnect, False)

    def _closed_by_peer(self, transport: WSTransport, frame: WSFrame) -> None:
        code = frame.get_close_code()
        number = int(code.value)
        reason = frame.get_close_reason() or ""
        transport.send_close(code if number else WSCloseCode.OK)
        transport.disconnect()
        # A peer that does not read would keep the socket for as long as TCP is patient.
        asyncio.get_running_loop().call_later(1.0, transport.disconnect, False)
        self._lose(f"closed by the server: {number or 'no code'} {reason[:120]}".rstrip())

    def _lose(self, reason: str) -> None:
        self._live = False
        self._sink.on_lost(reason)


async def open_picows(settings: SocketSettings, url: str, tls: ssl.SSLContext | None, sink: WireSink) -> Wire:
    """Connect within the time limit. Raises ``WireFailed``."""
    loop = asyncio.get_running_loop()
    wire = _PicowsWire(sink, settings.max_message_bytes)
    held: list[socket.socket] = []

    async def connected(address: WSParsedURL) -> socket.socket:
        held.append(await _connected_socket(address.host, address.port))
        return held[0]

    headers = dict(settings.headers)
    if settings.compression:
        headers["Sec-WebSocket-Extensions"] = OFFER
    try:
        async with asyncio.timeout(settings.connect_timeout_s):
            await ws_connect(
                wire.accept,
                url,
                ssl_context=tls,
                websocket_handshake_timeout=None,
                logger_name=_LOG,
                enable_auto_pong=False,
                max_frame_size=settings.max_message_bytes,
                extra_headers=headers,
                max_redirects=0,
                socket_factory=connected,
                use_aiofastnet=False if getattr(loop, "owns_transports", False) else None,
            )
    except BaseException as error:
        wire.abort()
        # picows keeps a half-made connection to itself; shutting the socket down makes the loop let go of it.
        if held and held[0].fileno() >= 0:
            with contextlib.suppress(OSError):
                held[0].shutdown(socket.SHUT_RDWR)
        if isinstance(error, TimeoutError | OSError | WSError | BadExtensionError | EOFError):
            raise _failure(error) from error
        raise
    if wire._transport is None:
        raise WireFailed("the connection broke during the handshake")
    return wire


def _failure(error: Exception) -> WireFailed:
    if isinstance(error, WSHandshakeError) and error.response is not None:
        status = int(error.response.status)
        if status != 101:
            return refusal(status, error.response.headers.get("Retry-After"))
    if isinstance(error, TimeoutError):
        return WireFailed("no connection within the time limit")
    return WireFailed(str(error) or type(error).__name__)


async def _see_off(transport: WSTransport) -> None:
    """Take the error with which picows ends a connection, so that nobody reports it as never looked at."""
    with contextlib.suppress(WSError, OSError):
        await transport.wait_disconnected()


async def _connected_socket(host: str, port: int) -> socket.socket:
    """Try the host's addresses in the system's order."""
    loop = asyncio.get_running_loop()
    last: OSError | None = None
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        try:
            await loop.sock_connect(made, address)
        except BaseException as error:
            made.close()
            if not isinstance(error, OSError):
                raise
            last = error
        else:
            return made
    raise last or OSError(f"{host} has no address")
