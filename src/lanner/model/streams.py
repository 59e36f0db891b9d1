"""What is known about a stream of market data itself: that something is missing, and that it is whole again."""

from __future__ import annotations

import msgspec


class StreamGap(msgspec.Struct, frozen=True, gc=False):
    """Messages of a stream are missing, so what it built is not to be trusted until it has healed.

    ``feed`` is the name of a ``Feed`` in lower case. ``ts_from`` is the receive time of the last good message (0: there
    was none), ``ts_recv`` when the gap was found. ``expected`` and ``found`` are sequence numbers where the venue has
    them.
    """

    instrument_id: str
    feed: str
    ts_from: int
    ts_recv: int
    reason: str
    expected: int = 0
    found: int = 0


class StreamHealed(msgspec.Struct, frozen=True, gc=False):
    """The stream is whole again; ``ts_from`` to ``ts_to`` (receive times) is what may be missing."""

    instrument_id: str
    feed: str
    ts_from: int
    ts_to: int
    reason: str


StreamEvent = StreamGap | StreamHealed
