"""How each venue's book stream is joined to a snapshot and checked for gaps: pure state machines.

A machine takes messages and answers with effects; it owns no book, no socket and no clock::

    Apply(update)        put it into the book
    NeedSnapshot(why)    the book is not valid: ask for a snapshot (or subscribe again)
    Gap(expected, found) messages are missing; NeedSnapshot follows
    Buffered(count)      kept until the snapshot comes
    Stale(seq)           old news, nothing to do

The caller clears its book when it sees a ``Gap``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from lanner.core.errors import ConfigError
from lanner.model.market import BookUpdate

MAX_BUFFERED = 20_000


class Apply(msgspec.Struct, frozen=True, gc=False):
    """Put this update into the book."""

    update: BookUpdate


class NeedSnapshot(msgspec.Struct, frozen=True, gc=False):
    """Fetch a snapshot, or subscribe again where the stream itself sends one."""

    reason: str


class Gap(msgspec.Struct, frozen=True, gc=False):
    """At least one message is missing: this number was expected, that one came."""

    expected: int
    found: int


class Buffered(msgspec.Struct, frozen=True, gc=False):
    """The update waits for a snapshot, together with so many in all."""

    count: int


class Stale(msgspec.Struct, frozen=True, gc=False):
    """The update is older than what the book already shows."""

    seq: int


Effect = Apply | NeedSnapshot | Gap | Buffered | Stale


class BinanceSync:
    """Join Binance's diff-depth stream to a REST snapshot.

    ``seq`` is the event's ``u``, ``first_seq`` its ``U``, ``prev_seq`` its ``pu`` (futures only), and a
    snapshot's ``seq`` its ``lastUpdateId``, here L.

    * Spot: events with u ≤ L are dropped, the first one kept has U ≤ L+1 ≤ u, each next one U = u' + 1.
    * Futures: events with u < L are dropped, the first one kept has U ≤ L ≤ u, each next one pu = u'.
      Update numbers are shared by all symbols there, so in a quiet market L can lie between two events;
      one with pu ≤ L is joined too, since nothing behind the snapshot can be missing.
    """

    __slots__ = ("_asked", "_buffer", "_futures", "_last", "_snapshot_seq")

    def __init__(self, *, futures: bool) -> None:
        self._futures = futures
        self._buffer: deque[BookUpdate] = deque()
        self._last: int | None = None
        self._snapshot_seq: int | None = None
        self._asked = False

    @property
    def synchronised(self) -> bool:
        """Tell whether the book is valid."""
        return self._last is not None

    def follows(self, update: BookUpdate) -> bool:
        """Take an update and return True where it is simply the next one; False leaves everything to ``push``."""
        last = self._last
        if last is None or update.snapshot or update.seq <= last:
            return False
        if self._futures:
            if update.prev_seq != last:
                return False
        elif update.first_seq != last + 1:
            return False
        self._last = update.seq
        return True

    def push(self, update: BookUpdate) -> list[Effect]:
        """Take a snapshot or a stream event."""
        if update.snapshot:
            return self._join(update)
        if self._last is None:
            return self._first(update) if self._snapshot_seq is not None else self._keep(update)
        return self._next(update, self._last)

    def reset(self) -> None:
        """Forget everything, e.g. after a disconnect."""
        self._buffer.clear()
        self._last = self._snapshot_seq = None
        self._asked = False

    def _keep(self, update: BookUpdate) -> list[Effect]:
        if len(self._buffer) >= MAX_BUFFERED:
            self._buffer.popleft()
        self._buffer.append(update)
        effects: list[Effect] = [Buffered(len(self._buffer))]
        if not self._asked:
            self._asked = True
            effects.append(NeedSnapshot("the stream has begun"))
        return effects

    def _join(self, snapshot: BookUpdate) -> list[Effect]:
        effects: list[Effect] = [Apply(snapshot)]
        self._last = None
        self._snapshot_seq = snapshot.seq
        waiting, self._buffer = self._buffer, deque()
        for update in waiting:
            effects += self.push(update)
        return effects

    def _first(self, update: BookUpdate) -> list[Effect]:
        """Judge an event behind a snapshot that no event has been joined to yet."""
        assert self._snapshot_seq is not None
        edge = self._snapshot_seq if self._futures else self._snapshot_seq + 1
        if update.seq < edge:
            return [Stale(update.seq)]
        linked = self._futures and 0 < update.prev_seq <= self._snapshot_seq
        if update.first_seq > edge and not linked:
            return self._lost(update, edge, update.first_seq, "the snapshot is older than the stream")
        self._last = update.seq
        return [Apply(update)]

    def _next(self, update: BookUpdate, last: int) -> list[Effect]:
        if update.seq <= last:
            return [Stale(update.seq)]
        expected, found = (last, update.prev_seq) if self._futures else (last + 1, update.first_seq)
        if expected == found:
            self._last = update.seq
            return [Apply(update)]
        return self._lost(update, expected, found, "messages are missing")

    def _lost(self, update: BookUpdate, expected: int, found: int, reason: str) -> list[Effect]:
        self.reset()
        self._asked = True
        self._buffer.append(update)
        return [Gap(expected, found), NeedSnapshot(reason)]


class ConsecutiveSync:
    """Follow a stream that begins with a snapshot and numbers its messages one by one (Bybit).

    A snapshot, also one in the middle, starts afresh; so does a message numbered 1, which is a whole book
    after a restart of the service, whatever its type says.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: int | None = None

    @property
    def synchronised(self) -> bool:
        """Tell whether the book is valid."""
        return self._last is not None

    def follows(self, update: BookUpdate) -> bool:
        """Take an update and return True where it is simply the next one; False leaves everything to ``push``."""
        last = self._last
        if last is None or update.snapshot or update.seq != last + 1 or update.seq == 1:
            return False
        self._last = update.seq
        return True

    def push(self, update: BookUpdate) -> list[Effect]:
        """Take a snapshot or a stream event."""
        last = self._last
        if update.snapshot or update.seq == 1:
            self._last = update.seq
            return [Apply(update if update.snapshot else replace(update, snapshot=True))]
        if last is None:
            return [NeedSnapshot("an update came before the snapshot")]
        if update.seq <= last:
            return [Stale(update.seq)]
        if update.seq != last + 1:
            self._last = None
            return [Gap(last + 1, update.seq), NeedSnapshot("messages are missing")]
        self._last = update.seq
        return [Apply(update)]

    def reset(self) -> None:
        """Forget everything, e.g. after a disconnect."""
        self._last = None


class LinkedSync:
    """Follow a stream whose updates name their predecessor (OKX: ``seqId`` and ``prevSeqId``).

    A keep-alive repeats the last number and changes nothing; after maintenance the numbers may go down,
    which is no gap as long as the link holds.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: int | None = None

    @property
    def synchronised(self) -> bool:
        """Tell whether the book is valid."""
        return self._last is not None

    def follows(self, update: BookUpdate) -> bool:
        """Take an update and return True where it is simply the next one; False leaves everything to ``push``."""
        last = self._last
        if last is None or update.snapshot or update.prev_seq != last:
            return False
        self._last = update.seq
        return True

    def push(self, update: BookUpdate) -> list[Effect]:
        """Take a snapshot or a stream event."""
        last = self._last
        if update.snapshot:
            self._last = update.seq
            return [Apply(update)]
        if last is None:
            return [NeedSnapshot("an update came before the snapshot")]
        if update.prev_seq != last:
            self._last = None
            return [Gap(last, update.prev_seq), NeedSnapshot("messages are missing")]
        self._last = update.seq
        return [Apply(update)]

    def reset(self) -> None:
        """Forget everything, e.g. after a disconnect."""
        self._last = None


class SnapshotSync:
    """Follow a stream of nothing but whole books (Hyperliquid): each newer one replaces the last."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: int | None = None

    @property
    def synchronised(self) -> bool:
        """Tell whether the book is valid."""
        return self._last is not None

    def follows(self, update: BookUpdate) -> bool:
        """Take an update and return True where it is simply the next one; False leaves everything to ``push``."""
        last = self._last
        if last is None or update.ts_event < last or not update.snapshot:
            return False
        self._last = update.ts_event
        return True

    def push(self, update: BookUpdate) -> list[Effect]:
        """Take a snapshot."""
        if not update.snapshot:
            return [NeedSnapshot("this venue sends whole books only")]
        if self._last is not None and update.ts_event < self._last:
            return [Stale(update.seq)]
        self._last = update.ts_event
        return [Apply(update)]

    def reset(self) -> None:
        """Forget everything, e.g. after a disconnect."""
        self._last = None


BookSync = BinanceSync | ConsecutiveSync | LinkedSync | SnapshotSync

RULES: dict[str, Callable[[], BookSync]] = {
    "binance_spot": lambda: BinanceSync(futures=False),
    "binance_usdm": lambda: BinanceSync(futures=True),
    "binance_coinm": lambda: BinanceSync(futures=True),
    "bybit": ConsecutiveSync,
    "okx": LinkedSync,
    "hyperliquid": SnapshotSync,
}
"""Which machine follows which venue's stream."""


def book_sync(rule: str) -> BookSync:
    """Return a fresh machine for a venue's stream."""
    if rule not in RULES:
        raise ConfigError("unknown book rule", expected=", ".join(RULES), found=repr(rule))
    return RULES[rule]()
