"""Lanner as a process: terminals, pipes, signals and how fast it answers."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.here import lanner_here

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
    deadline = time.monotonic() + 120
    while not (work / "started").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
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
        process.wait(timeout=120)
    assert process.returncode in (0, 141)


def test_a_terminal_gets_a_progress_bar_and_colours_and_a_file_gets_neither(work: Path) -> None:
    on_terminal = at_terminal(*ARGS)
    assert "ev/s" in on_terminal
    assert "\x1b[" in on_terminal
    done = subprocess.run([*LANNER, *ARGS], capture_output=True, text=True, timeout=120)
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
    assert process.wait(timeout=120) == 0
    return written.decode(errors="replace")


def test_errors_are_red_on_terminals_only(work: Path) -> None:
    leader, follower = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"}
    process = subprocess.Popen([*LANNER, "runs", "show", "x"], stderr=follower, env=env)
    process.wait(timeout=120)
    os.close(follower)
    assert os.read(leader, 4096).startswith(b"\x1b[1;31merror:\x1b[0m no run 'x'")
    os.close(leader)


def test_help_answers_at_once() -> None:
    times = []
    for _ in range(5):
        before = _children_s()
        subprocess.run([*LANNER, "--help"], capture_output=True, check=True, timeout=120)
        times.append(_children_s() - before)
    assert min(times) < 0.3


def _children_s() -> float:
    """Return the processor seconds of ended children: others on the machine make them wait, but hardly work more."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_demo_walks_the_whole_way_offline(work: Path, own_home: Path) -> None:
    before = _children_s()
    done = subprocess.run(
        [*LANNER, "demo", "--json"], capture_output=True, text=True, timeout=240,
        env=dict(os.environ) | {"http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"},
    )  # fmt: skip
    assert _children_s() - before < 30
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
    again = subprocess.run([*LANNER, "demo"], capture_output=True, text=True, timeout=240)
    assert "What next:" in again.stderr
    assert found["state_hash"][:12] in again.stdout
    assert {"paper", "equal", "explained"} <= set(re.findall(r"[a-z]+", again.stdout))
    assert_what_a_demo_promises_can_be_done(own_home)


def assert_what_a_demo_promises_can_be_done(home: Path) -> None:
    words = [
        "backtest",
        "dual_ma",
        "--data",
        "BTC-USDT.DEMO@1h",
        "--since",
        "2024",
        "--cash",
        "5000",
        "--quiet",
    ]
    follow = lanner_here(words)
    assert follow.returncode == 0, follow.stderr
    told = json.loads(lanner_here(["sessions", "--json"]).stdout)["sessions"]
    assert sorted(entry["mode"] for entry in told) == ["live", "live", "paper", "paper"]
    for entry in told[:2]:
        compared = lanner_here(["parity", entry["session"], "--quiet"])
        assert compared.returncode == 0, compared.stdout
    kept = [path for path in home.rglob("*") if path.is_file()]
    assert not [path for path in kept if b"api_secret" in path.read_bytes()]
