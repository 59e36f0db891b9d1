"""Every example runs as its README says, trades, and is rejected by nobody."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest

from tests.here import lanner_here

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
README = (EXAMPLES / "README.md").read_text(encoding="utf-8")
DATA = re.search(r"```sh\n(.*?)```", README, re.S)
RUNS = re.findall(r"`((?:lanner|python) [^`]+)` \|$", README, re.M)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    assert DATA is not None
    for line in DATA[1].splitlines():
        run(line, folder)
    return folder


def run(line: str, home: Path, *more: str) -> str:
    program, *words = shlex.split(line)
    if program == "lanner":
        with chdir(EXAMPLES.parent):
            done = lanner_here([*words, *more], {"LANNER_HOME": str(home)})
    else:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=EXAMPLES.parent,
            env=dict(os.environ) | {"LANNER_HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=240,
        )
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    return done.stdout


def test_every_example_is_in_the_readme() -> None:
    files = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".yaml")}
    assert files == set(re.findall(r"^\| \[([a-z_.]+)\]", README, re.M))
    assert len(RUNS) == len(files)


@pytest.mark.parametrize("line", [line for line in RUNS if line.startswith("lanner")])
def test_an_example_trades(line: str, home: Path) -> None:
    found = json.loads(run(line, home, "--json", "--no-report"))
    assert found["trades"] >= 10
    assert found["orders"] >= found["trades"]
    assert not [text for text in found["warnings"] if "reject" in text or "denied" in text]


@pytest.mark.parametrize("line", [line for line in RUNS if line.startswith("python")])
def test_a_script_prints_its_table(line: str, home: Path) -> None:
    assert run(line, home).count("<Backtest ") == 3
