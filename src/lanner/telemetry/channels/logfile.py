"""Alerts in a file: one JSON object a line, rotated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from lanner.telemetry.alerts import Alert, alert_from
from lanner.telemetry.channels.channel import DeliveryError
from lanner.telemetry.files import RotatingLines, read_lines

ALERTS_FILE = "alerts.jsonl"


class LogChannel:
    """Append alerts to a rotating file."""

    def __init__(self, name: str, path: Path, *, max_mb: float = 5.0, keep: int = 3) -> None:
        self.name = name
        self.where = str(path)
        self._file = RotatingLines(path, int(max_mb * 1e6), keep)

    def deliver(self, alert: Alert) -> None:
        """Append one line."""
        try:
            self._file.write([json.dumps(alert.as_dict(), ensure_ascii=False)])
        except OSError as error:
            raise DeliveryError(f"{self.where} cannot be written: {error.strerror or error}") from None


def read_alerts(path: Path) -> Iterator[Alert]:
    """Go through the alerts of a log file and its old ones, oldest first; torn lines are passed over."""
    for line in read_lines(path):
        try:
            yield alert_from(json.loads(line))
        except (ValueError, KeyError, TypeError):
            continue
