"""The watchdog: another process, with connections of its own, that ends a session which can no longer do it itself.

It trips when the session's process is gone without having said so, when its loop is silent for too long, when a fault
ended it, or when one of its guards wanted all trading to end and the session did not manage it in time.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from lanner.core.errors import NotFoundError
from lanner.live.aftermath import end_session
from lanner.live.build import plan_of
from lanner.live.guards import Pulse, born, read_pulse
from lanner.live.killswitch import CONFIRM_S, KillReport, locked
from lanner.live.replaying import read_head
from lanner.net.wallclock import mono_ns

if TYPE_CHECKING:
    from lanner.venues.keys import Keys

LOOK_S = 0.25
AGAIN_S, AGAIN_MOST_S = 5.0, 60.0
"""How soon a session that could not be ended is tried again, and how seldom at most."""
GUARD_S = 2 * CONFIRM_S + 5.0
"""How long a session may take for its own kill switch: it confirms cancels, then positions."""


class End(StrEnum):
    """How a watch ends without a trip."""

    BY_ITSELF = "the session ended by itself"


class Judge:
    """Judge a session by its pulses; times are seconds of a clock that only goes forward."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._beat = -1
        self._beat_at = 0.0
        self._guard_at: float | None = None

    def look(self, pulse: Pulse | None, now: float, *, alive: bool) -> str:
        """Return why the session must be ended, ``End.BY_ITSELF``, or nothing."""
        if pulse is not None and pulse.beat != self._beat:
            self._beat, self._beat_at = pulse.beat, now
        if pulse is not None and pulse.ended:
            return f"a fault ended the session: {pulse.fault}" if pulse.fault else End.BY_ITSELF
        if self._beat_at == 0.0:
            self._beat_at = now
        if pulse is not None and not alive:
            return "the session's process is gone"
        silent = now - self._beat_at
        if silent > self._patience_s:
            return f"the session has been silent for {silent:.0f} s"
        return self._look_at_guard(pulse, now)

    def _look_at_guard(self, pulse: Pulse | None, now: float) -> str:
        if pulse is None or not pulse.guard or pulse.guard_done:
            self._guard_at = None
            return ""
        if self._guard_at is None:
            self._guard_at = now
        if now - self._guard_at <= GUARD_S:
            return ""
        return f"the session did not get flat after its guard: {pulse.guard}"


async def watch(
    folder: Path,
    keys: Callable[[str], Keys],
    on_trip: Callable[[str], None],
    on_report: Callable[[KillReport], None] = lambda _report: None,
) -> KillReport | None:
    """Watch a session until it ends by itself (None), or end it and return the report.

    Where the venue is away, or something is left, it is tried again until nothing is, or somebody takes the latch off.
    ``on_report`` hears of each try.
    """
    config = plan_of(read_head(folder)).config
    judge = Judge(config.recovery.watchdog_s)
    if read_pulse(folder) is None:
        raise NotFoundError(f"session {folder.name} has no pulse", fix="Start it with `lanner live` first.")
    while True:
        pulse = read_pulse(folder)
        alive = pulse is not None and born(pulse.pid) == pulse.born
        reason = judge.look(pulse, mono_ns() / 1e9, alive=alive)
        if reason == End.BY_ITSELF:
            return None
        if reason:
            on_trip(reason)
            return await _end(folder, reason, keys, pulse, on_report)
        await asyncio.sleep(LOOK_S)


async def _end(
    folder: Path,
    reason: str,
    keys: Callable[[str], Keys],
    pulse: Pulse | None,
    on_report: Callable[[KillReport], None],
) -> KillReport:
    wait_s = AGAIN_S
    while True:
        report = await end_session(folder, reason, keys, pulse)
        on_report(report)
        if report.flat:
            return report
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, AGAIN_MOST_S)
        if not locked(folder):
            return report


class WatchdogProcess:
    """The watchdog of a session that runs here: started beside it, and again whenever it dies."""

    def __init__(self, session: str, log: Path, secrets: Mapping[str, str] | None = None) -> None:
        """``secrets`` are variables that only the watchdog gets: those of the alerts' channels."""
        self._session = session
        self._log = log
        self._secrets = dict(secrets or {})
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    @property
    def pid(self) -> int:
        """Return the process's number, 0 while there is none."""
        return 0 if self._process is None else self._process.pid

    async def keep(self) -> None:
        """See to it that there is one, until cancelled. It outlives this process: that is its purpose."""
        while True:
            if self._process is None or self._process.poll() is not None:
                self.start()
            await asyncio.sleep(1.0)

    def start(self) -> None:
        """Start one now."""
        self.starts += 1
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lanner", "watchdog", self._session, "--json"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **self._secrets},
            )
