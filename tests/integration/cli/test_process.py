"""Lanner as a process: terminals, pipes, signals and how fast it answers."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LANNER = (sys.executable, "-m", "lanner")
ARGS = ("backtest", "cross.py", "--data", "btc.csv", "--instrument", "BTC-USDT.TEST")
SLOW = """\
import time
from pathlib import Path

import lanner as ln


class Slow(ln.Strategy):
    def on_start(self):
        self.bars("1h")

    def on_bar(self, bar):
        Path("started").touch()
        time.sleep(0.05)
"""


def spawn(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*LANNER, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_behind(number: signal.Signals, work: Path, own_home: Path) -> None:
    (work / "slow.py").write_text(SLOW)
    process = spawn("backtest", "slow.py", *ARGS[2:])
    deadline = time.monotonic() + 30
    while not (work / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted: nothing half-finished was kept" in err
    assert "Traceback" not in err
    assert not list((own_home / "runs").glob("**/*"))


def test_a_reader_that_goes_away_is_no_error(work: Path) -> None:
    with spawn("strategies") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        process.wait(timeout=30)
    assert process.returncode in (0, 141)


def test_a_terminal_gets_a_progress_bar_and_colours_and_a_file_gets_neither(work: Path) -> None:
    on_terminal = at_terminal(*ARGS)
    assert "ev/s" in on_terminal
    assert "\x1b[" in on_terminal
    done = subprocess.run([*LANNER, *ARGS], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "\x1b[" not in done.stdout + done.stderr
    assert "ev/s" not in done.stderr


def at_terminal(*words: str) -> str:
    """Run a command with a terminal of 100 columns for all three streams; return all it wrote."""
    leader, follower = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {
        "TERM": "xterm-256color"
    }
    process = subprocess.Popen([*LANNER, *words], stdin=follower, stdout=follower, stderr=follower, env=env)
    os.close(follower)
    written = b""
    while True:
        ready, _, _ = select.select([leader], [], [], 0.2)
        if ready:
            try:
                part = os.read(leader, 65_536)
            except OSError:
                break
            if not part:
                break
            written += part
        elif process.poll() is not None:
            break
    os.close(leader)
    assert process.wait(timeout=30) == 0
    return written.decode(errors="replace")


def test_errors_are_red_on_terminals_only(work: Path) -> None:
    leader, follower = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"}
    process = subprocess.Popen([*LANNER, "runs", "show", "x"], stderr=follower, env=env)
    process.wait(timeout=30)
    os.close(follower)
    assert os.read(leader, 4096).startswith(b"\x1b[1;31merror:\x1b[0m no run 'x'")
    os.close(leader)


def test_help_answers_at_once() -> None:
    times = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([*LANNER, "--help"], capture_output=True, check=True, timeout=30)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.3


def test_demo_walks_the_whole_way_offline(work: Path, own_home: Path) -> None:
    started = time.monotonic()
    done = subprocess.run(
        [*LANNER, "demo", "--json"], capture_output=True, text=True, timeout=60,
        env=dict(os.environ) | {"http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"},
    )  # fmt: skip
    assert time.monotonic() - started < 30
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    paper, live = found["sessions"]["paper"], found["sessions"]["live"]
    assert paper["identical"]
    assert paper["gap"] == 0
    assert paper["orders"]["session"] > 0
    assert live["explained"], live["verdict"]
    assert live["orders"]["session"] > 0
    assert Path(live["report"]).stat().st_size > 20_000
    assert found["trades"] > 20
    assert Path(found["report"]).stat().st_size > 50_000
    assert "synthetic" in Path(found["report"]).read_text().lower()
    again = subprocess.run([*LANNER, "demo"], capture_output=True, text=True, timeout=60)
    assert "What next:" in again.stderr
    assert found["state_hash"][:12] in again.stdout
    follow = subprocess.run(
        [*LANNER, "backtest", "dual_ma", "--data", "BTC-USDT.DEMO@1h", "--since", "2024", "--cash", "5000", "--quiet"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert follow.returncode == 0, follow.stderr
