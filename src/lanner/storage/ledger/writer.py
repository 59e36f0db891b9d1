"""The thread that writes a session's entries into the ledger, and nothing that the session ever waits for.

``put`` never blocks: entries go into a bounded queue, and when that is full they are counted and dropped. What was
dropped is not lost: the journal holds it, and when the database is there again (or at the session's end) the rows are
made from the journal. Events, which no journal holds, go to a file in the session's folder first.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic_ns

import msgspec

from lanner.net.wallclock import wall_ns
from lanner.storage.ledger.fold import Owner, fold_journal, read_head
from lanner.storage.ledger.records import (
    Entry,
    EquityPoint,
    Event,
    Instruments,
    OrderSnap,
    Row,
    capital_of,
    instruments_of,
    rows_of,
    session_row,
)
from lanner.storage.ledger.store import Ledger

EVENTS_FILE = "events.jsonl"
FIRST_RETRY_S = 0.5
LAST_RETRY_S = 30.0
MAX_EVENTS = 10_000
COMPUTES_S = 0.01
"""A thread that took so much of a processor since it was last looked at does not only wait."""
_BREATH_S = 0.001
"""So long the thread rests after each batch while the session runs."""


@dataclass(slots=True)
class LedgerState:
    """How a session's ledger stands. ``dropped`` counts entries that found the queue full, in all."""

    ledger: str
    up: bool = True
    error: str = ""
    written: int = 0
    dropped: int = 0
    caught_up: int = 0
    waiting: int = 0
    complete: bool = False


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """How a session ended: ``ended`` or ``failed``, why, when, at which record of its journal, worth what.

    The first of ``equity`` is the account's.
    """

    state: str
    reason: str
    ts: int
    seq: int
    equity: tuple[EquityPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Pace:
    """How a writer works: most rows of a batch, most entries that wait, seconds between two looks at the queue.

    A database that has not answered for ``silent_s`` counts as down.
    Batches are small because Python lets one thread work at a time: fifty rows take about a millisecond of it.
    """

    batch: int = 50
    queue: int = 50_000
    flush_s: float = 0.25
    equity_ns: int = 10_000_000_000
    silent_s: float = 10.0


class LedgerWriter:
    """Write one session's entries; see the module. ``tell(topic, state)`` is called from the thread on a change."""

    def __init__(
        self, ledger: Ledger, folder: Path, pace: Pace, tell: Callable[[str, LedgerState], None]
    ) -> None:
        self.state = LedgerState(ledger.name)
        self._ledger = ledger
        self._folder = folder
        self._pace = pace
        self._tell = tell
        self._queue: deque[Entry] = deque()
        self._fresh: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._wake = threading.Event()
        self._end: SessionEnd | None = None
        self._giving_up = False
        self._retry_s = 0.0
        self._asked_ns = 0
        self._clock: int | None = None
        self._computed = 0.0
        self._computed_ns = 0
        self._missing = False
        self._cover = 0
        self._covered = 0
        self._row: Row | None = None
        self._stale = True
        self._instruments: Instruments = {}
        self._thread = threading.Thread(target=self._run, name=f"ledger-{folder.name}", daemon=True)

    # -- the trading side ----------------------------------------------------------------------------------

    def put(self, entry: Entry) -> None:
        """Hand an entry over; one that finds no room is counted, and comes from the journal later."""
        if len(self._queue) < self._pace.queue:
            self._queue.append(entry)
        else:
            self.state.dropped += 1
            self._missing = True

    def put_event(self, event: Event) -> None:
        """Hand an event over; of too many that wait the oldest go."""
        self._fresh.append(event)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def cover(self, seq: int) -> None:
        """Make the rows of a journal's records up to this one, unless the ledger has them."""
        self._cover = seq

    def look(self) -> None:
        """Tell where the database has been silent for too long; whoever is served calls it now and then.

        A server that is frozen, or waits for another's lock, leaves the thread without an answer and without an error.
        The thread lives in the machine's time, whatever time the session has. While it computes (the first opening
        takes a busy machine seconds), it does not wait for an answer.
        """
        asked, now = self._asked_ns, monotonic_ns()
        if not asked or not self.state.up:
            return
        computed = self._computed_s()
        if computed - self._computed > COMPUTES_S:
            self._computed, self._computed_ns = computed, now
        if now - max(asked, self._computed_ns) > self._pace.silent_s * 1e9:
            self.state.up = False
            self.state.error = f"no answer for {self._pace.silent_s:g} s"
            self.state.waiting = len(self._queue)
            self._tell("ledger.down", self.state)

    def _computed_s(self) -> float:
        """Return the thread's time on a processor; 0 where it has ended, or the system does not tell."""
        if self._clock is None:
            return 0.0
        try:
            return time.clock_gettime(self._clock)
        except OSError:
            return 0.0

    def finish(self, end: SessionEnd, timeout_s: float) -> LedgerState:
        """Write what waits and the session's end; return how it stands. Blocks for at most ``timeout_s``."""
        self._end = end
        self._wake.set()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._giving_up = True
            self._thread.join(0.5)
        if self._thread.is_alive():
            self.state.up, self.state.error = False, f"no answer within {timeout_s:g} s"
        self.state.waiting = len(self._queue)
        return self.state

    # -- the thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        if hasattr(time, "pthread_getcpuclockid"):
            self._clock = time.pthread_getcpuclockid(threading.get_ident())
        while self._end is None:
            self._wake.wait(self._retry_s or self._pace.flush_s)
            if self._end is None:
                self._turn()
        self._turn()
        self._ledger.close()

    def _turn(self) -> None:
        """Write all that waits; a fault of the database is told once and tried again later."""
        try:
            self._keep_events()
            self._asked_ns = monotonic_ns()
            if self._giving_up or not (self._has_work() and self._has_begun()):
                return
            self._write_session()
            if self._missing or self._cover > self._covered:
                self._catch_up()
            self._write_all()
            if self._end is not None and not self._giving_up:  # else somebody may have made the rows by now
                self._write_end(self._end)
        except Exception as error:  # noqa: BLE001 - the thread's outermost wall: whatever it is, trading goes on
            self._went_down(error)
        else:
            self._came_up()
        finally:
            self._asked_ns = 0

    def _has_work(self) -> bool:
        return bool(
            self._queue
            or self._events
            or self._missing
            or self._stale
            or self._cover > self._covered
            or not self.state.up
            or self._end is not None
        )

    def _has_begun(self) -> bool:
        """Read the journal's head as soon as there is one, and ask how much of it the ledger has."""
        if self._row is None:
            head = read_head(self._folder / "journal")
            if head is None:
                return False
            standing = self._ledger.standing(head.session)
            if standing is not None and standing.started_ns != head.started_ns:
                self._ledger.forget(head.session)  # another session that had the same name
                standing = None
            self._instruments = instruments_of(head)
            self._row = session_row(head)
            if standing is not None:
                self._row["journal_seq"] = standing.seq
                self._covered = standing.seq if standing.complete else 0
            self._queue.appendleft(EquityPoint("", head.started_ns, float(capital_of(head))))
        return True

    def _write_session(self) -> None:
        if self._stale:
            assert self._row is not None
            self._row["updated_ns"] = wall_ns()
            self._ledger.write({"sessions": [self._row]})
            self._stale = False

    def _write_all(self) -> None:
        while (self._queue or self._events) and not self._giving_up:
            entries = self._take()
            try:
                self._write(entries)
            except Exception:
                self._put_back(entries)
                raise
            self._breathe()

    def _write(self, entries: list[Entry]) -> None:
        assert self._row is not None
        rows = rows_of(self._row["session"], entries, self._instruments)
        self.state.written += self._ledger.write(rows)
        for entry in entries:
            if isinstance(entry, EquityPoint) and not entry.strategy:
                self._row["equity"] = entry.equity
                self._stale = True

    def _take(self) -> list[Entry]:
        entries: list[Entry] = []
        while self._events and len(entries) < self._pace.batch:
            entries.append(self._events.popleft())
        while self._queue and len(entries) < self._pace.batch:
            entries.append(self._queue.popleft())
        return entries

    def _put_back(self, entries: list[Entry]) -> None:
        self._events.extendleft(reversed([entry for entry in entries if isinstance(entry, Event)]))
        self._queue.extendleft(reversed([entry for entry in entries if not isinstance(entry, Event)]))

    def _catch_up(self) -> None:
        """Make every row from the journal as it stands; what is dropped meanwhile needs another one.

        What waits in the queue is given up for it: the journal knows newer states, and the entries that would have
        followed may have been dropped. What comes from now on is written between the pieces, and never older than what
        the journal says at its end.
        """
        self._missing = False
        known = self._give_up_waiting()
        before, cover = self.state.written, self._cover
        try:
            for fold, entries in fold_journal(
                self._folder / "journal", self._pace.equity_ns, known=known, pace=self._breathe
            ):
                if self._giving_up:
                    raise TimeoutError("there was no time left to catch up")
                for start in range(0, len(entries), self._pace.batch):
                    self._write(entries[start : start + self._pace.batch])
                    self._breathe()
                self._write_all()
                assert self._row is not None
                self._row["journal_seq"] = max(self._row["journal_seq"], fold.seq)
        except Exception:
            self._missing = True
            raise
        self._covered = max(self._covered, cover)
        self.state.caught_up += self.state.written - before

    def _give_up_waiting(self) -> dict[str, Owner]:
        """Empty the queue; return whose the orders in it are, because the journal's note of it may just be coming."""
        known: dict[str, Owner] = {}
        for _ in range(len(self._queue)):
            entry = self._queue.popleft()
            if isinstance(entry, OrderSnap):
                known[entry.order_id] = (entry.strategy, entry.intent, entry.tag, entry.parent_id)
        return known

    def _write_end(self, end: SessionEnd) -> None:
        """Write how the session ended, and whether nothing is missing."""
        assert self._row is not None
        if self._missing:
            self._catch_up()
        self._row.update(state=end.state, reason=end.reason, ended_ns=end.ts, updated_ns=end.ts)
        self._write(list(end.equity))
        self._row["complete"] = not self._giving_up
        if self._row["complete"]:
            self._row["journal_seq"] = end.seq
        self._ledger.write({"sessions": [self._row]})
        self.state.complete = bool(self._row["complete"])

    def _breathe(self) -> None:
        """Rest beside a running session; at its end there is nobody to be polite to."""
        if self._end is None:
            self._wake.wait(_BREATH_S)
        self._asked_ns = monotonic_ns()

    # -- faults --------------------------------------------------------------------------------------------

    def _went_down(self, error: Exception) -> None:
        self._ledger.close()
        self._retry_s = min(max(FIRST_RETRY_S, self._retry_s * 2), LAST_RETRY_S)
        self.state.error = self._ledger.words(error)
        self.state.waiting = len(self._queue)
        if self.state.up:
            self.state.up = False
            self._tell("ledger.down", self.state)

    def _came_up(self) -> None:
        self._retry_s = 0.0
        self.state.waiting = len(self._queue)
        if not self.state.up:
            self.state.up = True
            self.state.error = ""
            self._tell("ledger.up", self.state)

    def _keep_events(self) -> None:
        """Write new events to the session's own file first: no journal holds them."""
        fresh = []
        while self._fresh:
            fresh.append(self._fresh.popleft())
        if not fresh:
            return
        self._events.extend(fresh)
        try:
            with (self._folder / EVENTS_FILE).open("ab") as file:
                file.writelines(msgspec.json.encode(event) + b"\n" for event in fresh)
        except OSError:
            return  # the database may still take them


def read_events(folder: Path) -> list[Event]:
    """Return the events that a session kept in its folder; a line that was cut off is left out."""
    try:
        lines = (folder / EVENTS_FILE).read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(msgspec.json.decode(line, type=Event))
        except msgspec.DecodeError:
            continue
    return found
