"""Alerts on a terminal: a coloured tag, the time, the words, the figures."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from lanner.telemetry.alerts import Alert, AlertLevel
from lanner.telemetry.channels.channel import DeliveryError

TAGS = {
    AlertLevel.DEBUG: "[D]",
    AlertLevel.INFO: "[I]",
    AlertLevel.WARNING: "[W]",
    AlertLevel.CRITICAL: "[!]",
    AlertLevel.EMERGENCY: "[!!!]",
}
COLOURS = {
    AlertLevel.DEBUG: "90",
    AlertLevel.INFO: "36",
    AlertLevel.WARNING: "33",
    AlertLevel.CRITICAL: "31",
    AlertLevel.EMERGENCY: "1;35",
}


class ConsoleChannel:
    """Write alerts to standard error, or another stream; ``colour`` None asks the stream and ``NO_COLOR``."""

    def __init__(
        self, name: str = "console", stream: TextIO | None = None, *, colour: bool | None = None
    ) -> None:
        self.name = name
        self.where = "the terminal"
        self._stream = stream
        self._colour = colour

    def deliver(self, alert: Alert) -> None:
        """Write one line."""
        stream = self._stream or sys.stderr
        try:
            stream.write(line_of(alert, colour=self._coloured(stream)) + "\n")
            stream.flush()
        except (OSError, ValueError) as error:
            raise DeliveryError(f"the terminal is gone: {error}", lasting=True) from None

    def _coloured(self, stream: TextIO) -> bool:
        if self._colour is not None:
            return self._colour
        return stream.isatty() and not os.environ.get("NO_COLOR")


def line_of(alert: Alert, *, colour: bool) -> str:
    """Return an alert as one line: tag, time, whose it is where the words do not say so, words."""
    tag, text = TAGS[alert.level], text_of(alert)
    whose = f"{alert.source}: " if alert.source and alert.source not in text else ""
    line = f"{alert.time[11:19]} {whose}{text}"
    return f"\x1b[{COLOURS[alert.level]}m{tag}\x1b[0m {line}" if colour else f"{tag} {line}"


def text_of(alert: Alert) -> str:
    """Return what an alert says on one line, without signs that a terminal would obey."""
    text = f"{alert.title}: {alert.message}" if alert.message else alert.title
    told = [(name, value) for name, value in alert.facts() if name != "symbol" or value not in text]
    facts = ", ".join(f"{name} {value}" for name, value in told)
    line = f"{text} ({facts})" if facts else text
    return " ".join("".join(sign if sign.isprintable() else " " for sign in line).split())
