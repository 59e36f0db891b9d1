"""How one WebSocket connection is kept: addresses, limits, heartbeats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from lanner.core.errors import ConfigError
from lanner.net.tls import TlsSettings

WireChoice = Literal["auto", "picows", "aiohttp"]


class Pings(IntEnum):
    """Who keeps the connection alive. Ping frames of the server are answered in every case."""

    NONE = 0
    """The server pings, or sends often enough."""
    FRAME = 1
    """We send ping frames."""
    TEXT = 2
    """We send a text of the venue's own."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What we send every heartbeat. ``is_pong`` recognises the answer to ``text``: such frames measure the latency
    and are kept back; without it the answer reaches ``on_frame`` like any other frame."""

    pings: Pings = Pings.NONE
    text: bytes = b""
    is_pong: Callable[[bytes], bool] | None = None


@dataclass(frozen=True, slots=True)
class SocketSettings:
    """Settings of one connection.

    Dead is who has been silent for more than two heartbeats. ``attempts`` 0: try for ever. A connection that lived
    for ``settled_s`` counts as a success: only then the back-off begins anew, so that a server which accepts and
    hangs up is not hammered. ``max_age_s`` > 0 connects anew before the venue cuts the connection itself.

    Bounds and what happens at them: beyond ``send_buffer_bytes`` not yet taken by the network ``send`` refuses (so
    does it while there is no connection); a message larger than ``max_message_bytes`` closes the connection with
    code 1009 and connects anew. Received frames are handled at once and never queued. ``sends_per_s`` > 0 lets
    messages wait (inside the send buffer) so that any second holds no more.
    """

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    tls: TlsSettings = field(default_factory=TlsSettings)
    compression: bool = True
    max_message_bytes: int = 16 * 1024 * 1024
    send_buffer_bytes: int = 1024 * 1024
    sends_per_s: float = 0.0
    connect_timeout_s: float = 10.0
    close_timeout_s: float = 2.0
    heartbeat_s: float = 30.0
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    backoff_base_s: float = 1.0
    backoff_cap_s: float = 60.0
    jitter: float = 0.0
    attempts: int = 0
    settled_s: float = 5.0
    max_age_s: float = 0.0
    wire: WireChoice = "auto"

    def __post_init__(self) -> None:
        if not self.url.startswith(("ws://", "wss://")):
            raise ConfigError(
                f"connection {self.name!r} has no usable address",
                expected="ws://… or wss://…",
                found=self.url.partition("?")[0],
            )
        for label in ("max_message_bytes", "send_buffer_bytes", "connect_timeout_s", "heartbeat_s"):
            if getattr(self, label) <= 0:
                raise ConfigError(
                    f"connection {self.name!r}: {label} is out of range",
                    expected="> 0",
                    found=getattr(self, label),
                )
        if self.heartbeat.pings is Pings.TEXT and not self.heartbeat.text:
            raise ConfigError(f"connection {self.name!r} pings by text", expected="a text to send")
