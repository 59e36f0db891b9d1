"""The demo's second half: sessions that stay, a venue that does not, however the demo ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

LANNER = [sys.executable, "-m", "lanner"]
VENUE = "lanner.cli.demo_venue"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the demo in a home of its own."""
    process = subprocess.Popen(
        [*LANNER, "demo", "--years", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LANNER_HOME": str(tmp_path / "home")},
    )
    yield process
    process.kill()
    process.communicate()


def venue_of(process: subprocess.Popen[str]) -> int:
    """Wait for the venue that a demo starts and return its process id."""
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if VENUE.encode() in words and parent == process.pid:
                return int(folder.name)
        time.sleep(0.05)
    raise AssertionError("the demo started no venue")


def assert_gone(pid: int) -> None:
    deadline = time.monotonic() + 15
    while Path(f"/proc/{pid}").exists():
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":
            return
        assert time.monotonic() < deadline, "the venue still runs"
        time.sleep(0.1)


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to look for processes")


def test_the_sessions_of_a_demo_stay_and_can_be_compared_again(
    demo: subprocess.Popen[str], tmp_path: Path
) -> None:
    out, err = demo.communicate(timeout=90)
    assert demo.returncode == 0, err
    assert "paper" in out
    assert "equal" in out
    assert "explained" in out
    env = {**os.environ, "LANNER_HOME": str(tmp_path / "home")}
    listed = subprocess.run([*LANNER, "sessions", "--json"], capture_output=True, text=True, env=env)
    told = json.loads(listed.stdout)["sessions"]
    assert {entry["mode"] for entry in told} == {"paper", "live"}
    for entry in told:
        again = subprocess.run(
            [*LANNER, "parity", entry["session"], "--quiet"], capture_output=True, text=True, env=env
        )
        assert again.returncode == 0, again.stdout
    kept = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert not [path for path in kept if b"api_secret" in path.read_bytes()]


@needs_proc
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_venue_of_a_demo_ends_with_it(demo: subprocess.Popen[str], sign: signal.Signals) -> None:
    venue = venue_of(demo)
    time.sleep(3)
    demo.send_signal(sign)
    demo.communicate(timeout=30)
    assert_gone(venue)
