"""``lanner ledger`` and ``lanner sessions`` over journals of sessions that are over."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lanner.storage.journal import JournalWriter
from tests.integration.conftest import Run
from tests.unit.storage.ledger.journals import Book, whole_session

Ask = Callable[..., Any]


@pytest.fixture
def ask(lanner: Run) -> Ask:
    """Run a command with ``--json`` and return its object."""

    def run(*words: str, code: int = 0) -> Any:
        found, out, err = lanner(*words, "--json")
        assert found == code, err + out
        return json.loads(out)

    return run


@pytest.fixture
def sessions(own_home: Path) -> Path:
    """Write the journals of a session that ended and of one that was interrupted."""
    folder = own_home / "sessions"
    whole_session(folder / "s1")
    book = Book(folder / "s2", session="s2", name="second")
    book.fill(book.order())
    return folder


def test_the_ledger_is_made_from_the_journals_and_shown(ask: Ask, sessions: Path, own_home: Path) -> None:
    told = {one["session"]: one for one in ask("ledger", "rebuild")["rebuilt"]}
    assert told["s1"]["fills"] == 9
    assert told["s2"]["state"] == "interrupted"
    assert ask("ledger", "rebuild")["rebuilt"] == []
    assert [one["session"] for one in ask("ledger", "rebuild", "--all")["rebuilt"]] == ["s1", "s2"]
    whole = ask("ledger", "show")
    assert whole["ledger"] == f"sqlite:///{own_home}/ledger.db"
    assert whole["rows"]["fills"] == 10
    one = ask("ledger", "show", "s1")
    assert (one["capital"], one["fees"], one["state"]) == ("1000", "0.1111111101", "ended")


def test_orders_fills_equity_and_events_are_listed_exactly(ask: Ask, sessions: Path) -> None:
    ask("ledger", "rebuild")
    orders = ask("ledger", "orders", "s1", "--status", "filled")["orders"]
    assert len(orders) == 6
    assert orders[0]["avg_px"] == "100.0"
    assert len(ask("ledger", "orders", "s1", "--limit", "2")["orders"]) == 2
    assert ask("ledger", "orders", "s1", "--strategy", "Nobody")["orders"] == []
    fills = ask("ledger", "fills", "s1")["fills"]
    assert (fills[0]["px"], fills[0]["qty"], fills[0]["fee"]) == ("100.0", "0.004", "0.0123456789")
    assert ask("ledger", "equity", "s1")["equity"][0]["equity"] == 1000.0
    events = ask("ledger", "events", "s1")
    assert [event["topic"] for event in events["events"]] == ["control.start", "control.stop"]
    assert events["adjustments"][0]["amount"] == "-0.00012"


@pytest.mark.parametrize("what", ["orders", "fills", "equity", "events", "show"])
def test_people_get_tables(lanner: Run, sessions: Path, what: str) -> None:
    lanner("ledger", "rebuild")
    code, out, _ = lanner("ledger", what, "s1")
    assert code == 0
    expected = {"orders": "DENIED (too large)", "fills": "taker", "equity": "1,000.00", "show": "0.11111111"}
    assert expected.get(what, "control.stop") in out


def test_sessions_are_listed_with_what_came_of_them(ask: Ask, lanner: Run, sessions: Path) -> None:
    before = ask("sessions")["sessions"]
    assert [(one["session"], one["state"], one["fills"]) for one in before] == [
        ("s2", "?", None),
        ("s1", "?", None),
    ]
    ask("ledger", "rebuild")
    second, first = ask("sessions")["sessions"]
    assert (first["session"], first["state"], first["orders"], first["fills"]) == ("s1", "ended", 8, 9)
    assert first["pnl"] == pytest.approx(-0.0851111111)
    assert first["duration_s"] > 10
    assert (second["session"], second["state"], second["running"]) == ("s2", "interrupted", False)
    code, out, _ = lanner("sessions")
    assert code == 0
    assert "-0.09 USDT" in out
    assert len(ask("sessions", "--limit", "1")["sessions"]) == 1


def test_a_session_that_could_not_begin_is_none(ask: Ask, lanner: Run, sessions: Path) -> None:
    JournalWriter(
        sessions / "s3" / "journal"
    ).close()  # as one leaves behind that was refused before it connected
    told = ask("ledger", "rebuild")["rebuilt"]
    assert [one["session"] for one in told] == ["s1", "s2"]
    assert [one["session"] for one in ask("sessions")["sessions"]] == ["s2", "s1"]
    assert "does not begin" not in lanner("sessions")[1]


def test_a_session_whose_journal_is_gone_is_still_known(ask: Ask, sessions: Path) -> None:
    ask("ledger", "rebuild")
    for path in sorted((sessions / "s1").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert [one["session"] for one in ask("sessions")["sessions"]] == ["s2", "s1"]
    assert len(ask("ledger", "fills", "s1")["fills"]) == 9


def test_a_ledger_that_is_not_there_or_cannot_be_reached_is_told(
    lanner: Run, ask: Ask, sessions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no ledger yet" in ask("ledger", "orders", code=2)["message"]
    ask("ledger", "rebuild")
    assert "knows no session 'nobody'" in ask("ledger", "fills", "nobody", code=2)["message"]
    assert ask("ledger", "rebuild", "nobody", code=2)["error"] == "NotFoundError"
    pytest.importorskip("psycopg")
    monkeypatch.setenv("LANNER_LEDGER__URL", "postgresql://me:hush@127.0.0.1:1/db")
    code, out, err = lanner("ledger", "show")
    assert code == 1
    assert "127.0.0.1" in err
    assert "hush" not in out + err
    code, out, err = lanner("sessions")
    assert code == 0
    assert "s1" in out
    assert "ledger cannot be asked" in err
    assert "hush" not in out + err


def test_the_address_may_be_kept_somewhere_else(
    ask: Ask, sessions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text(f"sqlite:///{tmp_path}/elsewhere.db\n")
    monkeypatch.setenv("LANNER_LEDGER__URL", "env:BOOKS")
    monkeypatch.setenv("BOOKS_FILE", str(tmp_path / "secret"))
    ask("ledger", "rebuild")
    assert ask("ledger", "show")["ledger"].endswith("/elsewhere.db")
    monkeypatch.delenv("BOOKS_FILE")
    assert "BOOKS" in ask("ledger", "show", code=4)["message"]


def test_the_ledger_is_a_setting_and_its_password_is_never_shown(
    lanner: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hold.py").write_text("import lanner as ln\n\n\nclass Hold(ln.Strategy):\n    pass\n")
    monkeypatch.setenv("LANNER_LEDGER__URL", "postgresql://me:hush@db.example/books")
    monkeypatch.setenv("LANNER_LEDGER__EQUITY_S", "2.5")
    words = ["paper", str(tmp_path / "hold.py"), "-i", "BTC-USDT@binance", "--dry-run", "--json"]
    code, out, err = lanner(*words)
    assert code == 0, err
    ledger = json.loads(out)["config"]["ledger"]
    assert ledger["url"] == "postgresql://me:***@db.example/books" or "REDACTED" in ledger["url"]
    assert ledger["equity_s"] == 2.5
    assert "hush" not in out + err
    code, out, err = lanner(*words, "--set", "ledger.queue=none")
    assert code == 4
    assert "hush" not in out + err
