"""The kill switch of a home folder: it outlives its process, and what cannot be read counts as set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lanner.control.errors import KillSwitchActiveError
from lanner.control.killswitch import (
    LAST,
    clear_kill_switch,
    kill_switch_file,
    kill_switch_reason,
    refuse_killed,
    set_kill_switch,
)
from lanner.control.manager import EngineManager
from lanner.core.errors import ConfigError, LannerError
from lanner.live.killswitch import LATCH, locked

REQUEST = {"session_id": "a", "strategy_type": "dual_ma", "exchange": "binance", "symbol": "BTC"}


def test_a_manager_that_is_made_anew_still_refuses_to_start_anything() -> None:
    first = EngineManager()
    assert first.activate_kill_switch("the prices are wrong").flat
    again = EngineManager()
    assert again.kill_switch_reason == "the prices are wrong"
    assert again.get_health().status == "kill_switch"
    with pytest.raises(KillSwitchActiveError, match="kill switch"):
        again.start_live(REQUEST)
    with pytest.raises(ConfigError, match="reason"):
        again.deactivate_kill_switch("  ")
    assert again.kill_switch_reason
    assert again.deactivate_kill_switch("they are right again")
    assert not first.kill_switch_reason
    assert not again.deactivate_kill_switch("once more")
    told = json.loads(kill_switch_file().with_name(LAST).read_text())
    assert (told["reason"], told["cleared"]) == ("the prices are wrong", "they are right again")


def test_the_first_reason_stays() -> None:
    set_kill_switch("")
    set_kill_switch("the second")
    assert kill_switch_reason() == "no reason told"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"x"'])
def test_a_file_that_cannot_be_read_counts_as_set(content: bytes) -> None:
    kill_switch_file().write_bytes(content)
    assert kill_switch_reason() == "its file cannot be read"
    with pytest.raises(KillSwitchActiveError):
        refuse_killed()
    assert clear_kill_switch("looked at") == "its file cannot be read"
    refuse_killed()


def test_a_folder_in_the_files_place_counts_as_set_and_is_not_taken_off_silently() -> None:
    kill_switch_file().mkdir()
    assert kill_switch_reason() == "its file cannot be read"
    with pytest.raises(LannerError, match="cannot be taken off"):
        clear_kill_switch("looked at")
    assert kill_switch_reason()


def test_a_manager_keeps_what_the_disk_refuses_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LANNER_HOME", str(tmp_path / "file" / "home"))
    manager = EngineManager()
    result = manager.activate_kill_switch("a full disk")
    assert "kill switch" in result.errors[0]
    assert not result.flat
    assert manager.kill_switch_reason == "a full disk"
    with pytest.raises(KillSwitchActiveError):
        manager.start_live(REQUEST)
    assert manager.deactivate_kill_switch("there is room again")
    assert not manager.kill_switch_reason


@pytest.mark.parametrize("content", ["", "[]", "null", "{}", '"x"'])
def test_a_sessions_latch_that_cannot_be_read_holds(tmp_path: Path, content: str) -> None:
    (tmp_path / LATCH).write_text(content)
    assert locked(tmp_path) == "the latch cannot be read"
