"""Ledgers of both kinds, and journals of any length to fill them from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lanner.storage.ledger.store import Ledger
from tests.postgres import Postgres, postgres_server

READY = "ready"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Run one server for all tests of a worker."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_ready(postgres: Postgres) -> Postgres:
    """Return the server with a ledger in it that others are copied from."""
    _make(postgres.create(READY))
    return postgres


@pytest.fixture(scope="session")
def file_ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a ledger that others are copied from."""
    file = tmp_path_factory.mktemp("ledger") / "ledger.db"
    _make(f"sqlite:///{file}")
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a database without tables, of both kinds by turns."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/books/ledger.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.create(_name(tmp_path))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a ledger without rows, of both kinds by turns."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("file_ready"), tmp_path / "ledger.db")
        return f"sqlite:///{tmp_path}/ledger.db"
    server: Postgres = request.getfixturevalue("postgres_ready")
    return server.create(_name(tmp_path), READY)


def _name(folder: Path) -> str:
    return f"ledger-{folder.parent.name}-{folder.name}"[:60]


def _make(url: str) -> None:
    ledger = Ledger(url)
    ledger.open()
    ledger.close()
