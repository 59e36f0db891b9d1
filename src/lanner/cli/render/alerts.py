"""Alerts of a session for people: when, how grave, what."""

from __future__ import annotations

from collections.abc import Sequence

from lanner.telemetry import Alert
from lanner.telemetry.channels.console import COLOURS, text_of


def alert_lines(alerts: Sequence[Alert], *, colour: bool) -> str:
    """Lay out alerts, one a line, with the day and the time in UTC."""
    width = max(len(alert.level.word) for alert in alerts)
    lines = []
    for alert in alerts:
        level = f"{alert.level.word:<{width}}"
        level = f"\x1b[{COLOURS[alert.level]}m{level}\x1b[0m" if colour else level
        lines.append(f"{alert.time[:10]} {alert.time[11:19]}  {level}  {text_of(alert)}")
    return "\n".join(lines)
