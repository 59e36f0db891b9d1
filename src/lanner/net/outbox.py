"""Messages that wait for their turn because the server allows only so many a second."""

from __future__ import annotations

from collections import deque

_MARGIN = 1.05
"""Messages sent a second apart may arrive a little closer together."""


class Pacer:
    """Allow at most ``per_s`` sendings in any second (below 1: one every ``1 / per_s`` seconds)."""

    __slots__ = ("_period_ns", "_times")

    def __init__(self, per_s: float) -> None:
        burst = max(1, int(per_s))
        self._period_ns = int(burst / per_s * _MARGIN * 1e9)
        self._times: deque[int] = deque(maxlen=burst)

    def wait_ns(self, now_ns: int) -> int:
        """Return how long until the next sending is allowed."""
        times = self._times
        if len(times) < (times.maxlen or 0):
            return 0
        return max(0, times[0] + self._period_ns - now_ns)

    def sent(self, now_ns: int) -> None:
        """Count a sending."""
        self._times.append(now_ns)


class Outbox:
    """Hold messages in order; urgent ones stand before all others."""

    __slots__ = ("_later", "_urgent", "size")

    def __init__(self) -> None:
        self._urgent: deque[tuple[bytes, bool]] = deque()
        self._later: deque[tuple[bytes, bool]] = deque()
        self.size = 0

    def __len__(self) -> int:
        return len(self._urgent) + len(self._later)

    def put(self, payload: bytes, binary: bool, urgent: bool) -> None:
        """Take a message."""
        (self._urgent if urgent else self._later).append((payload, binary))
        self.size += len(payload)

    def take(self) -> tuple[bytes, bool]:
        """Give the next message."""
        payload, binary = (self._urgent or self._later).popleft()
        self.size -= len(payload)
        return payload, binary

    def clear(self) -> int:
        """Throw all messages away and tell how many there were."""
        count = len(self)
        self._urgent.clear()
        self._later.clear()
        self.size = 0
        return count
