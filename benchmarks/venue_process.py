"""A simulated venue in a process of its own, and its control endpoint."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.environments import ROOT, environment


class Venue:
    """`lanner venue serve` as a context manager; `ready` is the line it printed, `start_s` how long that took."""

    def __init__(self, *options: str, notes: Path | None = None) -> None:
        self._notes = notes.open("wb") if notes is not None else subprocess.DEVNULL
        began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lanner", "venue", "serve", "--port", "0", "--json", *options],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=self._notes,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.start_s = time.monotonic() - began
        if not line:
            raise RuntimeError("the venue did not start")
        self.ready: dict[str, Any] = json.loads(line)

    def __enter__(self) -> Venue:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)

    def url(self, dialect: str) -> str:
        """Return the base URL of a dialect."""
        return str(self.ready["dialects"][dialect]["http"])

    def account(self, dialect: str) -> dict[str, Any]:
        """Return the test account of a dialect, with its keys."""
        found: dict[str, Any] = next(one for one in self.ready["accounts"] if one["dialect"] == dialect)
        return found

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the control endpoint."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.ready["control"] + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found


def rss_bytes(pid: int | str = "self") -> int:
    """Return the resident memory of a process (Linux)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
