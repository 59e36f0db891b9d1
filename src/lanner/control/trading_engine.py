"""``LiveTradingEngine``: connections, clock, data and orders on one event loop, told on one bus."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lanner.control.data_engine import DataEngine, EngineState
from lanner.control.endpoints import ConnectionStatus, EndpointLine
from lanner.control.errors import AlreadyRunningError, NotRunningError
from lanner.control.metronome import Metronome
from lanner.core.errors import ConfigError, NotFoundError
from lanner.live.config import LiveTradingConfig, WebSocketEndpoint
from lanner.net.wallclock import wall_ns

if TYPE_CHECKING:
    from lanner.control.execution_engine import ExecutionEngine
    from lanner.core.bus import MessageBus
    from lanner.engine.cache import Cache
    from lanner.live.session import Session

_LOG = logging.getLogger(__name__)
CONNECT_S = 10.0
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class LiveTradingStats:
    """What an engine has done since it was started."""

    start_time_ns: int
    uptime_ms: int
    ticks: int
    heartbeats_sent: int
    reconnects: int


@dataclass(frozen=True, slots=True)
class Hooks:
    """What is called when there is a session, when it trades, and when something in it changed."""

    on_session: Callable[[Session], None] | None = None
    on_ready: Callable[[Session], None] | None = None
    on_change: Callable[[], None] | None = None


class LiveTradingEngine:
    """Trade live, or on paper: open the connections of ``config``, keep them, beat, and tell everything on ``bus``.

    ``set_data_engine`` adds market data by instrument, ``set_execution_engine`` a session that trades. Strategies
    subscribe to the bus (``market_data.*``, ``orderbook.*``, ``order.*``): event-driven; with ``tick_interval_ms``
    also to ``system.tick``: clock-driven. ``start`` blocks until ``stop``, SIGINT or SIGTERM; handlers run in its
    thread, all other methods may be called from any.
    """

    def __init__(self, bus: MessageBus, cache: Cache, config: LiveTradingConfig | None = None) -> None:
        self.bus = bus
        self.cache = cache
        self.config = config or LiveTradingConfig()
        self.error: BaseException | None = None
        self._state = EngineState.STOPPED
        self._lock = threading.Lock()
        self._data: DataEngine | None = None
        self._execution: ExecutionEngine | None = None
        self._lines: dict[str, EndpointLine] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._metronome = Metronome(bus, self._rests)
        self._again = self._early = False
        self._reason = "user_request"
        self._started_ns = 0

    # -- setting up ----------------------------------------------------------------------------------------

    def set_data_engine(self, engine: DataEngine) -> None:
        """Choose where market data come from, besides the endpoints."""
        self._stopped_only()
        self._data = engine

    def set_execution_engine(self, engine: ExecutionEngine) -> None:
        """Choose the session that trades; its instruments' market data come with it."""
        self._stopped_only()
        self._execution = engine

    @property
    def state(self) -> EngineState:
        """Return where the engine is: stopped, starting, running, stopping or failed."""
        return self._state

    @property
    def mode(self) -> str:
        """Return what drives the strategies: ``event_driven``, ``clock_driven`` or ``hybrid``."""
        if self._tick_ms is None:
            return "event_driven"
        events = self.config.ws_endpoints or self._data or self._execution
        return "hybrid" if events else "clock_driven"

    # -- life ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Run until stopped; raise what ended it otherwise. A second start is refused with ``AlreadyRunningError``."""
        from lanner.net.loop import run

        self._begin()
        run(self._serve(Hooks()))

    async def serve(
        self,
        *,
        on_session: Callable[[Session], None] | None = None,
        on_ready: Callable[[Session], None] | None = None,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        """Do what ``start`` does, on the loop that runs; the hooks are those of ``run_session``."""
        self._begin()
        await self._serve(Hooks(on_session, on_ready, on_change))

    def _begin(self) -> None:
        with self._lock:
            if self._state not in (EngineState.STOPPED, EngineState.FAILED):
                raise AlreadyRunningError(f"the trading engine is {self._state} already")
            self._state, self.error, self._early = EngineState.STARTING, None, False

    async def _serve(self, hooks: Hooks) -> None:
        again = True
        while again:
            self._again = False
            try:
                await self._run(hooks)
            except asyncio.CancelledError:
                self._state = EngineState.STOPPED
                raise
            except BaseException as error:
                self.error, self._state = error, EngineState.FAILED
                raise
            again = self._again
            self._state = EngineState.STARTING if again else EngineState.STOPPED

    def stop(self) -> None:
        """End the engine; ``start`` returns when everything is closed. Without effect where nothing runs."""
        with self._lock:
            self._early = self._loop is None and self._state is EngineState.STARTING
        self._call(self._end, "user_request")

    def restart(self) -> None:
        """Close everything and begin anew, inside the ``start`` that runs."""
        if self._loop is None:
            raise NotRunningError("the trading engine does not run", fix="Call start().")
        self._again = True
        self._call(self._end, "user_request")

    def get_stats(self) -> LiveTradingStats:
        """Return what the engine has done since it was started."""
        since = self._started_ns
        reconnects = sum(line.status().reconnects for line in self._lines.values())
        uptime = (wall_ns() - since) // 1_000_000 if since and self._state is EngineState.RUNNING else 0
        return LiveTradingStats(since, uptime, self._metronome.ticks, self._metronome.heartbeats, reconnects)

    # -- connections ---------------------------------------------------------------------------------------

    def connect_websocket(self, endpoint: WebSocketEndpoint | str) -> None:
        """Open one more connection, while the engine runs."""
        if not isinstance(endpoint, WebSocketEndpoint):
            endpoint = WebSocketEndpoint(url=endpoint)
        if endpoint.url in self._lines:
            raise ConfigError(f"{endpoint.url} is connected already")
        self._call(self._spawn, self._connect(endpoint))

    def disconnect_websocket(self, url: str) -> None:
        """Close a connection for good."""
        line = self._line(url)
        del self._lines[url]
        self._call(self._spawn, line.stop())

    def send_websocket_message(self, url: str, text: str) -> None:
        """Send a text over a connection; it is lost when the connection does not stand."""
        self._call(self._line(url).send, text)

    def get_connection_status(self) -> list[ConnectionStatus]:
        """Return where each connection to an endpoint stands."""
        return [line.status() for line in list(self._lines.values())]

    # -- time ----------------------------------------------------------------------------------------------

    def set_tick_interval(self, interval_ms: int | None) -> None:
        """Change the pace of ``system.tick``; None ends it."""
        self.config = LiveTradingConfig(**{**self._settings(), "tick_interval_ms": interval_ms})
        self._call(self._metronome.pace, "tick", interval_ms)

    def set_heartbeat_interval(self, interval_ms: int) -> None:
        """Change the pace of ``system.heartbeat``; the connections' own pings follow with their next opening."""
        self.config = LiveTradingConfig(**{**self._settings(), "heartbeat_interval_ms": interval_ms})
        self._call(self._metronome.pace, "heartbeat", interval_ms)

    def _settings(self) -> dict[str, Any]:
        return {name: getattr(self.config, name) for name in type(self.config).model_fields}

    # -- the run -------------------------------------------------------------------------------------------

    async def _run(self, hooks: Hooks) -> None:
        with self._lock:
            self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
            if self._early:
                self._over.set()
        self._reason, self._metronome.ticks, self._metronome.heartbeats = "user_request", 0, 0
        session: asyncio.Task[Session] | None = None
        unhandle = self._handle_signals()
        try:
            session = await self._start_session(hooks)
            if await self._unless_over(self._open(session)):
                if session is not None and not session.done() and hooks.on_ready is not None:
                    assert self._execution is not None
                    hooks.on_ready(self._execution.session)
                await self._wait(session)
        finally:
            self._state = EngineState.STOPPING
            try:
                await self._close(session)
            finally:
                unhandle()
                self._loop = None
        if session is not None:
            session.result()  # what ended it is what ends us

    async def _unless_over(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do work until it is done, or the engine shall end; tell whether it was done."""
        assert self._over is not None
        if self._over.is_set():
            work.close()
            return False
        over = asyncio.ensure_future(self._over.wait())
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({over, task}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
            return not self._over.is_set()
        finally:
            over.cancel()
            task.cancel()
            await asyncio.wait({task})

    async def _open(self, session: asyncio.Task[Session] | None) -> None:
        """Open what stands beside a session, and begin to beat."""
        if self._data is not None and session is None:
            await self._data.open(self.bus, self.cache)
        await asyncio.gather(*(self._connect(endpoint) for endpoint in self.config.ws_endpoints))
        self._metronome.pace("heartbeat", self.config.heartbeat_interval_ms)
        self._metronome.pace("tick", self._tick_ms)
        self._started_ns = wall_ns()
        self._state = EngineState.RUNNING
        if session is None:
            self.bus.publish("live_engine.started", self._started_ns)

    @property
    def _tick_ms(self) -> int | None:
        """Return the pace of ticks: ours, else that of the session's settings."""
        own = self.config.tick_interval_ms
        return own if own is not None or self._execution is None else self._execution.config.tick_ms

    async def _wait(self, session: asyncio.Task[Session] | None) -> None:
        assert self._over is not None
        over = asyncio.ensure_future(self._over.wait())
        await asyncio.wait(
            {over, *([] if session is None else [session])}, return_when=asyncio.FIRST_COMPLETED
        )
        over.cancel()

    async def _close(self, session: asyncio.Task[Session] | None) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._metronome.stop()
        if session is None:
            self.bus.publish("system.shutdown", self._reason)
        else:
            assert self._execution is not None
            with suppress(NotRunningError):
                self._execution.session.stop(self._reason)
            await asyncio.wait({session})
            self._execution.detach()
        if self._data is not None and session is None:
            await self._data.close()
        lines, self._lines = list(self._lines.values()), {}
        await asyncio.gather(*(line.stop() for line in lines))
        if session is None:
            self.bus.publish("live_engine.stopped", wall_ns())

    async def _start_session(self, hooks: Hooks) -> asyncio.Task[Session] | None:
        """Start the session and wait until it trades; its recovery is a part of that.

        One that is stopped before it trades is ended where it is, and there is none then.
        """
        from lanner.control.opening import new_session_id, run_session

        execution = self._execution
        if execution is None:
            return None
        assert self._over is not None
        config = execution.config.model_copy(update={"tick_ms": None, "heartbeat_ms": _DAY_MS})
        name = execution.id if execution.id and self.config.enable_recovery else new_session_id(wall_ns())
        execution.id = execution.id or name
        ready = asyncio.Event()

        def made(session: Session) -> None:
            if self._data is not None:
                self._data_of_session(self._data, session)
            execution.attach(session)
            self._share_cache(session)
            if hooks.on_session is not None:
                hooks.on_session(session)

        def trades(session: Session) -> None:
            self._share_cache(session)
            execution.ready()
            ready.set()

        task = asyncio.ensure_future(
            run_session(
                config,
                name,
                keys=execution.keys,
                on_session=made,
                on_ready=trades,
                on_change=hooks.on_change,
                bus=self.bus,
            )
        )
        others = [asyncio.ensure_future(event.wait()) for event in (ready, self._over)]
        try:
            await asyncio.wait({task, *others}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        finally:
            for other in others:
                other.cancel()
            if not ready.is_set():
                task.cancel()
                await asyncio.wait({task})
                execution.detach()
        return task if ready.is_set() else None

    @staticmethod
    def _data_of_session(data: DataEngine, session: Session) -> None:
        if data.history:
            raise ConfigError(
                "a session trades on the present, not on a history",
                fix="Use `lanner backtest` for the past, or leave the execution engine out.",
            )
        for wish in data.wishes:
            if wish.instrument_id not in session.plan.instruments:
                raise ConfigError(
                    f"{wish.instrument_id} is not among the session's instruments",
                    expected=", ".join(session.plan.instruments),
                    fix="Name it in the settings of the execution engine.",
                )
        session.more_wishes += data.wishes

    def _share_cache(self, session: Session) -> None:
        """Let our cache be a second door to the session's."""
        vars(self.cache).update(vars(session.engine.cache))

    async def _connect(self, endpoint: WebSocketEndpoint) -> None:
        """Open a connection. One that does not come about is logged, and tried again as the settings say."""
        line = self._lines[endpoint.url] = EndpointLine(endpoint, self.config, self.bus, self.cache)
        problem = await line.start(CONNECT_S)
        if problem:
            _LOG.warning("%s: %s", endpoint.url, problem)

    def _rests(self) -> bool:
        """Tell whether the session is paused, so that nothing ticks."""
        return self._execution is not None and self._execution.state == "paused"

    # -- parts ---------------------------------------------------------------------------------------------

    def _handle_signals(self) -> Callable[[], None]:
        """Let SIGINT and SIGTERM stop the engine, where that can be asked for: in the main thread."""
        loop = asyncio.get_running_loop()
        if threading.current_thread() is not threading.main_thread():
            return lambda: None
        numbers = (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            loop.add_signal_handler(number, self._end, "signal")

        def undo() -> None:
            for number in numbers:
                loop.remove_signal_handler(number)

        return undo

    def _end(self, reason: str) -> None:
        if self._over is not None and not self._over.is_set():
            self._reason = reason
            self._over.set()

    def _call(self, act: Callable[..., Any], *args: Any) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(act, *args)
        elif args and asyncio.iscoroutine(args[0]):
            args[0].close()
            raise NotRunningError("the trading engine does not run")

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _line(self, url: str) -> EndpointLine:
        line = self._lines.get(url)
        if line is None:
            raise NotFoundError(
                f"no connection to {url}", expected=", ".join(self._lines) or "one that is open"
            )
        return line

    def _stopped_only(self) -> None:
        if self._state not in (EngineState.STOPPED, EngineState.FAILED):
            raise AlreadyRunningError("the engines are chosen before the start")
