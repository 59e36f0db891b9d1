"""``DataEngine``: market data of some instruments, from their venues onto the bus and into the cache."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

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

    Bars need ``timeframe``. ``url`` sends everything to a server of one's own. Events on the bus: ``market_data.ID``
    (quotes, trades, closed bars), ``trade.ID``, ``candle.ID.TIMEFRAME`` and ``bar.closed``, ``orderbook.ID.snapshot``
    and ``.delta``, ``mark.ID``, ``funding.ID``.
    """

    def __init__(
        self,
        instruments: Sequence[str] = (),
        feeds: Sequence[str] = ("quotes",),
        *,
        timeframe: str = "",
        url: str = "",
        testnet: bool = False,
        ca_file: str = "",
        data_validation: bool = True,
    ) -> None:
        self.state = EngineState.STOPPED
        self.stats = DataStats()
        self.wishes: list[Subscription] = []
        self._url, self._testnet, self._ca_file = url, testnet, ca_file
        self._checks = data_validation
        self._bus: MessageBus | None = None
        self._cache: Cache | None = None
        self._gateways: list[MarketGateway] = []
        self._stack: AsyncExitStack | None = None
        for name in instruments:
            for feed in feeds:
                self.subscribe(name, feed, timeframe if feed == "bars" else "")

    def subscribe(self, instrument: str, feed: str, timeframe: str = "") -> None:
        """Ask for a feed of an instrument, before the engine starts."""
        if self.state is not EngineState.STOPPED:
            raise ConfigError("subscriptions are made before the data engine starts")
        kind = Feed.__members__.get(feed.upper())
        if kind is None:
            names = ", ".join(name.lower() for name in Feed.__members__)
            raise ConfigError("no such feed", expected=f"one of {names}", found=repr(feed))
        if (kind is Feed.BARS) != bool(timeframe):
            raise ConfigError("bars, and nothing else, need a timeframe", expected='"bars" and "1m"')
        wish = Subscription(kind, instrument_at(instrument), timeframe)
        if wish not in self.wishes:
            self.wishes.append(wish)

    # -- life ----------------------------------------------------------------------------------------------

    async def open(self, bus: MessageBus, cache: Cache) -> None:
        """Connect and begin."""
        from lanner.live.connect import Where, connect, load_instruments
        from lanner.venues.market_gateway import MarketGateway

        self._bus, self._cache = bus, cache
        self.state = EngineState.STARTING
        self._stack = AsyncExitStack()
        try:
            for product in dict.fromkeys(product_of(wish.instrument_id) for wish in self.wishes):
                where = Where({"": self._url} if self._url else {}, self._testnet, self._ca_file)
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

    async def close(self) -> None:
        """End all connections."""
        was, self.state = self.state, EngineState.STOPPING
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

    # -- what comes ----------------------------------------------------------------------------------------

    def take(self, message: MarketData) -> None:
        """Take a message: count it, check it, remember it, tell it."""
        assert self._bus is not None
        assert self._cache is not None
        self.stats.messages += 1
        if self._checks and _impossible(message):
            self.stats.errors += 1
            fault = InvalidDataError(
                f"{message.instrument_id}: impossible market data", found=str(message)[:200]
            )
            self._bus.publish("data_engine.error", fault)
            return
        self._cache.take(message)
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
        tell_status(self._bus, status)


def tell_status(bus: MessageBus | None, status: LinkStatus) -> None:
    """Publish a connection's new state under the topics of the system."""
    from lanner.net.status import LinkState

    if bus is None:
        return
    if status.state is LinkState.CONNECTED:
        bus.publish("system.connected", status)
    elif status.state is LinkState.RECONNECTING:
        bus.publish("system.reconnecting", status)
    elif status.state in (LinkState.DISCONNECTED, LinkState.FAILED):
        bus.publish("system.disconnected", status)


def _impossible(message: MarketData) -> bool:
    match message:
        case Quote():
            return min(message.bid_px, message.ask_px, message.bid_qty, message.ask_qty) < 0
        case Trade():
            return message.px <= 0 or message.qty < 0
        case Bar():
            return message.low <= 0 or message.low > message.high or message.volume < 0
    return False
