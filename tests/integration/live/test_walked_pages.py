"""The tutorial "from backtest to live" and the kill switch drill, walked in a shell as they are written.

All commands of a page run in one script. What the reader does by looking, the script does by waiting: a venue is there
when its port answers, a session when it tells its status. The port of the page is replaced by a free one.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import unused_port

DOCS = Path(__file__).resolve().parents[3] / "docs"
BLOCK = re.compile(r"^```(?P<kind>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```", re.M | re.S)
EXITS = re.compile(r"\s+# exits with (\d+)$")
LIMIT_S = 800

pytestmark = [
    pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash to walk the page in"),
    pytest.mark.timeout(LIMIT_S + 60),
]


def script(page: str, folder: Path, port: int) -> str:
    """Write the files of a page and return its commands as a script."""
    lines = ["set -u", "ended() { echo it ended with $code; cat background.log; exit 99; }"]
    for block in BLOCK.finditer(page):
        if block["title"]:
            (folder / block["title"]).write_text(block["text"], encoding="utf-8")
        if block["kind"] != "console":
            continue
        for line in block["text"].splitlines():
            assert line.startswith("$ "), f"not a command: {line}"
            lines += step(line.removeprefix("$ ").replace("8090", str(port)), port)
    return "\n".join(lines) + "\n"


def step(command: str, port: int) -> list[str]:
    """Return the lines of one command: said, done, and its end compared with what the page says of it."""
    said = f"echo {shlex.quote(command)}"
    if command.endswith("&"):
        return [said, f"{command[:-1]} >> background.log 2>&1 &", *wait_for(command, port)]
    wanted = EXITS.search(command)
    return [
        said,
        EXITS.sub("", command),
        f"code=$?; [ $code -eq {wanted[1] if wanted else 0} ] || ended",
    ]


def wait_for(command: str, port: int) -> list[str]:
    """Return the lines that wait until something in the background is there."""
    if "venue serve" in command:
        return [f"until (: < /dev/tcp/127.0.0.1/{port}) 2> /dev/null; do sleep 0.1; done"]
    session = re.search(r"--session (\S+)", command)
    assert session, f"what is to be waited for? {command}"
    # Holding something is what a reader sees before going on.
    return [
        f"until lanner status {session[1]} --json 2> /dev/null | grep -q '\"fills\": [1-9]'; do",
        "  kill -0 $! 2> /dev/null || { cat background.log; exit 98; }",
        "  sleep 1",
        "done",
    ]


def walk(name: str, folder: Path) -> str:
    """Walk a page in a folder; return what its commands printed."""
    text = script((DOCS / name).read_text(encoding="utf-8"), folder, unused_port())
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    for tool, line in (
        ("lanner", f'exec {sys.executable} -m lanner "$@"'),
        ("python3", f'exec {sys.executable} "$@"'),
    ):
        (bin_folder / tool).write_text(f"#!/bin/sh\n{line}\n")
        (bin_folder / tool).chmod(0o755)
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("LANNER_")},
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "LANNER_HOME": str(folder / "home"),
        "NO_COLOR": "1",
    }
    process = subprocess.Popen(
        ["bash", "-c", text],
        cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip
    try:
        out, _ = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, _ = process.communicate()
        log = (folder / "background.log").read_text()
        pytest.fail(f"{name} did not come to its end\n{out}\n--- in the background\n{log}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, out
    return out


def test_the_way_from_a_backtest_to_a_live_session_is_as_written(tmp_path: Path) -> None:
    out = walk("tutorials/from-backtest-to-live.md", tmp_path)
    assert "impossible" not in out
    assert out.count("same") >= 1


@pytest.mark.nightly
def test_the_kill_switch_drill_is_as_written(tmp_path: Path) -> None:
    out = walk("how-to/kill-switch-drill.md", tmp_path)
    assert "flat" in out
    assert "1 order cancelled, 1 position closed" in out
