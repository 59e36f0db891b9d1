"""The schema: from every revision to the tables of the code, by one process at a time, and never backwards."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from lanner.storage.ledger import migrations
from lanner.storage.ledger.address import address_of, file_of
from lanner.storage.ledger.schema import HEAD, REVISIONS, NewerLedgerError, revision_of, upgrade
from lanner.storage.ledger.store import Ledger
from lanner.storage.ledger.tables import METADATA


def bare(url: str) -> Engine:
    file = file_of(address_of(url))
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    return create_engine(address_of(url), poolclass=NullPool)


def lock_folder(url: str) -> Path | None:
    file = file_of(address_of(url))
    return None if file is None else file.parent


@pytest.mark.parametrize("start", ["", *REVISIONS])
def test_every_earlier_revision_comes_to_the_tables_of_the_code(empty_url: str, start: str) -> None:
    engine = bare(empty_url)
    if start:
        upgrade(engine, lock_folder(empty_url), to=start)
        with engine.connect() as connection:
            assert revision_of(connection) == start
    ledger = Ledger(empty_url)
    connection = ledger.open()
    assert revision_of(connection) == HEAD
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    assert compare_metadata(context, METADATA) == []
    for table in METADATA.tables.values():
        found = inspect(connection)
        keys = found.get_pk_constraint(table.name)
        assert keys["constrained_columns"] == [column.name for column in table.primary_key]
        assert {index["name"] for index in found.get_indexes(table.name)} == {
            str(index.name) for index in table.indexes
        }
    ledger.close()


def test_rows_survive_an_upgrade(empty_url: str) -> None:
    engine = bare(empty_url)
    upgrade(engine, lock_folder(empty_url), to="0001")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO equity VALUES ('old', '', 7, 123.5)"))
    ledger = Ledger(empty_url)
    found = ledger.open().execute(text("SELECT session, ts, equity FROM equity")).one()
    assert tuple(found) == ("old", 7, 123.5)
    ledger.close()


def test_the_revisions_named_in_the_code_are_those_of_the_folder() -> None:
    [folder] = migrations.__path__
    script = ScriptDirectory(folder)
    steps = [step.revision for step in script.walk_revisions()][::-1]
    assert tuple(steps) == REVISIONS
    assert script.get_current_head() == HEAD


def test_a_ledger_of_a_newer_version_is_refused_and_left_alone(empty_url: str) -> None:
    ledger = Ledger(empty_url)
    ledger.open()
    ledger.close()
    with bare(empty_url).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerLedgerError, match=r"newer version.*9999.*Update Lanner"):
        Ledger(empty_url).open()
    with bare(empty_url).connect() as connection:
        assert revision_of(connection) == "9999"


def test_two_that_open_an_empty_ledger_at_once_do_not_meet(empty_url: str) -> None:
    faults: list[BaseException] = []

    def open_it() -> None:
        ledger = Ledger(empty_url)
        try:
            ledger.open()
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            faults.append(error)
        finally:
            ledger.close()

    threads = [threading.Thread(target=open_it) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert faults == []


MANY = """
import json, sys, threading
from sqlalchemy import inspect
from lanner.storage.ledger.store import Ledger
from lanner.storage.ledger.tables import METADATA

together = threading.Barrier(8, timeout=60)
made = []

def make(one):
    together.wait()
    for nth in range(4):
        ledger = Ledger(f"sqlite:///{sys.argv[1]}/{one}-{nth}/l.db")
        missing = set(METADATA.tables) - set(inspect(ledger.open()).get_table_names())
        ledger.close()
        made.append(sorted(missing))

threads = [threading.Thread(target=make, args=(one,)) for one in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(made))
"""


def test_different_ledgers_that_are_made_at_once_in_one_process_do_not_meet(tmp_path: Path) -> None:
    """In a process of its own: without care SQLite dies of a statement that was another connection's."""
    made = subprocess.run(
        [sys.executable, "-c", MANY, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert (made.returncode, made.stderr) == (0, "")
    assert json.loads(made.stdout) == [[]] * 32, "the tables that are missing in each ledger"


DIES = """
import os, sys
import alembic.command, alembic.context, lanner.storage.ledger.tables
from pathlib import Path
from sqlalchemy import create_engine, event
from lanner.storage.ledger.address import address_of, file_of
from lanner.storage.ledger.schema import upgrade

url, last = sys.argv[1], int(sys.argv[2])
engine = create_engine(address_of(url))
ran = 0

def count(connection, cursor, statement, *more):
    global ran
    ran += 1
    if ran == last:
        os._exit(9)

event.listen(engine, "after_cursor_execute", count)
file = file_of(address_of(url))
for nth in range(1, last + 1):
    pid = os.fork()
    if not pid:
        last = nth
        upgrade(engine, file.parent)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    os.replace(file, file.with_name(f"{nth}.db"))
    for rest in ("-wal", "-journal"):
        if os.path.exists(f"{file}{rest}"):
            os.replace(f"{file}{rest}", file.with_name(f"{nth}.db{rest}"))
"""


def test_a_process_that_dies_while_it_makes_the_schema_leaves_a_ledger_that_the_next_one_can_make(
    tmp_path: Path,
) -> None:
    statements = 40
    died = subprocess.run(
        [sys.executable, "-c", DIES, f"sqlite:///{tmp_path}/l.db", str(statements)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout.split()
    assert died.count("9") > 10, "so many statements make the schema"
    assert died == sorted(died, reverse=True), "and then it is made"
    assert died[-1] == "0"
    for nth in range(1, statements + 1):
        ledger = Ledger(f"sqlite:///{tmp_path}/{nth}.db")
        assert revision_of(ledger.open()) == HEAD, nth
        ledger.close()


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/l.db")
    ledger.open()
    ledger.close()
    assert (tmp_path / "l.db").stat().st_mode & 0o077 == 0


def test_the_page_of_tables_names_every_column_of_this_schema() -> None:
    page = (Path(__file__).resolve().parents[4] / "docs" / "reference" / "ledger.md").read_text()
    assert f"schema {HEAD}" in page
    for table in METADATA.tables.values():
        section = page.split(f"## {table.name}\n")[1].split("\n## ")[0]
        named = re.findall(r"^\| (?:\*\*)?`(\w+)`", section, re.M)
        assert named == [column.name for column in table.columns], table.name
