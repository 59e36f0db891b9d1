"""WebSocket over aiohttp: the second implementation of the port, pure enough to run wherever Python does."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque

import aiohttp

from lanner.net.socket_settings import SocketSettings
from lanner.net.wallclock import wall_ns
from lanner.net.wires import Wire, WireFailed, WireSink, refusal

_Message = aiohttp.WSMessage


class _AiohttpWire:
    """One connection: a task that reads, and one that writes what ``send`` has laid down."""

    name = "aiohttp"

    def __init__(
        self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse, sink: WireSink
    ) -> None:
        self.compressed = bool(socket.compress)
        self._session = session
        self._socket = socket
        self._sink = sink
        self._live = True
        self._waiting: deque[tuple[bytes, aiohttp.WSMsgType]] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._reader = asyncio.create_task(self._read())
        self._writer = asyncio.create_task(self._write())
        sink.on_opened(self)

    def send(self, payload: bytes, binary: bool) -> bool:
        """Hand a message to the writer; False when the wire is closing."""
        if not self._live or self._socket.closed:
            return False
        self._put(payload, aiohttp.WSMsgType.BINARY if binary else aiohttp.WSMsgType.TEXT)
        return True

    def ping(self, payload: bytes) -> None:
        """Send a ping frame."""
        self._put(payload, aiohttp.WSMsgType.PING)

    def buffered(self) -> int:
        """Return the bytes that wait for the writer or the network."""
        return self._waiting_bytes

    async def close(self, code: int, timeout_s: float) -> None:
        """Say goodbye and wait for the peer's answer that long, then cut."""
        self._live = False
        self._reader.cancel()
        try:
            async with asyncio.timeout(timeout_s):
                await self._socket.close(code=code)
        except TimeoutError:
            pass
        await self._end()

    def abort(self) -> None:
        """Cut at once."""
        self._live = False
        self._reader.cancel()
        self._writer.cancel()
        response = self._socket._response
        if response.connection is not None and response.connection.transport is not None:
            response.connection.transport.abort()
        self._ending = asyncio.create_task(self._end())

    # -- inside ----------------------------------------------------------------------------------------

    def _put(self, payload: bytes, kind: aiohttp.WSMsgType) -> None:
        self._waiting.append((payload, kind))
        self._waiting_bytes += len(payload)
        self._wake.set()

    async def _write(self) -> None:
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    payload, kind = self._waiting[0]
                    await self._socket.send_frame(payload, kind)
                    self._waiting.popleft()
                    self._waiting_bytes -= len(payload)

    async def _read(self) -> None:
        try:
            while self._live:
                message = await self._socket.receive()
                if not self._take(message, wall_ns()):
                    break
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever breaks the reader, the keeper must hear of it
            self._lose(str(error) or type(error).__name__)
        if self._live:
            self._lose("the connection broke without a close frame")
        self._writer.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._socket.close()
        await self._release()

    def _take(self, message: _Message, ts_recv: int) -> bool:
        kind = message.type
        if kind in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            data = message.data
            self._sink.on_message(data.encode() if isinstance(data, str) else data, ts_recv)
        elif kind is aiohttp.WSMsgType.PING:
            self._put(message.data, aiohttp.WSMsgType.PONG)
            self._sink.on_control(ts_recv, None)
        elif kind is aiohttp.WSMsgType.PONG:
            self._sink.on_control(ts_recv, message.data)
        elif kind is aiohttp.WSMsgType.CLOSE:
            self._lose(
                f"closed by the server: {message.data or 'no code'} {(message.extra or '')[:120]}".rstrip()
            )
            return False
        elif kind is aiohttp.WSMsgType.ERROR:
            self._lose(_violation(message.data))
            return False
        else:
            return False
        return self._live

    def _lose(self, reason: str) -> None:
        if self._live:
            self._live = False
            self._sink.on_lost(reason)

    async def _end(self) -> None:
        self._writer.cancel()
        await asyncio.gather(self._reader, self._writer, return_exceptions=True)
        await self._release()

    async def _release(self) -> None:
        self._socket._response.close()
        await self._session.close()


def _violation(error: object) -> str:
    if isinstance(error, aiohttp.WebSocketError) and error.code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
        return "message too big (closed with 1009)"
    return f"protocol error: {error or type(error).__name__}"


async def open_aiohttp(
    settings: SocketSettings, url: str, tls: ssl.SSLContext | None, sink: WireSink
) -> Wire:
    """Connect within the time limit. Raises ``WireFailed``."""
    session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
    try:
        async with asyncio.timeout(settings.connect_timeout_s):
            socket = await session.ws_connect(
                url,
                headers=dict(settings.headers),
                ssl=tls if tls is not None else True,
                autoping=False,
                autoclose=False,
                compress=15 if settings.compression else 0,
                max_msg_size=settings.max_message_bytes,
                timeout=aiohttp.ClientWSTimeout(ws_close=settings.close_timeout_s),
            )
    except BaseException as error:
        await session.close()
        if isinstance(error, aiohttp.WSServerHandshakeError):
            after = error.headers.get("Retry-After") if error.headers is not None else None
            raise refusal(error.status, after) from error
        if isinstance(error, TimeoutError):
            raise WireFailed("no connection within the time limit") from error
        if isinstance(error, aiohttp.ClientError | OSError):
            raise WireFailed(str(error) or type(error).__name__) from error
        raise
    return _AiohttpWire(session, socket, sink)
