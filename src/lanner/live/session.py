"""One session: strategies, an engine with its journal, market data, and a venue, simulated or real.

All of it runs in one thread on one event loop. Market data and reports are taken inside the callbacks that bring them;
nothing stands between a frame and the decision it leads to. What is slow (history, comparisons with the venue, the disk
of the ledger) runs beside, as tasks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.core.bus import MessageBus
from lanner.core.errors import ConfigError, LannerError
from lanner.live.adjusting import REFUSED
from lanner.live.beats import Beats
from lanner.live.build import Plan, build_engine, head_of, wishes_of
from lanner.live.checkpointing import Checkpointer
from lanner.live.connect import Where, connect, load_instruments
from lanner.live.control import ControlServer, refuse_second
from lanner.live.deadman import DeadMan
from lanner.live.guards import PULSE, SessionGuard
from lanner.live.health import Health, SessionCounts
from lanner.live.heart import STARTING, Heart, JournalFault
from lanner.live.intake import Intake
from lanner.live.killswitch import KillReport, kill_session, refuse_latched
from lanner.live.paper import PaperVenues
from lanner.live.reality import RealVenues
from lanner.live.recovery import Recovered, Recovery
from lanner.live.reload import HotReloadManager
from lanner.live.telling import tell_rest
from lanner.model.market import MarketData
from lanner.model.reports import Report
from lanner.net.status import LinkStatus
from lanner.net.wallclock import wall_ns
from lanner.risk.gate import TradingState
from lanner.storage.journal import JournalWriter, Sync

if TYPE_CHECKING:
    from lanner.engine.engine import Engine
    from lanner.model.commands import Command
    from lanner.venues.codec import Subscription
    from lanner.venues.keys import Keys
    from lanner.venues.link import Link

    Reach = Callable[..., AbstractAsyncContextManager[Link]]


class Session:
    """Run one session; see the module. ``run`` lasts until ``stop`` is called, or a fault ends it.

    ``folder`` holds the journal; a journal that is there already is continued: the engine is rebuilt from it, then
    compared with the venue. ``on_change`` is called when something happened that a status view shows; ``reach`` opens
    the links.
    """

    def __init__(
        self,
        plan: Plan,
        session_id: str,
        folder: Path,
        where: Where,
        *,
        keys: Callable[[str], Keys] | None = None,
        bus: MessageBus | None = None,
        log: Callable[[int, str, str], None] | None = None,
        on_change: Callable[[], None] | None = None,
        reach: Reach = connect,
    ) -> None:
        self.plan = plan
        self.id = session_id
        self.folder = folder
        self.bus = bus or MessageBus()
        self.counts = SessionCounts()
        self.health = Health()
        self.recovered: Recovered | None = None
        self._fresh = partial(build_engine, plan, session_id, bus=self.bus, log=log)
        self._where = where
        self._keys = keys
        self._reach = reach
        self.changed = on_change or _nothing
        refuse_latched(folder)  # also while the session that was killed is still ending
        refuse_second(folder)  # before the journal is opened, which mends its end
        config = plan.config.journal
        self.heart = Heart(
            self._fresh(),
            JournalWriter(
                folder / "journal", sync=Sync(config.sync), segment_bytes=config.segment_mb * 1_000_000
            ),
        )
        self.links: dict[str, Link] = {}
        self.venues: PaperVenues | RealVenues | None = None
        self._dead_man: DeadMan | None = None
        self.more_wishes: list[Subscription] = []
        self.intake = Intake(self)
        self.checkpoints = Checkpointer(self)
        self.beats = Beats(self)
        self._stopping: asyncio.Event | None = None
        self._why = "user_request"
        self._closing = False
        self._fault: BaseException | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.guard = SessionGuard(self, self.spawn)
        self.reload = HotReloadManager(self)

    # -- life ----------------------------------------------------------------------------------------------

    async def run(self, on_ready: Callable[[], None] | None = None) -> None:
        """Connect, recover, warm up and trade until ``stop``; raise what ended it otherwise."""
        refuse_latched(self.folder)
        self._stopping = asyncio.Event()
        async with AsyncExitStack() as stack:
            door = ControlServer(self)
            await door.start()
            (self.folder / PULSE).unlink(missing_ok=True)
            stack.push_async_callback(door.stop)
            for product in self.plan.products:
                keys = self._keys(product) if self._keys is not None and self.is_live else None
                link = await stack.enter_async_context(self._reach(product, self._where, keys=keys))
                await load_instruments(link)
                link.follow()
                self.links[product] = link
                self.health.offset_ms[product] = link.clock.offset_ns / 1e6
            try:
                self._rebuild_or_begin()
                await self.intake.open(list(dict.fromkeys([*wishes_of(self.engine), *self.more_wishes])))
                await self.intake.warm_up()
                await self._enter_venue()
                self.guard.enter()
                self.health.started_ns = wall_ns()
                self.guard.write()
                if on_ready is not None:  # who watches it must be there before its strategies see anything
                    on_ready()
                self.intake.release()
                self.spawn(self.guard.keep())
                self.beats.start()
                await self._stopping.wait()
            finally:
                await self._close()
        if self._fault is not None:
            raise self._fault

    def stop(self, reason: str = "user_request") -> None:
        """End the session after what is being done; orders stay unless the strategies cancel them in ``on_stop``."""
        self._why = reason
        if self._stopping is not None:
            self._stopping.set()

    def pause(self, reason: str) -> None:
        """Let no handler run: connections, marks and indicators go on."""
        self.control("pause", reason)

    def resume(self, reason: str) -> None:
        """Let handlers run again."""
        self.control("resume", reason)

    def set_state(self, state: TradingState, reason: str) -> None:
        """Change what may be traded."""
        self.control("state", reason, state=state.name)

    def control(self, action: str, reason: str = "", **details: Any) -> None:
        """Write a control down and do it. A session that ends takes no more orders: nobody would look after them."""
        if self._closing and action in ("order", "amend"):
            self.bus.publish(REFUSED, LannerError(f"session {self.id} is ending and takes no orders"))
            return
        self.guarded(lambda: self._control(action, reason, **details))
        self.changed()

    def _control(self, action: str, reason: str = "", **details: Any) -> None:
        """Do a control after everything that was due before it, so that a replay through the venue finds the same."""
        now = self.now()
        if isinstance(self.venues, PaperVenues):
            self.venues.pass_time(now)
        self.send(self.heart.control(action, now, reason, **details))

    def now(self) -> int:
        """Return the session's time: the wall's, but never before what the engine has seen."""
        return max(wall_ns(), self.engine.clock.now)

    @property
    def engine(self) -> Engine:
        """Return the engine."""
        return self.heart.engine

    @property
    def paused(self) -> bool:
        """Tell whether the strategies rest because somebody wants it, not because the session is still starting."""
        return bool(self.engine.paused_by - {STARTING})

    @property
    def is_live(self) -> bool:
        """Tell whether real orders are sent."""
        return self.plan.config.mode == "live"

    # -- starting ------------------------------------------------------------------------------------------

    def _rebuild_or_begin(self) -> None:
        """Begin a journal, or take the session up where the one that is there ends."""
        heart = self.heart
        if heart.journal.seq:
            recovery = Recovery(self.plan, heart, self.folder, self._fresh)
            self.recovered = recovery.run()
            self.venues = recovery.venues or self._real_venues()
            heart.note(f"the session was {self.recovered.in_words()}")
            self.bus.publish("system.recovered", self.recovered)
            if not self.engine.started:  # the session ended before it could begin
                self._control("start")
            self.intake.rest()
            return
        self.venues = self._real_venues() if self.is_live else PaperVenues(heart, self.plan)
        heart.begin(head_of(self.plan, self.id, wall_ns()), self.now())
        self._control("start")
        self.intake.rest()

    def _real_venues(self) -> RealVenues:
        return RealVenues(
            self.plan, self.heart, self.links, on_report=self.report, spawn=self.spawn, fail=self._fail
        )

    async def _enter_venue(self) -> None:
        if isinstance(self.venues, RealVenues):
            await self.venues.start(recovering=self.recovered is not None)
            if self.plan.config.recovery.dead_man_s is not None:
                self._dead_man = DeadMan(self.plan, self.links, self._is_well, self._trouble)
                await self._dead_man.arm()
                self.spawn(self._dead_man.keep())

    def _is_well(self) -> bool:
        return self._fault is None and not self.heart.broken

    def _trouble(self, text: str) -> None:
        self.health.last_error = text
        self.bus.publish("risk.trouble", text)

    # -- what comes ----------------------------------------------------------------------------------------

    def take(self, message: MarketData) -> None:
        """Take market data."""
        self.health.last_data_ns[message.instrument_id] = message.ts_recv
        self.counts.data += 1
        self.guarded(self._take, message)

    def _take(self, message: MarketData) -> None:
        assert self.venues is not None
        self.venues.data(message)
        if self.bus.active:
            tell_rest(self.engine, message)
        self.beats.set_alarm()

    def report(self, report: Report) -> None:
        """Take a report of a real venue."""
        self.counts.reports += 1
        self.guarded(lambda: self.send(self.heart.step(report)))
        self.changed()

    def send(self, commands: list[Command]) -> None:
        """Send what the engine decided."""
        assert self.venues is not None
        if commands:
            self.venues.send(commands, self.now())
        self.beats.set_alarm()

    # -- faults and the end --------------------------------------------------------------------------------

    def guarded(self, act: Callable[..., None], *args: object) -> None:
        """Act; a fault of the strategy, the journal or the house ends the session, and is kept."""
        if self._fault is not None:
            return
        try:
            act(*args)
        except Exception as error:  # noqa: BLE001 - the session's outermost wall: record and decide
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.counts.faults += 1
        if self._fault is None:
            self._fault = error
            self.health.last_error = str(error)
        self.bus.publish("system.fault", error)
        self.stop()

    def spawn(self, work: Any) -> None:
        """Do work beside; a failure of the house or the journal in it ends the session. One that ends begins none."""
        if self._closing:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            error = task.exception()
            if isinstance(error, LannerError) and not isinstance(error, JournalFault):
                self.health.last_error = error.message()
                self.counts.faults += 1
            elif isinstance(error, Exception):
                self._fail(error)

    async def _close(self) -> None:
        self._closing = True
        self.beats.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.intake.close()
        if self._fault is None and not self.heart.broken and self.engine.started:
            self._control("stop", "the session ends")
            self.checkpoints.make(last=True)
        if self._dead_man is not None and self._is_well():
            await self._dead_man.disarm()
        if isinstance(self.venues, RealVenues):
            await self.venues.stop()
        if not self.heart.broken:
            self.heart.journal.close()
        self.guard.write(ended=True)
        self.bus.publish("system.shutdown", "fatal_error" if self._fault is not None else self._why)

    async def kill(self, reason: str, *, close: bool = True) -> KillReport:
        """Stop all trading: nothing new, everything back, everything closed, confirmed by the venue; latched.

        Where something is left, because the venue is away, say, it is tried again until nothing is.
        """
        report = await kill_session(self, reason, close=close)
        if close and not report.flat:
            self.guard.insist(reason)
        return report

    @property
    def fault(self) -> BaseException | None:
        """Return what ended the session, if anything did."""
        return self._fault

    def link_statuses(self) -> list[LinkStatus]:
        """Return the state of each connection."""
        own = self.venues.status() if isinstance(self.venues, RealVenues) else []
        return self.intake.statuses() + own

    async def reconcile(self, why: str) -> list[str]:
        """Compare everything with the venues now; return the differences in words."""
        if not isinstance(self.venues, RealVenues):
            raise ConfigError("a paper session has no venue to be compared with")
        return await self.venues.reconcile(why)


def _nothing() -> None:
    """Nobody watches."""
