"""The port between a connection's keeper and the library that moves its bytes, and the choice of library."""

from __future__ import annotations

import ssl
from typing import Protocol

from lanner.net.socket_settings import SocketSettings


class WireSink(Protocol):
    """What a wire tells its keeper. Payloads are the keeper's own; ``ts_recv`` was taken first of all."""

    def on_opened(self, wire: Wire) -> None:
        """Take over an open wire, before its first frame."""
        ...

    def on_message(self, payload: bytes, ts_recv: int) -> None:
        """Take a whole message."""
        ...

    def on_control(self, ts_recv: int, pong: bytes | None) -> None:
        """Note a ping (already answered) or a pong with its payload."""
        ...

    def on_lost(self, reason: str) -> None:
        """Learn, once, that an opened wire is gone."""
        ...


class Wire(Protocol):
    """An open WebSocket. Nothing arrives at the sink after ``close`` or ``abort``."""

    name: str
    compressed: bool

    def send(self, payload: bytes, binary: bool) -> bool:
        """Hand a message to the network now; False when the wire is closing."""
        ...

    def ping(self, payload: bytes) -> None:
        """Send a ping frame."""
        ...

    def buffered(self) -> int:
        """Return the bytes the network has not taken yet."""
        ...

    async def close(self, code: int, timeout_s: float) -> None:
        """Say goodbye and wait for the peer's answer that long, then cut."""
        ...

    def abort(self) -> None:
        """Cut at once."""
        ...


class WireFailed(Exception):  # noqa: N818 - an outcome; it never leaves the room
    """No connection came about. ``retry_after_s``: the server named a time before which it wants no other attempt."""

    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(reason)


async def open_wire(settings: SocketSettings, url: str, tls: ssl.SSLContext | None, sink: WireSink) -> Wire:
    """Connect by the library the settings name; ``auto`` is picows where it is installed, else aiohttp.

    Both inflate what a server compresses, so compression plays no part in the choice. Raises ``WireFailed``.
    """
    if settings.wire != "aiohttp":
        try:
            from lanner.net.wire_picows import open_picows
        except ImportError:
            if settings.wire == "picows":
                raise
        else:
            return await open_picows(settings, url, tls, sink)
    from lanner.net.wire_aiohttp import open_aiohttp

    return await open_aiohttp(settings, url, tls, sink)


def refusal(status: int, retry_after: str | None) -> WireFailed:
    """Describe a handshake that was answered by something else than 101."""
    try:
        wait_s = max(float(retry_after or 0), 0.0)
    except ValueError:
        wait_s = 0.0
    return WireFailed(f"the server answered the handshake with status {status}", wait_s)
