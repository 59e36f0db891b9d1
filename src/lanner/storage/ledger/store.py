"""One connection to the ledger: opened with its schema brought up to date, written to in whole batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, Engine, Table, case, create_engine, delete, event, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from lanner.core.errors import ConfigError, LannerError
from lanner.storage.ledger.address import HIDDEN, address_of, file_of, passwords_in, redacted_address
from lanner.storage.ledger.records import Row
from lanner.storage.ledger.schema import upgrade
from lanner.storage.ledger.tables import FILLS, METADATA, OF_A_SESSION, ORDERS, SESSIONS

if TYPE_CHECKING:
    from sqlalchemy.sql.dml import Insert

FAULTS = (SQLAlchemyError, OSError, LannerError)
"""What a database, its disk or its network can do to us."""
_KEPT = {ORDERS.name: ("strategy", "intent", "tag", "parent_id"), FILLS.name: ("strategy", "tag")}
"""What a row that knows less does not erase."""


class Standing(NamedTuple):
    """How far a session's rows cover its journal, when that began, and whether nothing is missing."""

    started_ns: int
    seq: int
    complete: bool


class Ledger:
    """A ledger by its address; nothing is opened before it is needed. Not to be shared between threads.

    ``wait_s`` is how long a locked file or a silent server is waited for.
    """

    def __init__(self, url: str = "", *, wait_s: float = 5.0) -> None:
        self._address = address_of(url)
        self.name = redacted_address(self._address)
        self.file = file_of(self._address)
        self._passwords = passwords_in(self._address)
        self._wait_s = wait_s
        self._engine = self._make_engine()
        self._connection: Connection | None = None
        self._upserts: dict[str, Insert] = {}

    def __repr__(self) -> str:
        return f"<Ledger {self.name}>"

    # -- opening and closing -------------------------------------------------------------------------------

    def _make_engine(self) -> Engine:
        if self.file is not None:
            arguments: dict[str, Any] = {"timeout": self._wait_s, "check_same_thread": False}
        else:
            _need_psycopg()
            arguments = {
                "connect_timeout": max(2, round(self._wait_s)),
                "application_name": "lanner",
                "keepalives_idle": 10,
                "tcp_user_timeout": 15_000,
            }
        try:
            engine = create_engine(self._address, poolclass=NullPool, connect_args=arguments)
        except (ArgumentError, ValueError) as error:
            raise ConfigError(
                "the ledger's address cannot be understood",
                expected="sqlite:///PATH or postgresql://USER@HOST/NAME",
                found=self.name,
            ) from error
        event.listen(engine, "connect", self._prepare)
        return engine

    def _prepare(self, connection: Any, _record: Any) -> None:
        """Let readers and the writer of a file not wait for each other; let no server keep us waiting for ever."""
        cursor = connection.cursor()
        try:
            if self.file is not None:
                cursor.execute("PRAGMA journal_mode=WAL")
                cursor.execute("PRAGMA synchronous=NORMAL")
            else:
                cursor.execute(f"SET statement_timeout = {max(10_000, round(self._wait_s * 2000))}")
                connection.commit()
        finally:
            cursor.close()

    @property
    def exists(self) -> bool:
        """Tell whether there may be something to read, without making a file."""
        return self.file is None or self.file.exists()

    def open(self) -> Connection:
        """Return the connection, made and brought up to date where there is none yet."""
        if self._connection is None:
            if self.file is not None:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                self.file.touch(mode=0o600)
            upgrade(self._engine, None if self.file is None else self.file.parent)
            self._connection = self._engine.connect()
        return self._connection

    def close(self) -> None:
        """Give the connection back, also a broken one; the next use opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except SQLAlchemyError:
                connection.invalidate()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Do everything inside, or nothing; a fault gives the connection up."""
        try:
            connection = self.open()
            with connection.begin():
                yield connection
        except FAULTS:
            self.close()
            raise

    # -- writing -------------------------------------------------------------------------------------------

    def write(self, rows: Mapping[str, Sequence[Row]]) -> int:
        """Insert rows by table, or bring those that are there up to date, in one transaction; return how many."""
        count = 0
        with self.transaction() as connection:
            for table, entries in rows.items():
                if entries:
                    connection.execute(self._upsert(METADATA.tables[table]), list(entries))
                    count += len(entries)
        return count

    def replace(self, session: str, rows: Iterator[Mapping[str, Sequence[Row]]]) -> int:
        """Put rows in the place of everything that a session has, in one transaction; return how many."""
        count = 0
        with self.transaction() as connection:
            _forget(connection, session)
            for batch in rows:
                for name, entries in batch.items():
                    if entries:
                        connection.execute(self._upsert(METADATA.tables[name]), list(entries))
                        count += len(entries)
        return count

    def forget(self, session: str) -> None:
        """Remove everything that belongs to a session, its own row aside."""
        with self.transaction() as connection:
            _forget(connection, session)

    def owners(self, session: str) -> dict[str, tuple[str, str, str, str]]:
        """Return strategy, intent, tag and parent of each order that the ledger knows of a session."""
        columns = ORDERS.c
        asked = select(
            columns.order_id, columns.strategy, columns.intent, columns.tag, columns.parent_id
        ).where(columns.session == session, columns.strategy != "")
        with self.transaction() as connection:
            return {row[0]: (row[1], row[2], row[3], row[4]) for row in connection.execute(asked)}

    def standing(self, session: str) -> Standing | None:
        """Return what the ledger has of a session, None when nothing."""
        columns = SESSIONS.c
        asked = select(columns.started_ns, columns.journal_seq, columns.complete).where(
            columns.session == session
        )
        with self.transaction() as connection:
            row = connection.execute(asked).one_or_none()
        return None if row is None else Standing(int(row[0]), int(row[1]), bool(row[2]))

    def _upsert(self, table: Table) -> Insert:
        found = self._upserts.get(table.name)
        if found is None:
            insert = (postgresql if self.file is None else sqlite).insert(table)
            keys = [column.name for column in table.primary_key]
            kept = _KEPT.get(table.name, ())
            fresh = insert.excluded
            changes: dict[str, Any] = {
                column.name: case((fresh[column.name] != "", fresh[column.name]), else_=column)
                if column.name in kept
                else fresh[column.name]
                for column in table.columns
                if column.name not in keys
            }
            found = insert.on_conflict_do_update(index_elements=keys, set_=changes)
            self._upserts[table.name] = found
        return found

    # -- words ---------------------------------------------------------------------------------------------

    def words(self, error: BaseException) -> str:
        """Return what went wrong as one line without passwords."""
        if isinstance(error, LannerError):
            text = error.message()
        else:
            text = str(getattr(error, "orig", None) or error) or type(error).__name__
        text = " ".join(text.split())
        for password in self._passwords:
            text = text.replace(password, HIDDEN)
        return text[:300]

    def unreachable(self, error: BaseException) -> LannerError:
        """Return a fault of the database as an error for people."""
        if isinstance(error, LannerError):
            return error
        return LannerError(
            f"the ledger cannot be used: {self.name}",
            found=self.words(error),
            fix="Look whether the server runs and the address is right (ledger.url, LANNER_LEDGER__URL).",
        )


def _forget(connection: Connection, session: str) -> None:
    for table in OF_A_SESSION:
        connection.execute(delete(table).where(table.c.session == session))


def _need_psycopg() -> None:
    try:
        import psycopg  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise LannerError(
            "a ledger in PostgreSQL needs another package",
            expected="psycopg",
            fix="pip install 'lanner[postgres]'",
        ) from error
