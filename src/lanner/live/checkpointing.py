"""When a session's checkpoints are made, and how without holding it up.

The state of a long session takes a while to be written down. So the process is copied (``fork``: the system copies
pages only when one of the two changes them), and the copy writes the state of the moment of the copy and ends. A small
state, the last one at a session's end, and systems without a safe ``fork`` do without a copy.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import warnings
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec

from lanner.core.errors import LannerError
from lanner.live.build import state_of
from lanner.live.checkpoints import CheckpointHead, CheckpointStore, software_of
from lanner.live.loose import loose_state, modules_of, put_loose_state
from lanner.live.paper import PaperVenues
from lanner.live.snapshot import freeze, thaw
from lanner.net.wallclock import wall_ns

if TYPE_CHECKING:
    from pathlib import Path

    from lanner.engine.engine import Engine
    from lanner.live.config import SessionConfig
    from lanner.live.heart import Heart
    from lanner.live.session import Session

FOLDER = "checkpoints"
AFTER_TRADE_S = 5.0
"""A fill asks for a checkpoint, but not sooner than so long after the last one."""
SMALL = 100
"""So many orders are written down at once, in a few milliseconds."""
LONGEST_S = 120.0


@dataclass(slots=True)
class CheckpointStats:
    """What became of the checkpoints of a session since it was started."""

    saved: int = 0
    failed: int = 0
    last_ns: int = 0
    seconds: float = 0.0
    problem: str = ""


def store_of(folder: Path, config: SessionConfig) -> CheckpointStore:
    """Return the checkpoints of a session's folder."""
    recovery = config.recovery
    return CheckpointStore(
        folder / FOLDER,
        keep=recovery.max_checkpoints,
        max_age_s=recovery.max_checkpoint_age_h * 3600,
        durable=config.journal.sync != "none",
    )


def outside_of(engine: Engine, heart: Heart) -> dict[str, object]:
    """Return what is not part of an engine's state, by name."""
    risk = engine.risk
    return {
        "engine": engine,
        "bus": engine.bus,
        "log": vars(engine)["_log"],
        "on_kill": None if risk is None else risk.on_kill,
        "heart": heart,
    }


def facts_of(engine: Engine) -> dict[str, Any]:
    """Return an engine's state in few words that survive being written down."""
    return {
        **state_of(engine),
        "now": engine.clock.now,
        "timers": engine.clock.timers(),
        "random": copy(engine.rng).next_u64(),
    }


def state_to_keep(engine: Engine, venues: PaperVenues | None) -> tuple[Any, ...]:
    """Return what is to be frozen: an engine's parts, what its bus is to call, its venues, its strategies' globals."""
    strategies = [type(desk.strategy) for desk in engine.desks.values()]
    return vars(engine), engine.bus.on_change, venues, loose_state(strategies)


def restore(state: bytes, engine: Engine, heart: Heart) -> PaperVenues | None:
    """Put a frozen state into a fresh engine; return the simulated venues that belong to it."""
    strategies = [type(desk.strategy) for desk in engine.desks.values()]
    modules = modules_of(strategies)
    fields, on_change, venues, loose = thaw(state, outside_of(engine, heart), modules)
    vars(engine).update(fields)
    put_loose_state(loose, modules)
    engine.bus.on_change = on_change
    if on_change is not None:
        on_change(engine.bus.active)
    return venues if isinstance(venues, PaperVenues) else None


def head_now(heart: Heart, session: str) -> CheckpointHead:
    """Return what a checkpoint says of itself that is made now, right after its record in the journal."""
    engine = heart.engine
    return CheckpointHead(
        session=session,
        seq=heart.journal.seq,
        ts=engine.clock.now,
        saved_ns=wall_ns(),
        inputs=heart.inputs,
        commands=heart.commands,
        state_hash=engine.hash.hexdigest(),
        software=software_of([type(desk.strategy) for desk in engine.desks.values()]),
        facts=msgspec.msgpack.encode(facts_of(engine)),
    )


class Checkpointer:
    """Keep one session's checkpoints."""

    def __init__(self, session: Session) -> None:
        self.stats = CheckpointStats()
        self._session = session
        self._config = session.plan.config
        self._store = store_of(session.folder, self._config)
        self._fills = 0
        self._last = 0.0
        self._writing = False

    @property
    def wanted(self) -> bool:
        """Tell whether checkpoints are kept at all."""
        return self._config.recovery.max_checkpoints > 0

    def look(self) -> None:
        """Make a checkpoint when one is due; called once a second."""
        now = asyncio.get_running_loop().time()
        since, fills = now - self._last, self._session.engine.execution.retention.fill_count
        traded = self._config.recovery.checkpoint_on_trade and fills != self._fills
        wait = max(AFTER_TRADE_S, 50 * self.stats.seconds) if traded else self._config.journal.checkpoint_s
        if self._last == 0.0:
            self._last = now
        elif since >= min(wait, self._config.journal.checkpoint_s) and not self._writing:
            self._last, self._fills = now, fills
            self.make()

    def make(self, *, last: bool = False) -> None:
        """Write the engine's fingerprint into the journal, and its state beside it; ``last``: before this returns."""
        session = self._session
        session.heart.checkpoint()
        if not self.wanted or (last and self._writing):
            return
        head = head_now(session.heart, session.id)
        if last or not _may_fork() or len(session.engine.execution.orders) < SMALL:
            began = perf_counter()
            self._done(self._write(head), perf_counter() - began)
        else:
            self._beside(head)

    def _write(self, head: CheckpointHead) -> str:
        """Write the state as it is now; return what went wrong."""
        session = self._session
        venues = session.venues if isinstance(session.venues, PaperVenues) else None
        try:
            kept = state_to_keep(session.engine, venues)
            self._store.save(head, freeze(kept, outside_of(session.engine, session.heart)))
        except LannerError as error:
            return error.message()
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def _done(self, problem: str, seconds: float) -> None:
        stats = self.stats
        stats.problem, stats.seconds = problem, seconds
        if problem:
            stats.failed += 1
            self._session.bus.publish("system.checkpoint_failed", problem)
            return
        stats.saved += 1
        stats.last_ns = wall_ns()
        with suppress(OSError):
            self._store.prune(stats.last_ns)
        self._session.bus.publish("system.checkpoint", stats.saved)

    # -- beside --------------------------------------------------------------------------------------------

    def _beside(self, head: CheckpointHead) -> None:
        """Let a copy of this process write the state as it is now; nothing may come between the head and the copy."""
        began = perf_counter()
        try:
            pid, reading, writing = _copy()
        except OSError as error:  # too little memory, too many files or processes
            self._done(f"the process cannot be copied: {error.strerror}", perf_counter() - began)
            return
        if pid == 0:
            self._in_copy(head, writing)
        os.close(writing)
        self._writing = True
        self._session.spawn(self._wait_for(pid, reading, began))

    async def _wait_for(self, pid: int, reading: int, began: float) -> None:
        try:
            problem = await _outcome(pid, reading)
        finally:
            self._writing = False
            os.close(reading)
        self._done(problem, perf_counter() - began)

    def _in_copy(self, head: CheckpointHead, writing: int) -> None:
        """Write, tell, and end without a trace: nothing of the session's may be touched, nothing cleaned up."""
        problem = "the copy of the process failed"
        try:
            gc.disable()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            os.closerange(3, writing)
            os.closerange(writing + 1, 65_536)
            os.nice(5)
            problem = self._write(head)
        finally:
            os.write(writing, problem.encode()[:4_000] or b"\n")
            os._exit(0)


def _may_fork() -> bool:
    """Tell whether a process may be copied: macOS does not allow that once its frameworks are in use.

    On a loop in virtual time nobody is held up, and a copy would take none of its time.
    """
    virtual = getattr(asyncio.get_running_loop(), "owns_transports", False)
    return hasattr(os, "fork") and sys.platform != "darwin" and not virtual


def _copy() -> tuple[int, int, int]:
    """Copy the process; return the copy's number (0 in the copy itself) and both ends of a pipe between the two."""
    reading, writing = os.pipe()
    try:
        return _fork(), reading, writing
    except OSError:
        os.close(reading)
        os.close(writing)
        raise


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # threads that do not run in the copy are no loss there
        return os.fork()


async def _outcome(pid: int, reading: int) -> str:
    """Wait for a copy; return what went wrong in it. One that takes too long, or is not waited for, is ended."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LONGEST_S
    ended = False
    try:
        while not ended and loop.time() < deadline:
            ended = os.waitpid(pid, os.WNOHANG)[0] == pid
            if not ended:
                await asyncio.sleep(0.05)
    finally:
        if not ended:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    if not ended:
        return f"writing the state took longer than {LONGEST_S:g} s"
    told = os.read(reading, 4_096).decode()
    return told.strip() if told else "the copy of the process was ended"
