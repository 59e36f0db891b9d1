"""Rate limits kept on our side: weighted buckets, turns by priority, bans obeyed, budgets shared by processes."""

from __future__ import annotations

import asyncio
import hashlib
import heapq
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from enum import IntEnum
from pathlib import Path
from threading import RLock
from types import TracebackType

import msgspec

from lanner.core.errors import ConfigError
from lanner.net.errors import RateLimited
from lanner.net.sharing import SharedCells
from lanner.net.wallclock import wall_ns
from lanner.net.windows import CELLS, Window

_BLOCKED_UNTIL = 0
_HEADER = 1
_LOOK_AGAIN_S = 0.25
"""Other processes give no sign when they leave room, so a shared budget is looked at this often."""


class Priority(IntEnum):
    """Whose turn comes first when a budget is short."""

    CANCEL = 0
    STOP = 1
    AMEND = 2
    NEW = 3
    READ = 4


class BucketStatus(msgspec.Struct, frozen=True):
    """One limit at one moment; ``foreign`` is the part of ``used`` that others behind our address spent."""

    name: str
    used: int
    foreign: int
    limit: int
    interval_s: float


class LimiterStatus(msgspec.Struct, frozen=True):
    """All limits at one moment; ``blocked_s`` > 0 while the venue wants silence."""

    buckets: tuple[BucketStatus, ...]
    waiting: dict[str, int]
    blocked_s: float
    reason: str


class _Turn:
    """A waiter. The heap compares it."""

    __slots__ = ("costs", "future", "key", "priority")

    def __init__(
        self, priority: Priority, number: int, costs: Mapping[str, int], future: asyncio.Future[None]
    ) -> None:
        self.key = (int(priority), number)
        self.priority = priority
        self.costs = costs
        self.future = future

    def __lt__(self, other: _Turn) -> bool:
        return self.key < other.key


class _Both:
    """The locks of two shared files, always taken in the same order."""

    __slots__ = ("_first", "_second")

    def __init__(self, first: SharedCells, second: SharedCells) -> None:
        self._first, self._second = first, second

    def __enter__(self) -> object:
        self._first.__enter__()
        return self._second.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._second.__exit__(kind, error, trace)
        self._first.__exit__(kind, error, trace)


class RateLimiter:
    """Give out turns so that no bucket is overdrawn.

    ``buckets`` maps names to (limit, seconds). ``reserve`` is the fraction of each bucket that only CANCEL and STOP
    may touch. ``shared`` is a file that all processes behind one address name: they then draw on one budget, and a
    ban that one of them meets stops them all. ``apart`` are buckets that the venue counts for each account: they are
    shared in ``shared_apart``, a file of the account's. Use one limiter in one event loop.
    """

    def __init__(
        self,
        buckets: Mapping[str, tuple[int, float]],
        *,
        shared: str | Path | None = None,
        apart: Collection[str] = (),
        shared_apart: str | Path | None = None,
        reserve: float = 0.0,
        clock: Callable[[], int] | None = None,
    ) -> None:
        if not 0 <= reserve < 1:
            raise ConfigError("the reserve cannot be kept", expected="0 <= reserve < 1", found=reserve)
        self._clock = clock or wall_ns
        self._share = 1.0 - reserve
        self._turns: list[_Turn] = []
        self._numbers = 0
        self._timer: asyncio.TimerHandle | None = None
        self._reason = ""
        self._shared: list[SharedCells] = []
        self._windows: dict[str, Window] = {}
        self._parts: list[memoryview] = []
        self._cells = self._open({name: one for name, one in buckets.items() if name not in apart}, shared)
        self._open({name: one for name, one in buckets.items() if name in apart}, shared_apart)
        self._lock: AbstractContextManager[object] = RLock()  # cheaper than a context that does nothing
        if self._shared:
            self._lock = self._shared[0] if len(self._shared) == 1 else _Both(*self._shared)

    def _open(self, buckets: Mapping[str, tuple[int, float]], shared: str | Path | None) -> memoryview:
        """Make the windows of some buckets in memory that is shared where there is a file for it."""
        count = _HEADER + CELLS * len(buckets)
        if shared and (buckets or not self._shared):
            self._shared.append(SharedCells(Path(shared), count, layout=_layout(buckets), kept=1))
            cells = self._shared[-1].cells
        else:
            cells = memoryview(bytearray(8 * count)).cast("q")
        for index, (name, (limit, interval_s)) in enumerate(buckets.items()):
            first = _HEADER + CELLS * index
            part = cells[first : first + CELLS]
            self._parts.append(part)
            self._windows[name] = Window(limit, interval_s, part)
        return cells

    # -- turns -----------------------------------------------------------------------------------------

    def try_acquire(self, costs: Mapping[str, int], priority: Priority = Priority.READ) -> float:
        """Take the tokens now and return 0, or take nothing and return the seconds to wait at least."""
        if self._turns and self._head_goes_before(priority):
            self._check(costs, priority)
            return max(self._wait_s(self._turns[0].costs, self._turns[0].priority), 0.001)
        try:
            return self._take(costs, priority)
        except KeyError:
            self._check(costs, priority)
            raise

    async def acquire(
        self,
        costs: Mapping[str, int],
        priority: Priority = Priority.READ,
        *,
        timeout_s: float | None = None,
    ) -> None:
        """Wait for a turn: by priority, then by arrival. Raises ``RateLimited`` when it would take too long."""
        wait_s = self.try_acquire(costs, priority)
        if wait_s == 0.0:
            return
        if timeout_s is not None and wait_s > timeout_s:
            raise self._too_long(wait_s)
        self._numbers += 1
        turn = _Turn(priority, self._numbers, dict(costs), asyncio.get_running_loop().create_future())
        heapq.heappush(self._turns, turn)
        self._drain()
        try:
            async with asyncio.timeout(timeout_s):
                await turn.future
        except TimeoutError:
            raise self._too_long(max(self._wait_s(costs, priority), 0.001)) from None
        finally:
            if not turn.future.done():
                turn.future.cancel()
            self._drain()

    # -- what the venue says ---------------------------------------------------------------------------

    def feed(self, bucket: str, used: int) -> None:
        """Take over the venue's own count of a bucket."""
        window = self._windows.get(bucket)
        if window is not None:
            with self._lock:
                window.feed(self._clock(), used)

    def block(self, until_ns: int, reason: str) -> None:
        """Let nothing through until then, whatever its priority: the venue has said so (429, 418)."""
        with self._lock:
            if until_ns > self._cells[_BLOCKED_UNTIL]:
                self._cells[_BLOCKED_UNTIL] = until_ns
                self._reason = reason

    def status(self) -> LimiterStatus:
        """Describe all buckets, the queue and the ban, for people."""
        now = self._clock()
        with self._lock:
            buckets = tuple(
                BucketStatus(name, window.used(now), window.foreign(now), window.limit, window.interval_s)
                for name, window in self._windows.items()
            )
            blocked = max(0, self._cells[_BLOCKED_UNTIL] - now)
        waiting = {
            priority.name: sum(turn.priority is priority and not turn.future.done() for turn in self._turns)
            for priority in Priority
        }
        return LimiterStatus(buckets, waiting, blocked / 1e9, self._reason if blocked else "")

    def close(self) -> None:
        """Send waiters away and give a shared file back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for turn in self._turns:
            turn.future.cancel()
        self._turns.clear()
        self._windows.clear()
        if self._shared:
            for part in self._parts:
                part.release()
            for one in self._shared:
                one.close()
            self._shared.clear()

    # -- inside ----------------------------------------------------------------------------------------

    def _check(self, costs: Mapping[str, int], priority: Priority) -> None:
        share = self._share_of(priority)
        for name, weight in costs.items():
            window = self._windows.get(name)
            if window is None:
                raise ConfigError(
                    f"there is no rate-limit bucket {name!r}",
                    expected=f"one of {', '.join(self._windows) or 'none'}",
                )
            if weight > int(window.limit * share):
                raise ConfigError(
                    f"a request of weight {weight} never fits into bucket {name!r}",
                    expected=f"at most {int(window.limit * share)}",
                )

    def _share_of(self, priority: Priority) -> float:
        return 1.0 if priority <= Priority.STOP else self._share

    def _head_goes_before(self, priority: Priority) -> bool:
        while self._turns and self._turns[0].future.done():
            heapq.heappop(self._turns)
        return bool(self._turns) and self._turns[0].priority <= priority

    def _take(self, costs: Mapping[str, int], priority: Priority) -> float:
        """Take the tokens where there is room; a name that is no bucket is a ``KeyError``."""
        share = 1.0 if priority <= Priority.STOP else self._share
        windows = self._windows
        with self._lock:
            now = self._clock()
            room = self._cells[_BLOCKED_UNTIL] <= now
            for name, weight in costs.items():
                room = windows[name].has_room(now, weight, share) and room
            if room:
                for name, weight in costs.items():
                    windows[name].add(weight)
                return 0.0
            self._check(costs, priority)
            return self._wait_ns(costs, priority)[0] / 1e9

    def _wait_s(self, costs: Mapping[str, int], priority: Priority) -> float:
        with self._lock:
            return self._wait_ns(costs, priority)[0] / 1e9

    def _wait_ns(self, costs: Mapping[str, int], priority: Priority) -> tuple[int, int]:
        now = self._clock()
        share = self._share_of(priority)
        wait_ns = max(0, self._cells[_BLOCKED_UNTIL] - now)
        for name, weight in costs.items():
            wait_ns = max(wait_ns, self._windows[name].wait_ns(now, weight, share))
        return wait_ns, now

    def _drain(self) -> None:
        """Hand out turns while they fit, then sleep until the first waiter's time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._turns:
            turn = self._turns[0]
            if not turn.future.done():
                wait_s = self._take(turn.costs, turn.priority)
                if wait_s > 0.0:
                    if self._shared:
                        wait_s = min(wait_s, _LOOK_AGAIN_S)
                    self._timer = asyncio.get_running_loop().call_later(wait_s, self._drain)
                    return
                turn.future.set_result(None)
            heapq.heappop(self._turns)

    def _too_long(self, wait_s: float) -> RateLimited:
        until = self._cells[_BLOCKED_UNTIL]
        if until > self._clock():
            return RateLimited(
                f"the venue wants no requests ({self._reason or 'a ban met by another process'})",
                wait_s=wait_s,
            )
        return RateLimited("the rate limit leaves no room", wait_s=wait_s)


def _layout(buckets: Mapping[str, tuple[int, float]]) -> int:
    text = repr([(name, limit, float(interval_s)) for name, (limit, interval_s) in buckets.items()])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
