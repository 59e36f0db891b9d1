"""The schema: from every revision to the tables of the code, by one process at a time, and never backwards."""

from __future__ import annotations

import re
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
