"""Who measures which shard, and how often it was tried: bookkeeping of a pool whose workers may vanish.

A shard is queued, running, done or failed. One that was lost with its worker is queued again, in front of the others,
until it was tried ``ATTEMPTS`` times; its first result counts, later ones are dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sized
from dataclasses import dataclass, field

from lanner.core.errors import LannerError
from lanner.research.sweep_result import Params

ATTEMPTS = 3
_SHOWN = 300


@dataclass(slots=True, frozen=True)
class Job:
    """One try to measure a shard; tries are counted from 1."""

    number: int
    sets: list[Params]
    attempt: int


@dataclass(slots=True)
class PoolState:
    """How a pool stands: shards in each state, tries that were lost, and shards done by each worker.

    ``total`` is None while a search does not know its length; ``processors`` is how many can work now.
    """

    total: int | None = None
    running: int = 0
    done: int = 0
    lost: int = 0
    failed: int = 0
    processors: int = 0
    workers: dict[str, int] = field(default_factory=dict)

    @property
    def queued(self) -> int | None:
        """Return how many shards wait."""
        return None if self.total is None else self.total - self.done - self.running - self.failed


class ShardFailedError(LannerError):
    """A shard could not be measured however often it was tried."""


class Ledger:
    """Hand out the shards of a search one by one and take each result once."""

    def __init__(
        self, shards: Iterable[tuple[int, list[Params]]], state: PoolState, attempts: int = ATTEMPTS
    ) -> None:
        self._coming = iter(shards)
        self._again: deque[Job] = deque()
        self._under_way: dict[tuple[int, int], Job] = {}
        self._finished: set[int] = set()
        self._attempts = attempts
        self.state = state
        if isinstance(shards, Sized):
            state.total = (state.total or 0) + len(shards)

    def next(self) -> Job | None:
        """Return what to try next, or None when everything was handed out."""
        if self._again:
            job = self._again.popleft()
        else:
            coming = next(self._coming, None)
            if coming is None:
                return None
            job = Job(coming[0], coming[1], 1)
        self._under_way[job.number, job.attempt] = job
        self._count()
        return job

    def done(self, job: Job, worker: str) -> bool:
        """Take note of a result; return False for one to drop, of a shard that is done already."""
        self._under_way.pop((job.number, job.attempt), None)
        first = job.number not in self._finished
        if first:
            self._finished.add(job.number)
            self._again = deque(other for other in self._again if other.number != job.number)
            self.state.done += 1
            self.state.workers[worker] = self.state.workers.get(worker, 0) + 1
        self._count()
        return first

    def lost(self, job: Job, cause: str) -> None:
        """Queue a shard again whose worker vanished or failed; raise ShardFailedError after its last try."""
        known = self._under_way.pop((job.number, job.attempt), None)
        self._count()
        if known is None or job.number in self._finished:
            return
        self.state.lost += 1
        if job.attempt >= self._attempts:
            self.state.failed += 1
            raise ShardFailedError(
                f"shard {job.number} failed {job.attempt} times",
                expected=f"{len(job.sets)} variants measured, from {job.sets[0]} to {job.sets[-1]}",
                found=cause if len(cause) <= _SHOWN else f"…{cause[-_SHOWN:]}",
                fix="What is done is kept: mend the cause and run the same command again to go on from there.",
            )
        self._again.append(Job(job.number, job.sets, job.attempt + 1))

    def _count(self) -> None:
        self.state.running = len(self._under_way)
