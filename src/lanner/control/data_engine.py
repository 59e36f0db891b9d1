"""``DataEngine``: market data of some instruments, from their venues or from the past, on the bus and in the cache."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanner.control.errors import NotRunningError
from lanner.control.history import (
    Replay,
    ReplayReport,
    instruments_of,
    load_candles,
    messages_of,
    open_history,
)
from lanner.core.errors import ConfigError, DataError
from lanner.live.telling import tell
from lanner.model.market import Bar, MarketData, Quote, Trade
from lanner.venues.codec import Feed, Inbound, Malformed, Subscription
from lanner.venues.registry import instrument_at, product_of

if TYPE_CHECKING:
    from lanner.core.bus import MessageBus
    from lanner.engine.cache import Cache
    from lanner.model.streams import StreamEvent
    from lanner.net.status import LinkStatus
    from lanner.venues.market_gateway import MarketGateway

CONNECT_S = 30.0
_ALIASES = {"quote": "quotes", "trade": "trades", "orderbook": "book", "candle": "bars"}
_WITH_TIMEFRAME = frozenset({"bars", "candle", "all"})


class EngineState(StrEnum):
    """Where an engine is in its life."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FAILED = "failed"


class InvalidDataError(DataError):
    """Market data that cannot be: a negative price or quantity."""


@dataclass(slots=True)
class DataStats:
    """What a data engine has seen."""

    messages: int = 0
    errors: int = 0
    gaps: int = 0


class DataEngine:
    """Bring market data of ``instruments`` (``BTC-USDT@binance``), of each of ``feeds``; ``subscribe`` adds more.

    Bars need ``timeframe``. ``url`` (one for all products, or by product; else ``LANNER_URL``) sends everything to
    servers of one's own. Events on the bus: ``market_data.ID`` (quotes, trades, closed bars), ``trade.ID``,
    ``candle.ID.TIMEFRAME`` and ``bar.closed``, ``orderbook.ID.snapshot`` and ``.delta``, ``mark.ID``, ``funding.ID``.

    ``history`` names data sets of the catalog and files instead, as ``lanner backtest --data`` takes them: they are
    replayed at ``speed`` times their own pace (0: as fast as possible), and ``data_engine.replay_complete`` tells the
    end. ``bus`` and ``cache`` are for replays without a trading engine, which brings its own.
    """

    def __init__(
        self,
        instruments: Sequence[str] = (),
        feeds: Sequence[str] = ("quotes",),
        *,
        timeframe: str = "",
        url: str | Mapping[str, str] = "",
        testnet: bool = False,
        ca_file: str = "",
        data_validation: bool = True,
        history: Sequence[str] = (),
        speed: float = 0.0,
        bus: MessageBus | None = None,
        cache: Cache | None = None,
    ) -> None:
        if history and instruments:
            raise ConfigError(
                "a data engine has instruments of venues, or a history", fix="Leave one of them out."
            )
        self.state = EngineState.STOPPED
        self.stats = DataStats()
        self.wishes: list[Subscription] = []
        self._urls = dict(url) if isinstance(url, Mapping) else {"": url} if url else {}
        self._testnet, self._ca_file = testnet, ca_file
        self._checks = data_validation
        self.history = (history,) if isinstance(history, str) else tuple(history)
        self.speed = speed
        self.replay: Replay | None = None
        self._bus = bus
        self._cache = cache
        self._range: tuple[Any, Any] = (None, None)
        self._timeframe = timeframe
        self._playing: asyncio.Task[ReplayReport] | None = None
        self._gateways: list[MarketGateway] = []
        self._stack: AsyncExitStack | None = None
        for name in instruments:
            for feed in feeds:
                self.subscribe(name, feed, timeframe if feed in _WITH_TIMEFRAME else "")

    def subscribe(self, instrument: str, feed: str, timeframe: str = "") -> None:
        """Ask for a feed of an instrument, before the engine starts.

        ``quotes``, ``trades``, ``book``, ``bars``, ``mark`` or ``funding``; ``all`` is the first three, and bars where
        a timeframe is given. ``quote``, ``trade``, ``orderbook`` and ``candle`` mean the same.
        """
        if self.state is not EngineState.STOPPED:
            raise ConfigError("subscriptions are made before the data engine starts")
        word = _ALIASES.get(feed.lower(), feed.lower())
        if word == "all":
            for one in ("quotes", "trades", "book", *(["bars"] if timeframe else [])):
                self.subscribe(instrument, one, timeframe if one == "bars" else "")
            return
        kind = Feed.__members__.get(word.upper())
        if kind is None:
            names = ", ".join(name.lower() for name in Feed.__members__)
            raise ConfigError("no such feed", expected=f"one of {names}, all", found=repr(feed))
        if (kind is Feed.BARS) != bool(timeframe):
            raise ConfigError("bars, and nothing else, need a timeframe", expected='"bars" and "1m"')
        wish = Subscription(kind, instrument_at(instrument), timeframe)
        if wish not in self.wishes:
            self.wishes.append(wish)

    def unsubscribe(self, instrument: str) -> None:
        """Ask for no feed of an instrument any more, before the engine starts."""
        if self.state is not EngineState.STOPPED:
            raise ConfigError("subscriptions are ended before the data engine starts")
        name = instrument_at(instrument)
        self.wishes = [wish for wish in self.wishes if wish.instrument_id != name]

    # -- life ----------------------------------------------------------------------------------------------

    async def open(self, bus: MessageBus, cache: Cache) -> None:
        """Connect and begin."""
        from lanner.live.connect import Where, connect, load_instruments, servers
        from lanner.venues.market_gateway import MarketGateway

        self._bus, self._cache = bus, cache
        self.state = EngineState.STARTING
        self._stack = AsyncExitStack()
        try:
            if self.history:
                self._open_history()
            for product in dict.fromkeys(product_of(wish.instrument_id) for wish in self.wishes):
                where = Where(servers(self._urls, testnet=self._testnet), self._testnet, self._ca_file)
                link = await self._stack.enter_async_context(connect(product, where))
                known = await load_instruments(link)
                part = [wish for wish in self.wishes if product_of(wish.instrument_id) == product]
                for wish in part:
                    if wish.instrument_id not in known:
                        raise ConfigError(f"{product} does not trade {wish.instrument_id}")
                    cache.instruments[wish.instrument_id] = known[wish.instrument_id]
                gateway = MarketGateway(
                    link,
                    on_data=self.take,
                    on_event=self._event,
                    on_other=self._other,
                    on_status=self._status,
                )
                self._gateways.append(gateway)
                await gateway.start(part)
            await asyncio.gather(*(gateway.wait_connected(CONNECT_S) for gateway in self._gateways))
        except BaseException:
            await self.close()
            self.state = EngineState.FAILED
            raise
        self.state = EngineState.RUNNING
        bus.publish("data_engine.started", self.stats)
        if self.replay is not None:
            self._playing = asyncio.ensure_future(self._play(self.replay))

    async def close(self) -> None:
        """End all connections."""
        was, self.state = self.state, EngineState.STOPPING
        if self._playing is not None:
            self._playing.cancel()
            await asyncio.gather(self._playing, return_exceptions=True)
            self._playing = None
        gateways, self._gateways = self._gateways, []
        await asyncio.gather(*(gateway.stop() for gateway in gateways))
        if self._stack is not None:
            await self._stack.aclose()
            self._stack = None
        self.state = EngineState.STOPPED
        if self._bus is not None and was is EngineState.RUNNING:
            self._bus.publish("data_engine.stopped", self.stats)

    def statuses(self) -> list[LinkStatus]:
        """Return the state of each connection."""
        return [status for gateway in self._gateways for status in gateway.status()]

    # -- the past ------------------------------------------------------------------------------------------

    def load_historical_candles(
        self, symbol: str, timeframe: str, start: Any = None, end: Any = None, *, folder: Path | str = "data"
    ) -> list[Bar]:
        """Return the bars of ``FOLDER/SYMBOL_TIMEFRAME.csv`` that opened from ``start`` to ``end``, both included.

        Without a file there are none; a file that is wrong raises ``DataError``.
        """
        return load_candles(symbol, timeframe, start, end, folder=folder)

    def replay_historical_data(
        self,
        candles: Iterable[MarketData],
        *,
        speed_multiplier: float = 0.0,
        publish_events: bool = True,
        update_cache: bool = True,
        on_complete: Callable[[ReplayReport], object] | None = None,
    ) -> ReplayReport:
        """Replay bars, or other market data in the order of their time, in this thread; return what came of it.

        It can be paused, stepped and stopped meanwhile; its end is told on ``data_engine.replay_complete``.
        """
        if self._bus is None or self._cache is None:
            raise ConfigError("a replay needs a bus and a cache", expected="DataEngine(bus=…, cache=…)")

        def take(message: MarketData) -> None:
            self.take(message, publish=publish_events, remember=update_cache)

        self.replay = Replay(candles, take, speed_multiplier)
        report = self.replay.run()
        if on_complete is not None:
            on_complete(report)
        self._bus.publish("data_engine.replay_complete", report)
        return report

    def set_time_range(self, start: Any = None, end: Any = None) -> None:
        """Bound what is replayed of ``history``, both ends included; before the engine starts."""
        if self.state is not EngineState.STOPPED:
            raise ConfigError("the time range is chosen before the data engine starts")
        self._range = (start, end)

    def get_historical_bars(self, instrument: str, timeframe: str, count: int = 0) -> list[Bar]:
        """Return the last ``count`` bars (0: all) that the cache holds of a series, oldest first."""
        bars = [] if self._cache is None else list(self._cache.series(instrument_at(instrument), timeframe))
        return bars[-count:]

    def pause(self) -> None:
        """Let a replay rest."""
        self._replayed().pause()

    def resume(self) -> None:
        """Let a replay go on."""
        self._replayed().resume()

    def step(self, count: int = 1) -> int:
        """Replay the next messages at once, also of a paused replay; return how many there were."""
        return self._replayed().step(count)

    def _replayed(self) -> Replay:
        if self.replay is None:
            raise NotRunningError("nothing is replayed")
        return self.replay

    def _open_history(self) -> None:
        assert self._cache is not None
        datasets = open_history(self.history, timeframe=self._timeframe or None)
        self._cache.instruments.update(instruments_of(datasets))
        self.replay = Replay(messages_of(datasets, *self._range), self.take, self.speed)

    async def _play(self, replay: Replay) -> ReplayReport:
        assert self._bus is not None
        try:
            report = await replay.play()
        except Exception as error:  # nobody waits for this task: what ended it is told here
            self.stats.errors += 1
            self.state = EngineState.FAILED
            self._bus.publish("data_engine.error", error)
            raise
        self._bus.publish("data_engine.replay_complete", report)
        return report

    # -- what comes ----------------------------------------------------------------------------------------

    def take(self, message: MarketData, *, publish: bool = True, remember: bool = True) -> None:
        """Take a message: count it, check it, remember it, tell it."""
        if self._bus is None or self._cache is None:
            raise NotRunningError("the data engine has no bus and cache yet", fix="Start it first.")
        self.stats.messages += 1
        if self._checks and _impossible(message):
            self.stats.errors += 1
            fault = InvalidDataError(
                f"{message.instrument_id}: impossible market data", found=str(message)[:200]
            )
            self._bus.publish("data_engine.error", fault)
            return
        if remember:
            self._cache.take(message)
        if publish:
            tell(self._bus, message)

    def _event(self, event: StreamEvent) -> None:
        assert self._bus is not None
        self.stats.gaps += 1
        self._bus.publish("data_engine.gap", event)

    def _other(self, message: Inbound) -> None:
        if isinstance(message, Malformed) and self._bus is not None:
            self.stats.errors += 1
            self._bus.publish("data_engine.error", message)

    def _status(self, status: LinkStatus) -> None:
        tell_status(self._bus, status, "data_engine")


def tell_status(bus: MessageBus | None, status: LinkStatus, owner: str = "") -> None:
    """Publish a connection's new state under the topics of the system, and of what it belongs to."""
    from lanner.net.status import LinkState

    if bus is None:
        return
    if status.state is LinkState.CONNECTED:
        word = "connected"
    elif status.state is LinkState.RECONNECTING:
        word = "reconnecting"
    elif status.state in (LinkState.DISCONNECTED, LinkState.FAILED):
        word = "disconnected"
    else:
        return
    bus.publish(f"system.{word}", status)
    if owner:
        bus.publish(f"{owner}.{word}", status)


def _impossible(message: MarketData) -> bool:
    match message:
        case Quote():
            return min(message.bid_px, message.ask_px, message.bid_qty, message.ask_qty) < 0
        case Trade():
            return message.px <= 0 or message.qty < 0
        case Bar():
            return message.low <= 0 or message.low > message.high or message.volume < 0
    return False
