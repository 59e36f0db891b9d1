"""The engine under drill: a live session that may die at a write of its journal and is started again like a service."""

from __future__ import annotations

import asyncio
import contextvars
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
from lanner.live.build import Plan
from lanner.live.connect import Where
from lanner.live.killswitch import KillReport
from lanner.live.session import Session
from lanner.venues.keys import Keys
from lanner.venues.link import Link
from lanner.venues.registry import endpoints_of, make_codec, product_spec

SESSION = "drill"
AGAIN_S = 3.0
"""So long a supervisor waits before it starts an engine again that ended by itself."""


class Died(BaseException):
    """The engine is dead: nothing below may catch this and go on."""


class DrilledEngine:
    """Run sessions one after another in one folder; ``alive`` is the one that trades now.

    ``faults`` are errors that no venue explains, ``refused`` why the session may not be started again.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        where: Where,
        keys: Keys,
        scenario: Scenario,
        on_kill: Callable[[str, KillReport], None],
    ) -> None:
        self.alive: Session | None = None
        self.last: Session | None = None
        self.starts = self.crashes = self.ends = 0
        self.faults: list[str] = []
        self.refused = ""
        self._on_kill = on_kill
        self._plan = plan
        self._folder = folder
        self._where = where
        self._keys = keys
        self._seed = scenario.seed
        self._coming: Iterator[Crash] = iter(scenario.crashes)
        self._crash = next(self._coming, None)
        self._writes = 0
        self._died: asyncio.Event | None = None
        self._stopping = False

    def spare(self) -> None:
        """Let no crash come any more."""
        self._crash = None

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
            side = f"engine-{self.starts}"
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
                await asyncio.sleep(away_s)
            elif not self._over():
                self.ends += 1
                await asyncio.sleep(AGAIN_S)

    def _over(self) -> bool:
        return self._stopping or bool(self.refused)

    def _buried(self) -> float:
        assert self._crash is not None
        away_s = self._crash.away_s
        self._crash = next(self._coming, None)
        self._writes = 0
        self.crashes += 1
        return away_s

    # -- one life ------------------------------------------------------------------------------------------

    async def _live(self, side: str, died: asyncio.Event) -> None:
        try:
            session = Session(
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

        def ready() -> None:
            self.alive = session

        try:
            await session.run(on_ready=ready)
        except RiskRefusedError as error:
            self.refused = error.message()
        except LannerError as error:
            self._ended(error)
        except Exception as error:  # noqa: BLE001 - whatever ends a session is what the drill looks for
            self.faults.append(f"the session ended with {type(error).__name__}: {error}")
        finally:
            session.heart.journal.close()

    def _ended(self, error: LannerError) -> None:
        from lanner.net.errors import NetError
        from lanner.venues.errors import VenueError

        if not isinstance(error, NetError | VenueError):
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
            crash = self._crash
            if crash is None or self._writes < crash.write:
                return append(message, ts)
            before = journal._size
            if crash.how != "before":
                append(message, ts)
            if crash.how == "torn" and journal._size > before:
                os.ftruncate(journal._file, before + (journal._size - before) // 2)
            died.set()
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            loop.network.crash(side)
            raise Died

        journal.append = guarded  # type: ignore[method-assign]

    @asynccontextmanager
    async def _reach(self, product: str, where: Where, *, keys: Keys | None = None) -> AsyncIterator[Link]:
        spec = product_spec(product)
        codec = make_codec(product, endpoints_of(spec, url=where.url(product)), keys)
        link = Link(codec, rng=Random(self._seed * 1000 + self.starts))
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
