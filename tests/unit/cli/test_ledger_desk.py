"""What the list of sessions makes of journals and ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from lanner.cli.ledger_desk import with_ledger


def test_a_session_whose_id_would_not_be_taken_today_is_listed_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANNER_HOME", str(tmp_path))
    found, _ = with_ledger([{"session": "two words", "started_ns": 1}, {"session": "../x", "started_ns": 2}])
    assert [entry["session"] for entry in found] == ["../x", "two words"]
    assert not any(entry["running"] for entry in found)
