"""Addresses of ledgers: what is taken, and that no password is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from lanner.core.errors import ConfigError, LannerError
from lanner.storage.ledger.address import address_of, redacted_address
from lanner.storage.ledger.store import Ledger


def test_no_address_is_a_file_in_lanners_home(own_home: Path) -> None:
    assert address_of("") == f"sqlite:///{own_home}/ledger.db"
    assert Ledger().file == own_home / "ledger.db"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_all_words_for_postgresql_mean_the_same_driver(scheme: str) -> None:
    assert address_of(f"{scheme}://me@host/db") == "postgresql+psycopg://me@host/db"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:pa%40ss@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgresql://me:p@ss@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("postgresql://host/db?user=me&password=pass", "postgresql://host/db?user=me&password=***"),
        ("sqlite:////var/lib/ledger.db", "sqlite:////var/lib/ledger.db"),
        ("", ""),
    ],
)
def test_a_password_is_three_stars(url: str, shown: str) -> None:
    assert redacted_address(url) == shown


def test_an_unknown_database_is_refused_without_repeating_the_password() -> None:
    with pytest.raises(ConfigError) as caught:
        address_of("mysql://me:hush@host/db")
    assert "mysql" in caught.value.message()
    assert "hush" not in caught.value.message()


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    pytest.importorskip("psycopg")
    ledger = Ledger("postgresql://me:hush@127.0.0.1:1/db", wait_s=1)
    assert "hush" not in repr(ledger)
    with pytest.raises(Exception, match=r"127\.0\.0\.1") as caught:
        ledger.open()
    assert "hush" not in ledger.words(caught.value)
    assert "hush" not in str(ledger.unreachable(caught.value))


def test_without_the_driver_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(LannerError, match=r"lanner\[postgres\]"):
        Ledger("postgresql://me@host/db")
