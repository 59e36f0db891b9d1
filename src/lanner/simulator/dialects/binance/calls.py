"""One request of a client, however it came: an operation is written once and served over REST and WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from lanner.simulator.accounts import Account, ApiKey
from lanner.simulator.dialect import Kind
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.dialects.binance.params import Params


class Security(IntEnum):
    """What a client must show."""

    NONE = 0
    KEY = 1
    """A known key, no signature (market data of old, listen keys)."""
    SIGNED = 2


class Call:
    """A request with its parameters, its account and the moment at which it is served."""

    __slots__ = (
        "_account",
        "headers",
        "key",
        "micro",
        "now_ns",
        "order_count",
        "params",
        "remote",
        "session",
    )

    def __init__(self, params: Params, now_ns: int, remote: str = "", *, micro: bool = False) -> None:
        self.params = params
        self.now_ns = now_ns
        self.remote = remote
        self.micro = micro
        """Whether times are wanted in microseconds."""
        self.key: ApiKey | None = None
        self.session: Any = None
        """The WebSocket session of the request; ``None`` over HTTP."""
        self.headers: dict[str, str] = {}
        self.order_count = False
        """Whether the answer tells how many orders the account has placed."""
        self._account: Account | None = None

    @property
    def account(self) -> Account:
        """Return the account of the key; only operations with security have one."""
        if self._account is None:
            raise ApiError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
        return self._account

    def sign_in(self, account: Account, key: ApiKey) -> None:
        """Remember whose request it is."""
        self._account = account
        self.key = key

    def time(self, ns: int) -> int:
        """Write a moment in the unit the client asked for."""
        return ns // 1000 if self.micro else ns // 1_000_000

    def from_time(self, name: str) -> int | None:
        """Read a moment: milliseconds, or microseconds told by its length; in ns, ``None`` when not sent."""
        found = self.params.integer(name)
        if found is None:
            return None
        return found * 1000 if found >= 10**15 else found * 1_000_000


Handler = Callable[[Call], Any]
Weight = int | Callable[[Params], int]


@dataclass(frozen=True, slots=True)
class Operation:
    """Something the venue can be asked for: where, by whom, at what weight, and who answers."""

    handler: Handler
    rest: tuple[str, ...] = ()
    """``"GET /api/v3/depth"``; several when versions share an answer."""
    ws: tuple[str, ...] = ()
    weight: Weight = 1
    security: Security = Security.NONE
    permission: str = "read"
    kind: Kind = Kind.READ
    ws_weight: Weight | None = None


@dataclass(slots=True)
class Operations:
    """All operations of a product, found by method and path or by WebSocket method."""

    rest: dict[tuple[str, str], Operation] = field(default_factory=dict)
    ws: dict[str, Operation] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)

    def add(self, operations: Iterable[Operation]) -> None:
        """Take operations in."""
        for operation in operations:
            for route in operation.rest:
                method, path = route.split(" ")
                self.rest[method, path] = operation
                self.paths.add(path)
            for method in operation.ws:
                self.ws[method] = operation


def cost(weight: Weight, params: Params) -> int:
    """Return the weight of one request."""
    return weight if isinstance(weight, int) else weight(params)
