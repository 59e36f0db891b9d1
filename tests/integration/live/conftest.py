"""A venue simulator in a process of its own, and the command line against it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

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


@pytest.fixture(scope="module")
def venue() -> Iterator[Venue]:
    """Serve a lively Binance spot market for the tests of a module."""
    process, ready = serve("--dialect", "binance-spot", "--rate", "400", "--seed", "7")
    account = ready["accounts"][0]
    keys = {
        "LANNER_KEYS__BINANCE_SPOT__API_KEY": account["api_key"],
        "LANNER_KEYS__BINANCE_SPOT__SECRET": account["api_secret"],
    }
    yield Venue(ready, process, environment=keys)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)


@dataclass
class Lanner:
    """The command line in a home of its own, with the keys of a venue."""

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
            env={**os.environ, **self.environment, "LANNER_HOME": str(self.home)},
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

    def run(self, *words: str, code: int = 0) -> str:
        """Run a command to its end, check its exit code and return what it printed."""
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, f"{' '.join(words)}\n{out}\n{err}"
        return out + (err if code else "")

    def json(self, *words: str, code: int = 0) -> dict[str, Any]:
        """Run a command with ``--json`` and return its object."""
        process = self.start(*words, "--json")
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, f"{' '.join(words)}\n{out}\n{err}"
        told: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
        return told


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
