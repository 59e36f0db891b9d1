"""A venue simulator in a process of its own, and the command line against it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.here import lanner_here
from tests.waiting import PATIENCE_S

STRATEGY = '''
import lanner as ln


class Flip(ln.Strategy):
    """Go in and out by turns, every few quotes."""

    every = ln.Param(5, 1, 1000)

    def on_start(self):
        self.n = 0

    def on_quote(self, quote):
        self.n += 1
        if self.n % self.every == 0:
            self.target(0.5 if (self.n // self.every) % 2 else 0)
'''


@dataclass
class Venue:
    """A running simulator: where it is, and the keys of its test account."""

    ready: dict[str, Any]
    process: subprocess.Popen[str]
    dialect: str = "binance-spot"
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Return the base URL of the dialect."""
        return str(self.ready["dialects"][self.dialect]["http"])

    @property
    def control(self) -> str:
        """Return the address of the control endpoint."""
        return str(self.ready["control"])


def serve(*options: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """Start ``lanner venue serve`` and return it with its ready line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lanner", "venue", "serve", "--port", "0", "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        assert process.stderr is not None
        raise RuntimeError(process.stderr.read())
    return process, json.loads(line)


def end(process: subprocess.Popen[str]) -> None:
    """End a simulator, in good time or by force."""
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()


@pytest.fixture(scope="module")
def venue() -> Iterator[Venue]:
    """Serve a lively Binance spot market for the tests of a module."""
    process, ready = serve("--dialect", "binance-spot", "--rate", "150", "--seed", "7")
    account = ready["accounts"][0]
    keys = {
        "LANNER_KEYS__BINANCE_SPOT__API_KEY": account["api_key"],
        "LANNER_KEYS__BINANCE_SPOT__SECRET": account["api_secret"],
    }
    yield Venue(ready, process, environment=keys)
    end(process)


SESSIONS = ("paper", "live", "run-strategy", "run-sessions", "watchdog", "repl")
"""Commands that trade for a while."""


@dataclass
class Lanner:
    """The command line in a home of its own, with the keys of a venue.

    Sessions are processes; questions and orders are asked in this one.
    """

    home: Path
    environment: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *words: str, stdin: int | None = None) -> subprocess.Popen[str]:
        """Start a command; ``stdin`` as ``subprocess`` takes it."""
        process = subprocess.Popen(
            [sys.executable, "-m", "lanner", *words],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self._own},
        )
        self.started.append(process)
        return process

    def end_all(self) -> None:
        """Kill what a failed test left running, with the watchdogs: they would take the processor from all others."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.communicate()
        mark = f"LANNER_HOME={self.home}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    os.kill(int(folder.name), signal.SIGKILL)
            except (OSError, ProcessLookupError):
                continue

    @property
    def _own(self) -> dict[str, str]:
        return {**self.environment, "LANNER_HOME": str(self.home)}

    def _end(self, words: Sequence[str], code: int) -> tuple[str, str]:
        """Run a command to its end, check its exit code and return what it printed."""
        if words[0] in SESSIONS and code == 0 and "--dry-run" not in words:
            process = self.start(*words)
            out, err = process.communicate(timeout=PATIENCE_S)
            ended = process.returncode
        else:
            done = lanner_here(words, self._own)
            out, err, ended = done.stdout, done.stderr, done.returncode
        assert ended == code, f"{' '.join(words)}\n{out}\n{err}"
        return out, err

    def run(self, *words: str, code: int = 0) -> str:
        """Run a command to its end and return what it printed."""
        out, err = self._end(words, code)
        return out + (err if code else "")

    def json(self, *words: str, code: int = 0) -> dict[str, Any]:
        """Run a command with ``--json`` and return its object."""
        out, _ = self._end([*words, "--json"], code)
        return _last(out)

    def ask(self, *words: str) -> dict[str, Any]:
        """Run a question with ``--json`` and return its object, an empty one where it was refused."""
        done = lanner_here([*words, "--json"], self._own)
        return _last(done.stdout) if done.returncode == 0 else {}

    def until(
        self,
        session: str,
        holds: Callable[[dict[str, Any]], object],
        process: subprocess.Popen[str] | None = None,
    ) -> dict[str, Any]:
        """Wait until the status of a session is as wanted, and return it; ``process`` is the one that must live."""
        deadline = time.monotonic() + PATIENCE_S
        while not ((told := self.ask("status", session)) and holds(told)):
            assert process is None or process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, told
            time.sleep(0.1)
        return told

    def trade(self, *words: str, until: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Run a session until its status is as wanted, however long that takes, and return what it told at its end."""
        if "--session" not in words:
            words += ("--session", f"session-{len(self.started)}")
        process = self.start(*words, "--json")
        self.until(words[words.index("--session") + 1], until, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, f"{' '.join(words)}\n{out}\n{err}"
        return _last(out)


def _last(out: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return told


def orders(count: int) -> Callable[[dict[str, Any]], bool]:
    """Return what tells whether a status has so many orders, and fills."""
    return lambda told: int(told["orders"]) >= count and int(told["fills"]) > 0


def fills(count: int) -> Callable[[dict[str, Any]], bool]:
    """Return what tells whether a status has so many fills."""
    return lambda told: int(told["fills"]) >= count


@pytest.fixture
def lanner(tmp_path: Path, venue: Venue) -> Iterator[Lanner]:
    """Return the command line for the venue of the module; nothing that it started outlives the test."""
    made = Lanner(tmp_path / "home", venue.environment)
    yield made
    made.end_all()


@pytest.fixture
def strategy(tmp_path: Path) -> str:
    """Write a strategy that trades often, and return its file."""
    path = tmp_path / "flip.py"
    path.write_text(STRATEGY)
    return str(path)
