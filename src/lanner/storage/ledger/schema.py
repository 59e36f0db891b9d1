"""Bring a ledger's schema to this version, and refuse one that is newer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from lanner.core.errors import LannerError
from lanner.storage.files import folder_lock

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0002"
"""The last revision; known here so that a ledger that is up to date opens without alembic."""
REVISIONS = ("0001", "0002")
VERSION_TABLE = "alembic_version"
_PG_LOCK = 0x6C616E6E  # any number that all Lanners agree on
_ALEMBIC = threading.Lock()
"""Alembic's ``op`` and ``context`` are one per process: two ledgers at once would get each other's statements."""


class NewerLedgerError(LannerError):
    """The ledger was made by a newer version of Lanner."""


def revision_of(connection: Connection) -> str:
    """Return the revision of a ledger, empty for a database without one."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return ""
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    return str(found or "")


def check_revision(revision: str) -> None:
    """Raise ``NewerLedgerError`` for a revision that this version does not know."""
    if revision and revision not in REVISIONS:
        raise NewerLedgerError(
            "the ledger was written by a newer version of Lanner",
            expected=f"a schema up to {HEAD}",
            found=revision,
            fix="Update Lanner, or give this one another ledger (ledger.url, LANNER_LEDGER__URL).",
        )


def upgrade(engine: Engine, lock_folder: Path | None = None, *, to: str = HEAD) -> None:
    """Bring the schema up to a revision; one process at a time does so, others wait for it."""
    with engine.connect() as connection:
        found = revision_of(connection)
    check_revision(found)
    if found == to:
        return
    with _ALEMBIC:
        from alembic import command

    with _alone(engine, lock_folder), engine.connect() as connection:
        check_revision(revision_of(connection))
        connection.rollback()
        with connection.begin():
            if lock_folder is not None:  # Python begins no transaction of its own before a CREATE TABLE
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            with _ALEMBIC:
                command.upgrade(_config(connection), to)


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def _alone(engine: Engine, lock_folder: Path | None) -> Iterator[None]:
    """Hold others back: by a lock file beside a SQLite file, by the server's own lock otherwise."""
    if lock_folder is not None:
        with folder_lock(lock_folder):
            yield
        return
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _PG_LOCK})
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _PG_LOCK})
