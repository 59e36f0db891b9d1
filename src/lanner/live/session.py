"""One session: strategies, an engine with its journal, market data, and a venue, simulated or real.

All of it runs in one thread on one event loop. Market data and reports are taken inside the callbacks that bring them;
nothing stands between a frame and the decision it leads to. What is slow (history, comparisons with the venue, the disk
of the ledger) runs beside, as tasks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lanner.core.bus import MessageBus
from lanner.core.clock import NEVER
from lanner.core.errors import ConfigError, LannerError, RiskRefusedError
from lanner.live.build import Plan, build_engine, head_of, warm_needs, wishes_of
from lanner.live.connect import Where, connect, load_instruments
from lanner.live.control import ControlServer
from lanner.live.deadman import DeadMan
from lanner.live.guards import PULSE, SessionGuard
from lanner.live.heart import Heart, JournalFault, Replayed, replay
from lanner.live.killswitch import KillReport, kill_session, locked
from lanner.live.paper import PaperVenues
from lanner.live.reality import RealVenues
from lanner.model.market import Bar, MarketData
from lanner.model.reports import Report
from lanner.model.streams import StreamEvent, StreamGap, StreamHealed
from lanner.model.timeframes import split_series, timeframe_ns
from lanner.net.status import LinkState, LinkStatus
from lanner.net.wallclock import wall_ns
from lanner.risk.gate import TradingState
from lanner.storage.journal import JournalWriter, Sync, read_journal
from lanner.venues.codec import Feed, Inbound, Malformed, Subscription
from lanner.venues.history import pages
from lanner.venues.market_gateway import MarketGateway
from lanner.venues.registry import product_of

if TYPE_CHECKING:
    from lanner.engine.engine import Engine
    from lanner.model.commands import Command
    from lanner.venues.keys import Keys
    from lanner.venues.link import Link

CONNECT_S = 30.0
_BUFFERED = 200_000


@dataclass(slots=True)
class SessionCounts:
    """What a session has seen since it was started."""

    data: int = 0
    reports: int = 0
    gaps: int = 0
    malformed: int = 0
    ticks: int = 0
    heartbeats: int = 0
    reconnects: int = 0
    faults: int = 0


@dataclass(slots=True)
class Health:
    """How a session is: what people and guards look at."""

    started_ns: int = 0
    last_data_ns: dict[str, int] = field(default_factory=dict)
    links: dict[str, LinkStatus] = field(default_factory=dict)
    offset_ms: dict[str, float] = field(default_factory=dict)
    last_error: str = ""


class Session:
    """Run one session; see the module. ``run`` lasts until ``stop`` is called, or a fault ends it.

    ``folder`` holds the journal; a journal that is there already is continued: the engine is rebuilt from it, then
    compared with the venue. ``on_change`` is called when something happened that a status view shows.
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
    ) -> None:
        self.plan = plan
        self.id = session_id
        self.folder = folder
        self.bus = bus or MessageBus()
        self.counts = SessionCounts()
        self.health = Health()
        self.engine: Engine = build_engine(plan, session_id, bus=self.bus, log=log)
        self.recovered: Replayed | None = None
        self._where = where
        self._keys = keys
        self._on_change = on_change or _nothing
        config = plan.config.journal
        self.heart = Heart(
            self.engine,
            JournalWriter(
                folder / "journal", sync=Sync(config.sync), segment_bytes=config.segment_mb * 1_000_000
            ),
        )
        self.links: dict[str, Link] = {}
        self.venues: PaperVenues | RealVenues | None = None
        self._dead_man: DeadMan | None = None
        self._gateways: list[MarketGateway] = []
        self._waiting: list[MarketData] | None = []
        self._bars: dict[str, int] = {}
        self._stopping: asyncio.Event | None = None
        self._fault: BaseException | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_due = NEVER
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.guard = SessionGuard(self, self._spawn)

    # -- life ----------------------------------------------------------------------------------------------

    async def run(self, on_ready: Callable[[], None] | None = None) -> None:
        """Connect, recover, warm up and trade until ``stop``; raise what ended it otherwise."""
        reason = locked(self.folder)
        if reason:
            raise RiskRefusedError(
                f"session {self.id} was stopped by its kill switch: {reason}",
                fix=f"When you know why: `lanner resume {self.id} --reason …`.",
            )
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        async with AsyncExitStack() as stack:
            door = ControlServer(self)
            await door.start()
            (self.folder / PULSE).unlink(missing_ok=True)
            stack.push_async_callback(door.stop)
            for product in self.plan.products:
                keys = self._keys(product) if self._keys is not None and self.is_live else None
                link = await stack.enter_async_context(connect(product, self._where, keys=keys))
                await load_instruments(link)
                self.links[product] = link
                self.health.offset_ms[product] = link.clock.offset_ns / 1e6
            self.venues = self._make_venues()
            try:
                self._rebuild_or_begin()
                wishes = wishes_of(self.engine)
                await self._open_streams(wishes)
                await self._warm_up()
                await self._enter_venue()
                self.guard.enter()
                self._release()
                self.health.started_ns = wall_ns()
                self._start_beats()
                if on_ready is not None:
                    on_ready()
                await self._stopping.wait()
            finally:
                await self._close()
        if self._fault is not None:
            raise self._fault

    def stop(self) -> None:
        """End the session after what is being done; orders stay unless the strategies cancel them in ``on_stop``."""
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
        """Write a control down and do it."""
        self._guarded(lambda: self._control(action, reason, **details))
        self._on_change()

    def _control(self, action: str, reason: str = "", **details: Any) -> None:
        """Do a control after everything that was due before it, so that a replay through the venue finds the same."""
        now = self.now()
        if isinstance(self.venues, PaperVenues):
            self.venues.pass_time(now)
        self._send(self.heart.control(action, now, reason, **details))

    def now(self) -> int:
        """Return the session's time: the wall's, but never before what the engine has seen."""
        return max(wall_ns(), self.engine.clock.now)

    @property
    def is_live(self) -> bool:
        """Tell whether real orders are sent."""
        return self.plan.config.mode == "live"

    # -- starting ------------------------------------------------------------------------------------------

    def _make_venues(self) -> PaperVenues | RealVenues:
        if not self.is_live:
            return PaperVenues(self.heart, self.plan)
        return RealVenues(
            self.plan, self.heart, self.links, on_report=self.report, spawn=self._spawn, fail=self._fail
        )

    def _rebuild_or_begin(self) -> None:
        """Begin a journal, or rebuild the engine from the one that is there."""
        if self.heart.journal.seq == 0:
            self.heart.journal.append(head_of(self.plan, self.id, wall_ns()), self.now())
            self._control("start")
            return
        own = self.engine if self.is_live else build_engine(self.plan, self.id)
        self.recovered = replay(own, read_journal(self.folder / "journal"))
        if not self.recovered.faithful:
            raise ConfigError(
                "the session cannot be continued: its strategies now decide otherwise than they did",
                expected="the code and settings that the journal was written with",
                found=self.recovered.differences[0],
                fix="Start a new session; `lanner reconcile` shows what the venue holds.",
            )
        if isinstance(self.venues, PaperVenues):
            self.venues.rebuild(self.heart, self.folder / "journal")
        self.heart.inputs = self.recovered.inputs
        for route in self.engine.subscriptions.bars.values():
            if route.history:
                self._bars[route.series] = route.history[-1].ts_open

    async def _open_streams(self, wishes: Sequence[Subscription]) -> None:
        for product, link in self.links.items():
            own = [wish for wish in wishes if product_of(wish.instrument_id) == product]
            gateway = MarketGateway(
                link, on_data=self._data, on_event=self._event, on_other=self._other, on_status=self._status
            )
            self._gateways.append(gateway)
            await gateway.start(own)
        await asyncio.gather(*(gateway.wait_connected(CONNECT_S) for gateway in self._gateways))

    async def _warm_up(self) -> None:
        """Show the engine the bars before now that its indicators need, oldest first."""
        past: list[Bar] = []
        for series, needed in warm_needs(self.engine).items():
            name, timeframe = split_series(series)
            length = timeframe_ns(timeframe)
            since = max(self.now() - length * (needed + 5), self._bars.get(series, 0) + 1)
            past += await self._history(name, timeframe, since)
        for bar in sorted(past, key=lambda bar: (bar.ts_event, bar.series)):
            if bar.ts_open > self._bars.get(bar.series, -1):
                self._bars[bar.series] = bar.ts_open
                self.heart.warm(bar)

    async def _history(self, instrument_id: str, timeframe: str, since: int) -> list[Bar]:
        link = self.links[product_of(instrument_id)]
        bars: list[Bar] = []
        async for rows in pages(link, Feed.BARS, instrument_id, timeframe, since, self.now()):
            bars += [row for row in rows if isinstance(row, Bar)]
        return bars

    async def _enter_venue(self) -> None:
        if isinstance(self.venues, RealVenues):
            await self.venues.start(recovering=self.recovered is not None)
            if self.plan.config.recovery.dead_man_s is not None:
                self._dead_man = DeadMan(self.plan, self.links, self._is_well, self._trouble)
                await self._dead_man.arm()
                self._spawn(self._dead_man.keep())

    def _is_well(self) -> bool:
        return self._fault is None and not self.heart.broken

    def _trouble(self, text: str) -> None:
        self.health.last_error = text
        self.bus.publish("risk.trouble", text)

    def _release(self) -> None:
        """Hand over what came while the past was being fetched, and go on with what comes."""
        waiting, self._waiting = self._waiting or [], None
        for message in waiting:
            self._data(message)

    # -- what comes ----------------------------------------------------------------------------------------

    def _data(self, message: MarketData) -> None:
        if self._waiting is not None:
            if len(self._waiting) < _BUFFERED:
                self._waiting.append(message)
            return
        if type(message) is Bar:
            if message.ts_open <= self._bars.get(message.series, -1):
                return
            self._bars[message.series] = message.ts_open
        self.health.last_data_ns[message.instrument_id] = message.ts_recv
        self.counts.data += 1
        self._guarded(lambda: self._take(message))

    def _take(self, message: MarketData) -> None:
        assert self.venues is not None
        self.venues.data(message)
        self._set_alarm()

    def report(self, report: Report) -> None:
        """Take a report of a real venue."""
        self.counts.reports += 1
        self._guarded(lambda: self._send(self.heart.step(report)))
        self._on_change()

    def _send(self, commands: list[Command]) -> None:
        assert self.venues is not None
        if commands:
            self.venues.send(commands, self.now())
        self._set_alarm()

    def _event(self, event: StreamEvent) -> None:
        if isinstance(event, StreamGap):
            self.counts.gaps += 1
            self.bus.publish("data_engine.gap", event)
            return
        self._guarded(lambda: self.heart.note("gap", **msgspec.structs.asdict(event)))
        if event.feed == "bars":
            self._spawn(self._backfill(event))
        self.bus.publish("data_engine.healed", event)

    async def _backfill(self, event: StreamHealed) -> None:
        """Fetch the bars that closed while the stream was down."""
        for series in [s for s in self._bars if split_series(s)[0] == event.instrument_id]:
            name, timeframe = split_series(series)
            for bar in await self._history(name, timeframe, self._bars[series] + 1):
                self._data(bar)

    def _other(self, message: Inbound) -> None:
        if isinstance(message, Malformed):
            self.counts.malformed += 1
            self.bus.publish("data_engine.error", message)

    def _status(self, status: LinkStatus) -> None:
        self.health.links[status.name] = status
        if status.state is LinkState.RECONNECTING:
            self.counts.reconnects += 1
            self.bus.publish("system.reconnecting", status)
        elif status.state is LinkState.CONNECTED:
            self.bus.publish("system.connected", status)
        elif status.state in (LinkState.DISCONNECTED, LinkState.FAILED):
            self.bus.publish("system.disconnected", status)
        self._on_change()

    # -- time ----------------------------------------------------------------------------------------------

    def _set_alarm(self) -> None:
        """Wake up when the next timer is due, or the next thing arrives that travels in a simulated venue."""
        due = self.engine.clock.next_due
        if isinstance(self.venues, PaperVenues):
            due = min(due, self.venues.next_due)
        if self._alarm is not None:
            if self._alarm_due == due:
                return
            self._alarm.cancel()
            self._alarm = None
        if due < NEVER:
            assert self._loop is not None
            self._alarm_due = due
            self._alarm = self._loop.call_later(max(0.0, (due - wall_ns()) / 1e9), self._wake)

    def _wake(self) -> None:
        self._alarm = None
        self._guarded(self._pass_time)

    def _pass_time(self) -> None:
        now = self.now()
        if isinstance(self.venues, PaperVenues):
            self.venues.pass_time(now)
        elif self.engine.clock.next_due <= now:
            self._send(self.heart.advance(now))
        self._set_alarm()

    def _start_beats(self) -> None:
        config = self.plan.config
        self.guard.write()
        self._spawn(self.guard.keep())
        if config.tick_ms is not None:
            self._spawn(self._beat(config.tick_ms / 1e3, self._tick))
        self._spawn(self._beat(config.heartbeat_ms / 1e3, self._heartbeat))
        self._spawn(self._beat(config.journal.checkpoint_s, self._checkpoint))
        self._spawn(self._beat(1.0, self.heart.journal.sync_if_due))

    async def _beat(self, period_s: float, act: Callable[[], None]) -> None:
        """Act at a fixed pace, on an absolute schedule that never drifts and never catches up in bursts."""
        assert self._loop is not None
        due = self._loop.time() + period_s
        while True:
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            self._guarded(act)
            due += period_s
            behind = self._loop.time() - due
            if behind > 0:
                due += period_s * (behind // period_s)

    def _tick(self) -> None:
        self.counts.ticks += 1
        self.bus.publish("system.tick", self.counts.ticks)
        self._pass_time()

    def _heartbeat(self) -> None:
        self.counts.heartbeats += 1
        for product, link in self.links.items():
            self.health.offset_ms[product] = link.clock.offset_ns / 1e6
        self.bus.publish("system.heartbeat", self.counts.heartbeats)
        self._on_change()

    def _checkpoint(self) -> None:
        self.heart.checkpoint()

    # -- faults and the end --------------------------------------------------------------------------------

    def _guarded(self, act: Callable[[], None]) -> None:
        """Act; a fault of the strategy, the journal or the house ends the session, and is kept."""
        if self._fault is not None:
            return
        try:
            act()
        except Exception as error:  # noqa: BLE001 - the session's outermost wall: record and decide
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.counts.faults += 1
        if self._fault is None:
            self._fault = error
            self.health.last_error = str(error)
        self.bus.publish("system.fault", error)
        self.stop()

    def _spawn(self, work: Any) -> None:
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
        if self._alarm is not None:
            self._alarm.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(gateway.stop() for gateway in self._gateways))
        if self._fault is None and not self.heart.broken and self.engine.started:
            self._control("stop", "the session ends")
            self.heart.checkpoint()
        if self._dead_man is not None and self._is_well():
            await self._dead_man.disarm()
        if isinstance(self.venues, RealVenues):
            await self.venues.stop()
        if not self.heart.broken:
            self.heart.journal.close()
        self.guard.write(ended=True)
        self.bus.publish("system.shutdown", self.health.last_error or "user_request")

    async def kill(self, reason: str, *, close: bool = True) -> KillReport:
        """Stop all trading: nothing new, everything back, everything closed, confirmed by the venue; latched."""
        return await kill_session(self, reason, close=close)

    @property
    def fault(self) -> BaseException | None:
        """Return what ended the session, if anything did."""
        return self._fault

    def link_statuses(self) -> list[LinkStatus]:
        """Return the state of each connection."""
        statuses = [status for gateway in self._gateways for status in gateway.status()]
        return statuses + (self.venues.status() if isinstance(self.venues, RealVenues) else [])

    async def reconcile(self, why: str) -> list[str]:
        """Compare everything with the venues now; return the differences in words."""
        if not isinstance(self.venues, RealVenues):
            raise ConfigError("a paper session has no venue to be compared with")
        return await self.venues.reconcile(why)


def _nothing() -> None:
    """Nobody watches."""
