"""The outermost wall: what each kind of fault looks like and which exit code it has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lanner import __version__
from lanner.cli import main as wall
from lanner.cli.commands.table import COMMANDS, GROUPS, Command

BREAKING = tuple(
    Command(name, f"tests.unit.cli.commands_that_break:{name}", "A test.", "System")
    for name in ("boom", "missing", "refused", "interrupted", "seven", "typed")
)


@pytest.fixture(autouse=True)
def breaking_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wall, "COMMANDS", (*COMMANDS, *BREAKING))
    monkeypatch.delenv("LANNER_DEBUG", raising=False)


def test_an_error_shows_its_four_parts_on_stderr_and_sets_its_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert wall.main(["missing"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "error: no cat\n  expected  one of tom, felix\n  found     'garfield'\n  fix       Feed it.\n"
    )


def test_with_json_an_error_is_one_object_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert wall.main(["refused", "--json"]) == 4  # the command takes no --json
    capsys.readouterr()
    assert wall.main(["runs", "show", "nothing", "--json"]) == 2
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out)["error"] == "NotFoundError"
    assert json.loads(out)["exit_code"] == 2


def test_a_refusal_by_risk_has_exit_code_6(capsys: pytest.CaptureFixture[str]) -> None:
    assert wall.main(["refused"]) == 6
    assert capsys.readouterr().err == "error: too much\n"


def test_an_interrupt_has_exit_code_130_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert wall.main(["interrupted"]) == 130
    assert capsys.readouterr().err.strip() == "interrupted: nothing half-finished was kept"


def test_a_commands_own_exit_code_is_passed_on() -> None:
    assert wall.main(["seven"]) == 7


def test_an_unexpected_fault_is_short_and_its_traceback_is_in_a_file(
    capsys: pytest.CaptureFixture[str], own_home: Path
) -> None:
    assert wall.main(["boom"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: something broke inside Lanner: ZeroDivisionError: one by none\n")
    assert "Traceback" not in err
    [saved] = (own_home / "crashes").iterdir()
    assert str(saved) in err
    assert "ZeroDivisionError: one by none" in saved.read_text()


def test_the_crash_file_goes_to_the_temporary_folder_when_home_cannot_be_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("LANNER_HOME", str(blocked))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert wall.main(["boom"]) == 1
    assert f"{tmp_path}/lanner-crash-" in capsys.readouterr().err


def test_a_home_that_is_a_file_is_the_users_mistake_not_a_crash(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("LANNER_HOME", str(blocked))
    assert wall.main(["demo", "--quiet"]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"error: cannot use {blocked}")
    assert "  fix       " in err
    assert "Traceback" not in err


@pytest.mark.parametrize("how", ["flag", "environment"])
def test_debug_shows_the_traceback(
    how: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "environment":
        monkeypatch.setenv("LANNER_DEBUG", "1")
    assert wall.main(["boom", *(["--debug"] if how == "flag" else [])]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dta"], "lanner: no command 'dta'; expected one of demo, "),
        (["typed"], "lanner typed: COUNT is missing. See `lanner typed --help`."),
        (["price"], "lanner price: TARGET is missing; expected INSTRUMENT@VENUE, e.g. BTC-PERP@hyperliquid"),
        (["typed", "x"], "lanner typed: COUNT is wrong; expected a whole number; found 'x'"),
        (["typed", "1", "--size", "big"], "lanner typed: --size is wrong; expected a number; found 'big'"),
        (["typed", "1", "--sise", "2"], "lanner typed: no option --sise. Did you mean --size?"),
        (["typed", "1", "--size"], "lanner typed: --size needs a value"),
        (["typed", "1", "2", "3"], "lanner typed: more words than the command takes; found 2 3"),
        (
            ["runs", "lst"],
            "lanner runs: no command 'lst'; expected one of compare, delete, list, rerun, show.",
        ),
    ],
)
def test_usage_errors_have_the_house_style_and_exit_code_4(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert wall.main([*words, "--json"] if words[0] == "runs" else words) == 4
    out, err = capsys.readouterr()
    if words[0] == "runs":
        said = json.loads(out)
        text = f"{said['message']}; expected {said['expected']}. {said['fix']}"
    else:
        lines = [line.strip().split(maxsplit=1) for line in err.splitlines()]
        parts = dict(lines[1:])
        text = lines[0][1]
        text += f"; expected {parts['expected']}" if "expected" in parts else ""
        text += f"; found {parts['found']}" if "found" in parts else ""
        text += f". {parts['fix']}" if "fix" in parts else ""
    assert text.startswith(message)


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"], ["help", "--json"], ["help", "help"]])
def test_help_lists_every_command_under_its_group(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert wall.main(words) == 0
    out = capsys.readouterr().out
    for command in COMMANDS:
        assert f"  {command.name}" in out
        assert command.summary in out
    assert {command.group for command in COMMANDS} == set(GROUPS)
    assert max(map(len, out.splitlines())) <= 100


def test_help_of_a_command_is_that_commands(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["venue", "serve"], ["buy"]):
        assert wall.main(["help", *words]) == 0
        asked = capsys.readouterr().out
        assert wall.main([*words, "--help"]) == 0
        assert asked == capsys.readouterr().out
        assert f"lanner {' '.join(words)}" in asked
    assert wall.main(["help", "nothing"]) == 4


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert wall.main(["--version"]) == 0
    assert capsys.readouterr().out == f"lanner {__version__}\n"
    assert version("lanner") == __version__


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_of_the_table_loads_and_helps(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert wall.main([command.name, "--help"]) == 0
    assert f"Usage: lanner {command.name}" in capsys.readouterr().out
