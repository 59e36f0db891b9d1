"""The engine under drill: a live session that may die at a write of its journal and is started again like a service."""

from __future__ import annotations

import asyncio
import contextvars
import errno
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

from lanner.core.errors import LannerError, RiskRefusedError
from lanner.drill.loop import VirtualLoop
from lanner.drill.network import SIDE
from lanner.drill.scenario import Crash, Scenario
from lanner.live.aftermath import end_session
from lanner.live.build import Plan
from lanner.live.connect import Where
from lanner.live.heart import JournalFault
from lanner.live.killswitch import KillReport
from lanner.live.session import Session
from lanner.live.watchdog import LOOK_S
from lanner.venues.keys import Keys
from lanner.venues.link import Link
from lanner.venues.registry import endpoints_of, make_codec, product_spec

SESSION = "drill"
AGAIN_S = 3.0
"""So long a supervisor waits before it starts an engine again that ended by itself."""


Attach = Callable[[Session], Callable[[], object]]
"""Called with each session before it runs; what it returns is called after its end."""


class Died(BaseException):
    """The engine is dead: nothing below may catch this and go on."""


class DrilledEngine:
    """Run sessions one after another in one folder; ``alive`` is the one that trades now.

    ``faults`` are errors that no venue explains, ``refused`` why the session may not be started again. ``make`` is the
    kind of session that is drilled.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        where: Where,
        keys: Keys,
        scenario: Scenario,
        on_kill: Callable[[str, KillReport], None],
        attach: Attach | None = None,
        make: type[Session] = Session,
    ) -> None:
        self.alive: Session | None = None
        self.last: Session | None = None
        self.starts = self.crashes = self.ends = self.fulls = self.trips = 0
        self.faults: list[str] = []
        self.refused = ""
        self.side = ""
        """The life that runs, or ran last."""
        self.died: Session | None = None
        """What died last at a write of its journal; it may have written down what it never took."""
        self._on_kill = on_kill
        self._attach = attach
        self._make = make
        self._disk = scenario.disk
        self._watchdog = scenario.watchdog
        self._written = 0
        self._traded = False
        self._full_until = 0.0
        self._plan = plan
        self._folder = folder
        self._where = where
        self._keys = keys
        self._seed = scenario.seed
        self._coming: Iterator[Crash] = iter(scenario.crashes)
        self._crash = next(self._coming, None)
        self._writes = 0
        self._away_s = 0.0
        self._died: asyncio.Event | None = None
        self._stopping = False

    def spare(self) -> None:
        """Let no crash come any more, and make room on the disk."""
        self._crash = self._disk = None
        self._coming = iter(())
        self._full_until = 0.0

    def stop(self) -> None:
        """End the session, and start no other."""
        self._stopping = True
        if self.alive is not None:
            self.alive.stop()

    async def run(self) -> None:
        """Start, and start again, until ``stop``."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        while not self._over():
            self.starts += 1
            side = self.side = f"engine-{self.starts}"
            context = contextvars.copy_context()
            context.run(SIDE.set, side)
            died = self._died = asyncio.Event()
            life = loop.create_task(self._live(side, died), context=context)
            ended = loop.create_task(died.wait())
            await asyncio.wait((life, ended), return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            self.alive = None
            if died.is_set():
                away_s = self._buried()
                await loop.bury(side)
                # a watchdog is started when its session trades
                watched = self._watchdog and self._traded
                await (self._end_from_outside() if watched else asyncio.sleep(away_s))
            elif not self._over():
                self.ends += 1
                await asyncio.sleep(AGAIN_S)

    def _over(self) -> bool:
        return self._stopping or bool(self.refused)

    def _buried(self) -> float:
        self._crash = next(self._coming, None)
        self._writes = 0
        self.crashes += 1
        return self._away_s

    async def _end_from_outside(self) -> None:
        """Do what the watchdog's process does once it has found the engine gone."""
        self.trips += 1
        await asyncio.sleep(LOOK_S)
        report = await end_session(
            self._folder, "the session's process is gone", lambda _: self._keys, reach=self._reach
        )
        self._on_kill("", report)
        self.refused = "ended by its watchdog"

    # -- one life ------------------------------------------------------------------------------------------

    async def _live(self, side: str, died: asyncio.Event) -> None:
        try:
            session = self._make(
                self._plan, SESSION, self._folder, self._where, keys=lambda _: self._keys, reach=self._reach
            )
        except RiskRefusedError as error:
            self.refused = error.message()
            return
        except LannerError as error:
            self.faults.append(f"the journal cannot be opened: {error.message()}")
            self.refused = error.message()
            return
        self.last = session
        session.bus.subscribe("risk.kill_report", self._on_kill)
        self._wire(session, side, died)
        let_go = None if self._attach is None else self._attach(session)

        def ready() -> None:
            self.alive = session
            self._traded = True

        try:
            await session.run(on_ready=ready)
        except RiskRefusedError as error:
            self.refused = error.message()
        except LannerError as error:
            self._ended(error)
        except Exception as error:  # noqa: BLE001 - whatever ends a session is what the drill looks for
            self.faults.append(f"the session ended with {type(error).__name__}: {error}")
        finally:
            if let_go is not None:
                let_go()
            session.heart.journal.close()

    def _ended(self, error: LannerError) -> None:
        from lanner.net.errors import NetError
        from lanner.venues.errors import VenueError

        full = isinstance(error, JournalFault) and self.fulls
        if not isinstance(error, NetError | VenueError) and not full:
            self.faults.append(f"the session ended: {error.message()}")
            self.refused = error.message()

    def _wire(self, session: Session, side: str, died: asyncio.Event) -> None:
        """Let the engine die at the write that the scenario names."""
        journal = session.heart.journal
        append = journal.append

        def guarded(message: Any, ts: int) -> int:
            if died.is_set():
                raise Died
            self._writes += 1
            self._written += 1
            if self._disk is not None and self._written == self._disk.write:
                self._full_until = asyncio.get_running_loop().time() + self._disk.for_s
                self.fulls += 1
            if asyncio.get_running_loop().time() < self._full_until:
                raise OSError(errno.ENOSPC, "no space left on the drilled disk")
            crash = self._crash
            if crash is None or self._writes < crash.write:
                return append(message, ts)
            before = journal._size
            if crash.how != "before":
                append(message, ts)
            if crash.how == "torn" and journal._size > before:
                os.ftruncate(journal._file, before + (journal._size - before) // 2)
            self._away_s = crash.away_s  # told now: the crash itself may be spared before anybody looks
            self.died = session
            died.set()
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            loop.network.crash(side)
            raise Died

        journal.append = guarded  # type: ignore[method-assign]

    @asynccontextmanager
    async def _reach(
        self, product: str, where: Where, *, keys: Keys | None = None, urgent: bool = False
    ) -> AsyncIterator[Link]:
        spec = product_spec(product)
        codec = make_codec(product, endpoints_of(spec, url=where.url(product)), keys)
        link = Link(codec, rng=Random(self._seed * 1000 + self.starts))
        link.urgent = urgent
        try:
            await link.open()
            yield link
        finally:
            await link.close()

    def kill(self) -> None:
        """Pull the kill switch of the session that runs."""
        session = self.alive
        if session is not None:
            context = contextvars.copy_context()
            context.run(SIDE.set, f"engine-{self.starts}")
            context.run(session.spawn, session.kill("drill"))
