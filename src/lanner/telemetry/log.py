"""A session's log: JSON lines in a rotating file, written by a thread of its own, without secrets."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lanner.net.wallclock import wall_ns
from lanner.telemetry.alerts import AlertLevel
from lanner.telemetry.files import RotatingLines, read_lines
from lanner.telemetry.secrets import Redactor

LOG_FILE = "session.log"
MOST_WAITING = 10_000
_SOON_S = 0.2


class SessionLog:
    """Take lines from any thread without waiting for the disk; lines that find the queue full are counted.

    A disk that takes nothing loses lines, never the session.
    """

    def __init__(
        self,
        path: Path,
        *,
        level: AlertLevel = AlertLevel.INFO,
        max_mb: float = 10.0,
        keep: int = 3,
        redactor: Redactor | None = None,
    ) -> None:
        self.path = path
        self.redactor = redactor or Redactor()
        self.dropped = 0
        self.faults = 0
        self._level = level
        self._file = RotatingLines(path, int(max_mb * 1e6), keep)
        self._waiting: deque[dict[str, Any]] = deque()
        self._change = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="session-log", daemon=True)
        self._thread.start()

    def write(self, level: AlertLevel, event: str, message: str = "", **fields: Any) -> None:
        """Take a line: a short name of what happened, words for people, and fields for programs."""
        if level < self._level:
            return
        entry = {"ts": wall_ns(), "level": level.word, "event": event, "message": message, **fields}
        with self._change:
            if self._ending or len(self._waiting) >= MOST_WAITING:
                self.dropped += 1
                return
            self._waiting.append(entry)
            if len(self._waiting) == 1:
                self._change.notify()

    def strategy_line(self, ts: int, strategy: str, text: str) -> None:
        """Take a line that a strategy logged; ``ts`` is the engine's time of it."""
        self.write(AlertLevel.INFO, "strategy.log", text, strategy=strategy, ts_engine=ts)

    def close(self, timeout_s: float = 2.0) -> None:
        """Write what is waiting and end the thread."""
        with self._change:
            self._ending = True
            self._change.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        ending = False
        while not ending:
            with self._change:
                self._change.wait_for(lambda: self._waiting or self._ending)
                if not self._ending:
                    self._change.wait_for(lambda: self._ending, _SOON_S)  # lines come in bursts
                entries = list(self._waiting)
                self._waiting.clear()
                ending = self._ending
            try:
                self._file.write([self._line(entry) for entry in entries])
            except OSError:
                self.faults += 1
                self.dropped += len(entries)

    def _line(self, entry: dict[str, Any]) -> str:
        ts = entry["ts"]
        told = {"time": f"{datetime.fromtimestamp(ts / 1e9, UTC):%Y-%m-%dT%H:%M:%S.%f}Z", **entry}
        return json.dumps(self.redactor.scrub(told), ensure_ascii=False, default=self._other)

    def _other(self, value: object) -> str:
        return self.redactor(str(value))


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """Go through the lines of a log and its old files, oldest first; torn ones are passed over."""
    for line in read_lines(path):
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict):
            yield told
