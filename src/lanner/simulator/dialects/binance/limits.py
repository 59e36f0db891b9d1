"""Limits of the venue: request weight per address, orders per account, both in fixed windows of UTC time.

Over the weight: 429 with ``Retry-After``. Going on regardless: 418, a ban of two minutes that doubles each time.
Orders over the limit: 429 without ``Retry-After`` and code -1015.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lanner.simulator.dialects.binance.errors import ApiError

SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}
_NS = 10**9
FIRST_BAN_S = 120
LONGEST_BAN_S = 3 * 86400
PATIENCE = 10
"""Requests a client may send after its first 429 of a window before it is banned."""


@dataclass(frozen=True, slots=True)
class Limit:
    """So much per so many intervals."""

    kind: str
    interval: str
    num: int
    limit: int

    @property
    def window_s(self) -> int:
        """Return the length of the window."""
        return SECONDS[self.interval] * self.num

    @property
    def suffix(self) -> str:
        """Return the end of the header's name: ``10S``, ``1M``, ``1D``."""
        return f"{self.num}{self.interval[0]}"

    def row(self, count: int | None = None) -> dict[str, Any]:
        """Return the limit as the venue lists it, with the count where one is asked for."""
        found: dict[str, Any] = {
            "rateLimitType": self.kind,
            "interval": self.interval,
            "intervalNum": self.num,
            "limit": self.limit,
        }
        if count is not None:
            found["count"] = count
        return found


@dataclass(frozen=True, slots=True)
class Words:
    """The product's own texts for requests that are too many."""

    too_much: str
    banned: str


SPOT_WORDS = Words(
    "Too much request weight used; current limit is {limit} request weight per {interval}. "
    "Please use WebSocket Streams for live updates to avoid polling the API.",
    "Way too much request weight used; IP banned until {until}. "
    "Please use WebSocket Streams for live updates to avoid bans.",
)
USDM_WORDS = Words(
    "Too many requests; current limit is {limit} requests per minute. "
    "Please use the websocket for live updates to avoid polling the API.",
    "Way too many requests; IP banned until {until}. Please use the websocket for live updates to avoid bans.",
)


class Window:
    """Count in one fixed window."""

    __slots__ = ("_end_ns", "count", "limit", "start_ns")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.count = 0
        self.start_ns = self._end_ns = 0

    def used(self, now_ns: int) -> int:
        """Return the count of the window that ``now`` lies in."""
        if not self.start_ns <= now_ns < self._end_ns:
            length = self.limit.window_s * _NS
            self.start_ns = now_ns - now_ns % length
            self._end_ns = self.start_ns + length
            self.count = 0
        return self.count

    def rest_s(self, now_ns: int) -> int:
        """Return the whole seconds until the window ends, at least 1."""
        return max(1, self.limit.window_s - now_ns // _NS % self.limit.window_s)


class _Address:
    __slots__ = ("banned_until", "bans", "over", "over_since", "raw", "weight")

    def __init__(self, weight: Limit, raw: Limit | None) -> None:
        self.weight = Window(weight)
        self.raw = None if raw is None else Window(raw)
        self.over = 0
        self.over_since = -1
        self.bans = 0
        self.banned_until = 0


class Limits:
    """Keep the books of all limits of one product."""

    def __init__(
        self, weight: Limit, orders: tuple[Limit, ...], raw: Limit | None = None, words: Words = SPOT_WORDS
    ) -> None:
        self._words = words
        self.weight_limit = weight
        self.raw_limit = raw
        self.order_limits = orders
        self._addresses: dict[str, _Address] = {}
        self._orders: dict[str, tuple[Window, ...]] = {}

    def spend(self, address: str, weight: int, now_ns: int) -> int:
        """Take weight from an address and return what it has used; refuse with 429 or 418 when it is too much."""
        found = self._addresses.get(address)
        if found is None:
            found = self._addresses[address] = _Address(self.weight_limit, self.raw_limit)
        if now_ns < found.banned_until:
            raise self.banned(now_ns, found.banned_until)
        used = found.weight.used(now_ns)
        if found.over_since != found.weight.start_ns:
            found.over_since = found.weight.start_ns
            found.over = 0
        if used + weight > self.weight_limit.limit:
            return self._over(found, now_ns)
        found.weight.count = used + weight
        if found.raw is not None:
            found.raw.used(now_ns)
            found.raw.count += 1
            if found.raw.count > found.raw.limit.limit:
                return self._over(found, now_ns)
        return used + weight

    def used(self, address: str, now_ns: int) -> int:
        """Return the weight an address has used in this window."""
        found = self._addresses.get(address)
        return 0 if found is None else found.weight.used(now_ns)

    def is_banned(self, address: str, now_ns: int) -> bool:
        """Tell whether an address is banned."""
        found = self._addresses.get(address)
        return found is not None and now_ns < found.banned_until

    def _over(self, found: _Address, now_ns: int) -> int:
        found.over += 1
        if found.over > PATIENCE:
            ban_s = min(FIRST_BAN_S << found.bans, LONGEST_BAN_S)
            found.bans += 1
            found.over = 0
            found.banned_until = now_ns + ban_s * _NS
            raise self.banned(now_ns, found.banned_until)
        raise self.too_much(now_ns, found.weight.rest_s(now_ns))

    def too_much(self, now_ns: int, retry_after_s: int) -> ApiError:
        """Return the refusal of a request that is over the weight."""
        limit = self.weight_limit
        return ApiError(
            -1003,
            self._words.too_much.format(limit=limit.limit, interval=f"{limit.num} {limit.interval}"),
            status=429,
            data={"serverTime": now_ns // 10**6, "retryAfter": now_ns // 10**6 + retry_after_s * 1000},
            retry_after=retry_after_s,
        )

    def banned(self, now_ns: int, until_ns: int) -> ApiError:
        """Return the refusal of an address that is banned."""
        until_ms = until_ns // 10**6
        return ApiError(
            -1003,
            self._words.banned.format(until=until_ms),
            status=418,
            data={"serverTime": now_ns // 10**6, "retryAfter": until_ms},
            retry_after=max(1, -(-(until_ns - now_ns) // _NS)),
        )

    def check_orders(self, account: str, now_ns: int, count: int = 1) -> None:
        """Refuse new orders that would be too many."""
        for window in self._windows(account):
            if window.used(now_ns) + count > window.limit.limit:
                limit = window.limit
                raise ApiError(
                    -1015,
                    f"Too many new orders; current limit is {limit.limit} orders per "
                    f"{limit.num} {limit.interval}.",
                    status=429,
                )

    def count_orders(self, account: str, now_ns: int, count: int = 1) -> None:
        """Count orders that were accepted (negative: orders that traded); never below zero."""
        for window in self._windows(account):
            window.count = max(0, window.used(now_ns) + count)

    def order_rows(self, account: str, now_ns: int) -> list[dict[str, Any]]:
        """Return the order limits with their counts."""
        return [window.limit.row(window.used(now_ns)) for window in self._windows(account)]

    def order_headers(self, account: str, now_ns: int) -> dict[str, str]:
        """Return the headers that go with an accepted order."""
        return {
            f"X-MBX-ORDER-COUNT-{window.limit.suffix}": str(window.used(now_ns))
            for window in self._windows(account)
        }

    def weight_row(self, address: str, now_ns: int) -> dict[str, Any]:
        """Return the weight limit with what the address has used."""
        return self.weight_limit.row(self.used(address, now_ns))

    def all_rows(self) -> list[dict[str, Any]]:
        """Return every limit as ``exchangeInfo`` lists them."""
        rows = [self.weight_limit.row()]
        rows.extend(limit.row() for limit in self.order_limits)
        if self.raw_limit is not None:
            rows.append(self.raw_limit.row())
        return rows

    def _windows(self, account: str) -> tuple[Window, ...]:
        found = self._orders.get(account)
        if found is None:
            found = self._orders[account] = tuple(Window(limit) for limit in self.order_limits)
        return found
