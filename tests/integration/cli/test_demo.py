"""The venue of a demo goes with it, however the demo ends; what stays is looked at in ``test_process``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

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
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        for thread in Path(f"/proc/{process.pid}/task").glob("*/children"):
            with suppress(OSError):  # a thread or a process that has ended
                for child in thread.read_text().split():
                    if VENUE.encode() in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                        return int(child)
        time.sleep(0.05)
    raise AssertionError("the demo started no venue")


def wait_for_journal(process: subprocess.Popen[str], home: Path) -> None:
    """Wait until a session of the demo trades at its venue."""
    deadline = time.monotonic() + 120
    while not list(home.glob("sessions/*/journal/*.journal")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no session has begun"
        time.sleep(0.05)


def assert_gone(pid: int) -> None:
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists():
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":
            return
        assert time.monotonic() < deadline, "the venue still runs"
        time.sleep(0.1)


needs_proc = pytest.mark.skipif(
    not list(Path("/proc/self/task").glob("*/children")), reason="no /proc to look for processes"
)


@needs_proc
@pytest.mark.parametrize(
    "sign",
    [  # killed, it can tell its venue nothing; what it does when it is asked to end is tried at night
        pytest.param(signal.SIGINT, marks=pytest.mark.nightly),
        pytest.param(signal.SIGTERM, marks=pytest.mark.nightly),
        signal.SIGKILL,
    ],
)
def test_the_venue_of_a_demo_ends_with_it(
    demo: subprocess.Popen[str], sign: signal.Signals, tmp_path: Path
) -> None:
    venue = venue_of(demo)
    wait_for_journal(demo, tmp_path / "home")
    demo.send_signal(sign)
    demo.communicate(timeout=120)
    assert_gone(venue)
