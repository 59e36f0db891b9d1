"""What there is to know about one connection at one moment."""

from __future__ import annotations

import re
from enum import IntEnum
from urllib.parse import urlsplit

import msgspec

from lanner.core.fsm import TransitionTable

_LONG_SEGMENT = re.compile(r"(?<=/)[^/]{33,}")


class LinkState(IntEnum):
    """Where a connection stands."""

    DISCONNECTED = 0
    CONNECTING = 1
    CONNECTED = 2
    RECONNECTING = 3
    FAILED = 4


LINK_STEPS: TransitionTable[LinkState] = TransitionTable(
    "connection",
    {
        LinkState.DISCONNECTED: {LinkState.CONNECTING: "start"},
        LinkState.CONNECTING: {
            LinkState.CONNECTED: "opened",
            LinkState.RECONNECTING: "attempt failed",
            LinkState.FAILED: "attempts used up",
            LinkState.DISCONNECTED: "stop",
        },
        LinkState.CONNECTED: {
            LinkState.RECONNECTING: "lost",
            LinkState.FAILED: "lost, attempts used up",
            LinkState.DISCONNECTED: "stop",
        },
        LinkState.RECONNECTING: {
            LinkState.CONNECTED: "opened",
            LinkState.FAILED: "attempts used up",
            LinkState.DISCONNECTED: "stop",
        },
        LinkState.FAILED: {LinkState.CONNECTING: "start", LinkState.DISCONNECTED: "stop"},
    },
    final=frozenset(),
)
"""The life cycle of a connection. RECONNECTING lasts through waits and attempts, until one succeeds."""


class LinkStatus(msgspec.Struct, frozen=True, gc=False):
    """A record of one connection; counters run over its whole life, through all reconnects.

    ``ts`` and the times are UNIX nanoseconds, None where it has not happened. ``attempts`` counts attempts since
    the last lasting connection. ``refused`` messages were never taken for sending (``send`` said so); ``dropped``
    ones were taken, and lost with the connection before they were written. ``faults`` counts callbacks that raised.
    """

    name: str
    url: str
    state: LinkState
    ts: int
    reason: str = ""
    wire: str = ""
    compressed: bool = False
    attempts: int = 0
    reconnects: int = 0
    connected_since: int | None = None
    last_recv_ns: int | None = None
    latency_ns: int | None = None
    sent: int = 0
    received: int = 0
    received_bytes: int = 0
    refused: int = 0
    dropped: int = 0
    faults: int = 0
    queued: int = 0


def safe_url(url: str) -> str:
    """Return the address for people: without query, credentials, and path parts long enough to be a key."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{_LONG_SEGMENT.sub('…', parts.path)}"
