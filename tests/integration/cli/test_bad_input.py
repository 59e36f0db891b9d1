"""Every mistake a user can make gets its own message and exit code, and never a traceback."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lanner.cli.main import main
from tests.integration.cli.bad_input import CASES, GOOD, HOLD, Case

IN_A_PROCESS = (
    "no such command",
    "many mistakes in one file",
    "a data set that does not exist",
    "on_bar that raises",
)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "btc.csv").write_text(GOOD)
    (folder / "hold.py").write_text(HOLD)
    monkeypatch.chdir(folder)
    return folder


def lay(case: Case, work: Path) -> None:
    for name, text in case.files.items():
        path = work / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="latin-1")


def said(text: str, work: Path, home: Path) -> str:
    """Return what was printed without the machine's own folders and without notes."""
    text = text.replace(str(work), "{work}").replace(str(home), "{home}")
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("note:"))


def test_the_table_is_long_and_names_every_case_once() -> None:
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_mistake_gets_its_message_and_exit_code(
    case: Case, work: Path, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay(case, work)
    code = main(shlex.split(case.words))
    out, err = capsys.readouterr()
    assert said(err, work, own_home) == "error: " + case.message
    assert code == case.code
    assert out == ""
    assert "Traceback" not in err
    assert not (own_home / "crashes").exists()
    assert not list((own_home / "runs").glob("*"))


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name in IN_A_PROCESS], ids=lambda case: case.name
)
def test_a_process_says_the_same_and_its_json_is_one_object(case: Case, work: Path, own_home: Path) -> None:
    lay(case, work)
    command = [sys.executable, "-m", "lanner", *shlex.split(case.words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=dict(os.environ))
    assert done.returncode == case.code
    assert said(done.stderr, work, own_home) == "error: " + case.message
    spoken = subprocess.run(
        [*command, "--json"], capture_output=True, text=True, timeout=120, env=dict(os.environ)
    )
    assert spoken.returncode == case.code
    assert json.loads(spoken.stdout)["exit_code"] == case.code
    assert "error:" not in spoken.stderr
