"""How much one address on the internet, one connection and one wallet may ask."""

from __future__ import annotations

from collections import deque
from typing import Any

from lanner.simulator.dialects.hyperliquid import spec

MINUTE_NS = 60 * spec.SECOND
LOOPBACK = frozenset({"127.0.0.1", "::1"})
LOOPBACK_PROGRAMS = 10
"""On loopback the programs of many machines share one address: there is room for the connections of so many."""


class Minute:
    """A budget of weight in a sliding minute."""

    __slots__ = ("limit", "spent", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.spent: deque[tuple[int, int]] = deque()
        self.used = 0

    def _forget(self, now_ns: int) -> None:
        while self.spent and self.spent[0][0] <= now_ns - MINUTE_NS:
            self.used -= self.spent.popleft()[1]

    def take(self, weight: int, now_ns: int) -> bool:
        """Spend weight; ``False`` and nothing spent where it is not there."""
        self._forget(now_ns)
        if self.used + weight > self.limit:
            return False
        self.charge(weight, now_ns)
        return True

    def charge(self, weight: int, now_ns: int) -> None:
        """Spend weight that was found out afterwards, over the limit if need be."""
        if weight:
            self.spent.append((now_ns, weight))
            self.used += weight


class Visitor:
    """All that comes from one IP address: REST weight, connections, messages and subscriptions."""

    __slots__ = (
        "connections",
        "connects",
        "max_connections",
        "messages",
        "subscriptions",
        "users",
        "weight",
    )

    def __init__(self, scale: int, programs: int = 1) -> None:
        self.weight = Minute(spec.IP_WEIGHT_PER_MINUTE * scale)
        self.messages = Minute(spec.MAX_MESSAGES_PER_MINUTE * scale)
        self.connects = Minute(spec.MAX_CONNECTS_PER_MINUTE * scale * programs)
        self.max_connections = spec.MAX_CONNECTIONS * scale * programs
        self.connections = 0
        self.subscriptions = 0
        self.users: dict[str, int] = {}

    def watch(self, user: str, *, free: bool = False) -> bool:
        """Count a subscription to a user's data; ``False`` where ten users are watched already, unless ``free``."""
        if not free and user not in self.users and len(self.users) >= spec.MAX_USERS:
            return False
        self.users[user] = self.users.get(user, 0) + 1
        return True

    def unwatch(self, user: str) -> None:
        """Take a subscription back."""
        left = self.users.get(user, 0) - 1
        if left > 0:
            self.users[user] = left
        else:
            self.users.pop(user, None)


class Visitors:
    """The visitors by IP address. ``scale`` multiplies every limit; 0 switches them off."""

    def __init__(self, scale: int = 1) -> None:
        self.on = scale > 0
        self._scale = max(1, scale)
        self._by_remote: dict[str, Visitor] = {}

    def of(self, remote: str) -> Visitor:
        """Return the visitor behind an address, made on first sight."""
        found = self._by_remote.get(remote)
        if found is None:
            programs = LOOPBACK_PROGRAMS if remote in LOOPBACK else 1
            found = self._by_remote[remote] = Visitor(self._scale, programs)
        return found


def info_weight(kind: str) -> int:
    """Return what an info request weighs before its answer is known."""
    if kind in spec.LIGHT_INFO:
        return spec.LIGHT_WEIGHT
    return spec.ROLE_WEIGHT if kind == "userRole" else spec.INFO_WEIGHT


def answer_weight(kind: str, answer: Any) -> int:
    """Return what the length of an answer adds."""
    if not isinstance(answer, list):
        return 0
    if kind == "candleSnapshot":
        return len(answer) // spec.CANDLES_PER_WEIGHT
    return len(answer) // 20 if kind in spec.WEIGHT_PER_20_ITEMS else 0


def action_weight(batch: int) -> int:
    """Return what an action weighs by the length of its array."""
    return 1 + batch // spec.ACTION_BATCH_PER_WEIGHT


class AddressBudget:
    """Requests of one wallet against what it has traded."""

    __slots__ = ("_last_ns", "reserved", "used")

    def __init__(self) -> None:
        self.used = 0
        self.reserved = 0
        self._last_ns = -spec.THROTTLED_EVERY_NS

    @staticmethod
    def cap(volume_usd: int) -> int:
        """Return how many requests so much traded volume allows."""
        return spec.ADDRESS_BUFFER + volume_usd

    def take(self, count: int, volume_usd: int, now_ns: int, *, cancel: bool) -> bool:
        """Count requests; over the budget one every ten seconds passes, and cancels have a budget of their own."""
        cap = self.cap(volume_usd) + self.reserved
        if cancel:
            cap = min(cap + spec.CANCEL_EXTRA, cap * 2)
        if self.used + count > cap:
            if now_ns - self._last_ns < spec.THROTTLED_EVERY_NS:
                return False
            self._last_ns = now_ns
        self.used += count
        return True
