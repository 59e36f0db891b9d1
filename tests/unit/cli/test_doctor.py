"""What the doctor finds, and what its exit code says."""

from __future__ import annotations

import json
import os
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

from lanner.cli import health
from lanner.cli.health import BAD, GOOD, WARN, Check
from lanner.cli.main import main
from lanner.cli.render.health import health_text
from lanner.storage.environment import default_runs
from lanner.storage.runs import RunStore


def found(name: str) -> Check:
    return next(check for check in health.run_checks() if check.name == name)


def test_a_fresh_home_is_healthy_and_says_where_data_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is True
    status = {check["name"]: check["status"] for check in said["checks"]}
    assert {status[name] for name in ("python", "packages", "clock", "home", "catalog", "runs", "cache")} == {
        GOOD
    }
    assert status["stored data"] == WARN


def test_a_home_that_cannot_be_written_is_red_and_the_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("LANNER_HOME", str(blocked))
    assert main(["doctor"]) == 1
    assert "BAD   home" in capsys.readouterr().out


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission_is_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    monkeypatch.setenv("LANNER_HOME", str(home))
    assert found("runs").status == BAD


def test_damaged_runs_are_named_with_the_command_that_removes_them() -> None:
    (RunStore(default_runs()).root / "20260101-000000-x-0000").mkdir(parents=True)
    check = found("stored runs")
    assert check.status == WARN
    assert check.fix == "Remove it: lanner runs delete 20260101-000000-x-0000."


def test_a_damaged_passport_is_red(own_home: Path) -> None:
    folder = own_home / "catalog" / "passports"
    folder.mkdir(parents=True)
    (folder / "bars__A__1h.json").write_text("{")
    assert found("stored data").status == BAD


def test_a_ledger_that_cannot_be_used_is_red(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found("ledger") == Check("ledger", GOOD, f"none yet: sqlite:///{own_home}/ledger.db")
    (own_home / "ledger.db").write_bytes(b"this is no database " * 100)
    check = found("ledger")
    assert check.status == BAD
    assert "not a database" in check.text
    monkeypatch.setenv("LANNER_LEDGER__URL", "mysql://me:hush@host/db")
    check = found("ledger")
    assert (check.status, "hush" in check.text) == (BAD, False)


def test_a_check_that_breaks_is_amber_and_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def _broken_thing() -> None:
        raise OSError("no such device")

    monkeypatch.setattr(health, "_CHECKS", (_broken_thing, *health._CHECKS))
    checks = health.run_checks()
    assert checks[0] == Check("broken thing", WARN, "could not be checked: OSError: no such device")
    assert len(checks) > 10


def test_missing_optional_parts_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_OPTIONAL", {"no_such_module": ("No-Such", "research", "something")})
    check = found("No-Such")
    assert (check.status, check.fix) == (WARN, "When you need it: pip install 'lanner[research]'")


def test_every_optional_part_belongs_to_an_extra_that_asks_for_its_package() -> None:
    asked = {
        (re.split(r"[^A-Za-z0-9-]", text)[0].lower(), text.split("extra ==")[1].strip(" '\""))
        for text in metadata.requires("lanner") or []
        if "extra ==" in text
    }
    assert {(package.lower(), extra) for package, extra, _ in health._OPTIONAL.values()} <= asked


def test_variables_that_mean_nothing_are_amber_and_a_near_name_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANNER_CATALOGUE", "/data")
    check = found("environment")
    assert (check.status, check.fix) == (WARN, "Did you mean LANNER_CATALOG?")
    assert "LANNER_CATALOGUE means nothing" in check.text


def test_a_variable_with_a_value_it_cannot_have_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANNER_CACHE_SIZE", "plenty")
    check = found("environment")
    assert (check.status, check.text) == (BAD, "LANNER_CACHE_SIZE: 'plenty' is not a size")


def test_variables_that_are_set_are_shown(monkeypatch: pytest.MonkeyPatch, own_home: Path) -> None:
    monkeypatch.setenv("LANNER_PROGRESS", "never")
    check = found("environment")
    assert check.status == GOOD
    assert check.text == f"LANNER_HOME={own_home}, LANNER_PROGRESS=never"


def test_quiet_shows_only_what_is_not_green() -> None:
    checks = [Check("a", GOOD, "fine"), Check("b", WARN, "so so", "Mend it.")]
    assert health_text(checks, quiet=True) == "warn  b  so so\n         → Mend it."
    assert "1 green, 1 amber, 0 red" in health_text(checks)


def test_colours_are_only_used_when_asked_for() -> None:
    checks = [Check("a", GOOD, "fine")]
    assert "\x1b[" not in health_text(checks)
    assert "\x1b[32mok  \x1b[0m" in health_text(checks, colour=True)
    assert sys.stdout is not None
