"""The writer's thread against databases that are locked, stopped, full or not there: nobody waits, nothing is lost."""

from __future__ import annotations

import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from lanner.storage.ledger.fold import fold_journal
from lanner.storage.ledger.reading import LedgerView
from lanner.storage.ledger.rebuild import rebuild
from lanner.storage.ledger.records import Entry, Event
from lanner.storage.ledger.store import Ledger
from lanner.storage.ledger.writer import LedgerState, LedgerWriter, Pace, SessionEnd, read_events
from tests.postgres import Postgres
from tests.unit.storage.ledger.journals import START, Book, whole_session

TEN_S = 10_000_000_000
TABLES = ("orders", "fills", "equity", "adjustments")


class Trading:
    """A session's side of the ledger: a journal that is written, and the entries that it hands over."""

    def __init__(self, folder: Path, url: str, pairs: int = 3, **pace: Any) -> None:
        self.folder = folder / "s1"
        self.book: Book = whole_session(self.folder, pairs)
        self.entries: list[Entry] = [
            entry
            for _, entries in fold_journal(self.folder / "journal", TEN_S)
            for entry in entries
            if not isinstance(entry, Event)
        ]
        self.told: list[tuple[str, str]] = []
        self.url = url
        self.writer = LedgerWriter(
            Ledger(url, wait_s=0.2), self.folder, Pace(**{"flush_s": 0.01, **pace}), self._tell
        )
        self.writer.start()

    def _tell(self, topic: str, state: LedgerState) -> None:
        self.told.append((topic, state.error))

    def go_on(self, count: int = 1000) -> None:
        """Hand the next entries over."""
        some, self.entries = self.entries[:count], self.entries[count:]
        for entry in some:
            self.writer.put(entry)

    def until(self, holds: Callable[[], object], what: str) -> None:
        """Wait until something holds."""
        end = time.monotonic() + 120
        while not holds():
            assert time.monotonic() < end, f"{what} does not come: {self.writer.state}"
            time.sleep(0.01)

    def until_down(self) -> None:
        self.until(lambda: self.told and self.told[-1][0] == "ledger.down", "the alarm")

    def until_written(self) -> None:
        self.until(
            lambda: self.writer.state.up and not self.writer._queue and not self.writer._missing,
            "the last row",
        )

    def end(self, timeout_s: float = 30.0) -> LedgerState:
        """Hand the rest over and end the session."""
        self.go_on()
        return self.writer.finish(SessionEnd("ended", "", self.book.ts, self.book.journal.seq), timeout_s)


def rows(url: str) -> dict[str, Any]:
    ledger = Ledger(url)
    view = LedgerView(ledger)
    found = {name: getattr(view, name)("s1") for name in TABLES}
    ledger.close()
    return found


def truth(folder: Path, tmp_path: Path) -> dict[str, Any]:
    """Return the rows that the journal alone leads to."""
    url = f"sqlite:///{tmp_path}/truth.db"
    ledger = Ledger(url)
    rebuild(ledger, folder)
    ledger.close()
    return rows(url)


def assert_nothing_is_missing(trading: Trading, tmp_path: Path) -> None:
    found, wanted = rows(trading.url), truth(trading.folder, tmp_path)
    wanted["equity"] = wanted["equity"][: len(found["equity"])]  # the last point is the session's own to give
    for name in TABLES:
        assert found[name] == wanted[name], name
    assert len(found["orders"]) > 5
    ledger = Ledger(trading.url)
    assert LedgerView(ledger).session("s1")["complete"]
    ledger.close()


def test_all_entries_become_rows(url: str, tmp_path: Path) -> None:
    trading = Trading(tmp_path, url)
    state = trading.end()
    assert (state.complete, state.dropped, state.caught_up) == (True, 0, 0)
    assert trading.told == []
    assert_nothing_is_missing(trading, tmp_path)


def test_what_a_full_queue_drops_is_made_from_the_journal(url: str, tmp_path: Path) -> None:
    trading = Trading(tmp_path, url, pairs=40, queue=3, batch=2)
    state = trading.end()
    assert state.dropped > 0
    assert state.caught_up > 0
    assert state.complete
    assert_nothing_is_missing(trading, tmp_path)


def test_a_file_that_somebody_else_locks_is_told_and_made_up_for(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    trading = Trading(tmp_path, url, pairs=40, queue=30)
    trading.go_on(50)
    trading.until_written()
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    trading.go_on(60)
    trading.until_down()
    assert "locked" in trading.told[-1][1]
    assert trading.writer.state.dropped > 0
    other.execute("COMMIT")
    other.close()
    trading.until(lambda: trading.told[-1][0] == "ledger.up", "the all-clear")
    state = trading.end()
    assert state.complete
    assert_nothing_is_missing(trading, tmp_path)


def test_a_server_that_stops_and_comes_back_misses_nothing(postgres_ready: Postgres, tmp_path: Path) -> None:
    url = postgres_ready.create("stops", "ready")
    trading = Trading(tmp_path, url, pairs=40, queue=30)
    trading.go_on(50)
    trading.until_written()
    postgres_ready.stop()
    try:
        trading.go_on(60)
        trading.until_down()
        assert trading.writer.state.dropped > 0
    finally:
        postgres_ready.start()
    trading.until(lambda: trading.told[-1][0] == "ledger.up", "the all-clear")
    state = trading.end()
    assert state.complete
    assert_nothing_is_missing(trading, tmp_path)


def test_a_server_that_does_not_answer_holds_up_neither_trading_nor_the_end(
    postgres_ready: Postgres, tmp_path: Path
) -> None:
    import psycopg

    url = postgres_ready.create("silent", "ready")
    trading = Trading(tmp_path, url, pairs=40)
    trading.go_on(20)
    trading.until_written()
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE fills IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        trading.go_on(200)
        state = trading.end(timeout_s=1.0)
        assert time.monotonic() - started < 60
        assert (state.up, state.complete) == (False, False)
        assert "no answer" in state.error
    ledger = Ledger(url)
    assert rebuild(ledger, trading.folder).fills == 120
    ledger.close()
    assert_nothing_is_missing(trading, tmp_path)


def test_a_server_that_is_silent_is_told_before_it_answers_again(
    postgres_ready: Postgres, tmp_path: Path
) -> None:
    import psycopg

    url = postgres_ready.create("mute", "ready")
    trading = Trading(tmp_path, url, pairs=40, silent_s=0.5)
    trading.go_on(20)
    trading.until_written()
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE fills IN ACCESS EXCLUSIVE MODE")
        trading.go_on(60)

        def is_down() -> bool:
            trading.writer.look()
            return not trading.writer.state.up

        trading.until(is_down, "the alarm")
        assert trading.told[-1] == ("ledger.down", "no answer for 0.5 s")
    trading.until(lambda: trading.told[-1][0] == "ledger.up", "the all-clear")
    assert trading.end().complete
    assert_nothing_is_missing(trading, tmp_path)


SLOW_ROWS = """
CREATE TRIGGER slow BEFORE INSERT ON fills BEGIN
    SELECT count(*) FROM (
        WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3000000) SELECT x FROM n
    );
END
"""


def test_a_thread_that_computes_is_not_silent(tmp_path: Path) -> None:
    """Rows that take SQLite seconds of a processor, in one batch: nobody waits for an answer."""
    trading = Trading(tmp_path, f"sqlite:///{tmp_path}/ledger.db", pairs=4, silent_s=3.0)
    trading.go_on(1)
    trading.until(lambda: trading.writer.state.written, "the first row")
    with sqlite3.connect(tmp_path / "ledger.db") as other:
        other.execute(SLOW_ROWS)
    other.close()
    trading.go_on()

    def is_through() -> bool:
        trading.writer.look()
        return not (trading.writer._queue or trading.writer._asked_ns)

    trading.until(is_through, "the end of the batch")
    assert trading.told == []
    assert trading.end().complete


def test_a_ledger_that_never_comes_lets_the_session_end_and_is_rebuilt_later(tmp_path: Path) -> None:
    place = tmp_path / "occupied"
    place.write_text("a file where the ledger's folder should be")
    trading = Trading(tmp_path, f"sqlite:///{place}/ledger.db")
    trading.writer.put_event(Event("1-1", START, "critical", "system.fault", "told when nobody could write"))
    trading.until_down()
    started = time.monotonic()
    state = trading.end()
    assert time.monotonic() - started < 60
    assert not state.up
    assert not state.complete
    place.unlink()
    ledger = Ledger(trading.url)
    rebuild(ledger, trading.folder)
    [event] = [e for e in LedgerView(ledger).events("s1") if e["topic"] == "system.fault"]
    assert event["text"] == "told when nobody could write"
    ledger.close()
    assert_nothing_is_missing(trading, tmp_path)


@contextmanager
def no_more_than(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size: what a full disk says, without filling one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_told_and_made_up_for_when_there_is_room_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    trading = Trading(tmp_path, url, pairs=60, queue=100)
    trading.go_on(40)
    trading.until_written()
    with no_more_than(100_000):
        trading.go_on(300)
        trading.until_down()
    trading.until(lambda: trading.told[-1][0] == "ledger.up", "the all-clear")
    assert trading.end().complete
    assert_nothing_is_missing(trading, tmp_path)


def test_a_newer_ledger_is_told_as_such_and_not_touched(url: str, tmp_path: Path) -> None:
    ledger = Ledger(url)
    with ledger.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    ledger.close()
    trading = Trading(tmp_path, url)
    trading.until_down()
    assert "newer version" in trading.told[-1][1]
    assert not trading.end().complete


def test_passwords_are_kept_out_of_the_alarm(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    trading = Trading(tmp_path, "postgresql://me:hush@127.0.0.1:1/db")
    trading.until_down()
    state = trading.end()
    assert "127.0.0.1" in state.error
    assert "hush" not in str(state)


def test_the_trading_side_never_waits_for_a_locked_ledger(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    trading = Trading(tmp_path, url, pairs=200, queue=100)
    trading.until_written()
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    trading.go_on(10)
    trading.until_down()  # the writer waits for the lock from now on
    started = time.perf_counter()
    count = len(trading.entries)
    trading.go_on(count)
    assert count > 400
    assert time.perf_counter() - started < 20.0  # waiting for the lock each time would take minutes
    other.execute("COMMIT")
    other.close()
    assert trading.end().complete


def test_a_session_that_goes_on_is_covered_from_its_journal_unless_the_ledger_has_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    trading = Trading(tmp_path, url)
    trading.entries = []
    trading.writer.cover(trading.book.journal.seq)
    first = trading.end()
    assert first.caught_up > 0
    assert_nothing_is_missing(trading, tmp_path)
    pace = Pace(flush_s=0.01)
    writer = LedgerWriter(Ledger(url), trading.folder, pace, lambda _topic, _state: None)
    writer.start()
    writer.cover(trading.book.journal.seq)
    state = writer.finish(SessionEnd("ended", "", trading.book.ts, trading.book.journal.seq), 30)
    assert (state.caught_up, state.complete) == (0, True)


def test_a_name_that_is_used_again_starts_afresh(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    ledger = Ledger(url)
    whole_session(tmp_path / "before" / "s1", pairs=9)
    rebuild(ledger, tmp_path / "before" / "s1")
    with ledger.transaction() as connection:
        connection.execute(text("UPDATE sessions SET started_ns = started_ns - 1"))
    ledger.close()
    assert len(rows(url)["fills"]) == 27
    trading = Trading(tmp_path, url, pairs=2)
    assert trading.end().complete
    assert_nothing_is_missing(trading, tmp_path)


def test_events_that_were_cut_off_in_their_file_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(
        b'{"event":"1-1","ts":1,"level":"info","topic":"a","text":"b"}\n{"event":"1-2","ts":'
    )
    assert read_events(tmp_path) == [Event("1-1", 1, "info", "a", "b")]
    assert read_events(tmp_path / "nowhere") == []
