"""What watches a session from inside: the risk rules' wish to end all trading, and the pulse for the watchdog.

The pulse is a small file in the session's folder that the session's own loop writes once a second: a loop that is stuck
stops writing it. ``Watchdog`` (another process) reads it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lanner.core.errors import RiskRefusedError
from lanner.live.adopting import adopt_sales
from lanner.live.killswitch import kill_session, lock, take_permission
from lanner.net.wallclock import wall_ns
from lanner.risk.gate import TradingState

if TYPE_CHECKING:
    from lanner.live.session import Session

PULSE = "pulse.json"
BEAT_S = 1.0
AGAIN_S, AGAIN_MOST_S = 2.0, 30.0
"""How soon a kill switch that did not get flat is tried again, and how seldom at most."""


class Pulse(msgspec.Struct, frozen=True):
    """What a session tells its watchdog.

    ``born`` tells a process from another one with the same number. ``guard`` is why a guard wants all trading to end,
    ``guard_done`` that the session's own kill switch came to its end and found nothing left. ``ended`` is set by a
    session that ends by itself, ``fault`` by one that a fault ended. ``shared`` tells that the process runs more than
    this session.
    """

    pid: int
    born: str
    beat: int
    ts: int
    guard: str = ""
    guard_done: bool = False
    ended: bool = False
    fault: str = ""
    shared: bool = False


def read_pulse(folder: Path) -> Pulse | None:
    """Return the last pulse of a session, None where there is none that can be read."""
    try:
        return msgspec.json.decode((folder / PULSE).read_bytes(), type=Pulse)
    except (OSError, msgspec.DecodeError):
        return None


def born(pid: int) -> str:
    """Return what tells a living process from another one with its number; empty for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "" if Path("/proc/self/stat").exists() or not _answers(pid) else "unknown"
    return "" if fields[0] in ("Z", "X") else fields[19]


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


class SessionGuard:
    """Watch one session from inside; see the module."""

    def __init__(self, session: Session, spawn: Callable[[Any], None]) -> None:
        self.shared = False
        self._session = session
        self._spawn = spawn
        self._beat = 0
        self._guard = ""
        self._guard_done = False
        self._insists = False
        self._born = born(os.getpid())

    def enter(self) -> None:
        """Begin to watch. A session that was halted goes on only when somebody took the kill switch's latch off."""
        session = self._session
        gate = session.engine.execution.gate
        if gate.asked_by("session") is TradingState.HALTED or gate.asked_by("risk") is TradingState.HALTED:
            if not take_permission(session.folder):
                lock(session.folder, gate.reason)
                raise RiskRefusedError(
                    f"session {session.id} was halted: {gate.reason}",
                    fix=f"When you know why: `lanner resume {session.id} --reason …`.",
                )
            session.set_state(TradingState.ACTIVE, "the kill switch's latch was taken off")
        take_permission(session.folder)
        adopt_sales(session)
        self.listen()

    def listen(self) -> None:
        """Hear of it when the risk rules want to end all trading."""
        if self._session.engine.risk is not None:
            self._session.engine.risk.on_kill = self._kill_wanted

    async def keep(self) -> None:
        """Write the pulse until the session ends."""
        while True:
            self.write()
            await asyncio.sleep(BEAT_S)

    def write(self, *, ended: bool = False) -> None:
        """Write the pulse; a disk that takes nothing is for the watchdog to notice."""
        self._beat += 1
        if self._session.engine.execution.gate.state is not TradingState.HALTED:
            self._guard, self._guard_done = "", False
        fault = self._session.fault
        pulse = Pulse(
            os.getpid(),
            self._born,
            self._beat,
            wall_ns(),
            self._guard,
            self._guard_done,
            ended,
            "" if fault is None else _in_short(fault),
            self.shared,
        )
        path = self._session.folder / PULSE
        draft = path.with_suffix(".part")
        try:
            draft.write_bytes(msgspec.json.encode(pulse))
            draft.replace(path)
        except OSError:
            return

    def _kill_wanted(self, reason: str) -> None:
        """Run the kill switch after the step that asked for it; its orders are on their way back by then."""
        self._guard = reason
        lock(self._session.folder, reason)
        asyncio.get_running_loop().call_soon(self._spawn_kill)

    def _spawn_kill(self) -> None:
        self._spawn(self._kill())

    async def _kill(self) -> None:
        risk = self._session.engine.risk
        assert risk is not None
        closes = risk.closes_positions()
        report = await self._session.kill(self._guard, close=closes)
        self._guard_done = report.flat or not closes
        self.write()

    def insist(self, reason: str) -> None:
        """Run the kill switch again and again until nothing is left: a venue that is away comes back."""
        if not self._insists:
            self._insists = True
            self._spawn(self._insist(reason))

    async def _insist(self, reason: str) -> None:
        wait_s = AGAIN_S
        try:
            while True:
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, AGAIN_MOST_S)
                if self._session.engine.execution.gate.state is not TradingState.HALTED:
                    return  # somebody took the latch off
                if (await kill_session(self._session, reason)).flat:
                    self._guard_done = True
                    self.write()
                    return
        finally:
            self._insists = False


def _in_short(fault: BaseException) -> str:
    """Say what ended a session in a line; the session itself told all of it."""
    said = str(fault).partition("\nLast inputs")[0]
    return " · ".join(line.strip() for line in said.splitlines())[:500] or type(fault).__name__
