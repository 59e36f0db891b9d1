"""What comes into a session from its market data streams: warm-up, live data, gaps and what fills them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from lanner.live.build import warm_needs
from lanner.model.market import Bar, MarketData
from lanner.model.streams import StreamEvent, StreamGap, StreamHealed
from lanner.model.timeframes import split_series, timeframe_ns
from lanner.net.status import LinkState, LinkStatus
from lanner.venues.codec import Feed, Inbound, Malformed, Subscription
from lanner.venues.history import pages
from lanner.venues.market_gateway import MarketGateway
from lanner.venues.registry import product_of

if TYPE_CHECKING:
    from lanner.live.session import Session

CONNECT_S = 30.0
FRESH = 10
"""A bar that came while a session was starting is for its strategies up to this part of its length."""
_BUFFERED = 200_000


class Intake:
    """Feed one session. What comes while the past is being fetched waits until ``release``."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._gateways: list[MarketGateway] = []
        self._waiting: list[MarketData] | None = []
        self._bars: dict[str, int] = {}

    def rest(self) -> None:
        """Let the strategies rest until ``release``, and go on behind the bars that a recovered engine has seen.

        Timers would else fire before the venue is there or was compared with, those of a session that was away for
        every turn that it missed.
        """
        self._control("catch_up")
        for route in self._session.engine.subscriptions.bars.values():
            if route.history:
                self._bars[route.series] = route.history[-1].ts_open

    async def open(self, wishes: Sequence[Subscription]) -> None:
        """Open the streams and wait until they are connected."""
        for product, link in self._session.links.items():
            own = [wish for wish in wishes if product_of(wish.instrument_id) == product]
            gateway = MarketGateway(
                link, on_data=self.data, on_event=self._event, on_other=self._other, on_status=self._status
            )
            self._gateways.append(gateway)
            await gateway.start(own)
        await asyncio.gather(*(gateway.wait_connected(CONNECT_S) for gateway in self._gateways))

    async def warm_up(self) -> None:
        """Show the engine the bars before now that its indicators need, oldest first."""
        past: list[Bar] = []
        for series, needed in warm_needs(self._session.engine).items():
            name, timeframe = split_series(series)
            length = timeframe_ns(timeframe)
            since = max(self._session.now() - length * (needed + 5), self._bars.get(series, 0) + 1)
            past += await self._history(name, timeframe, since)
        for bar in sorted(past, key=lambda bar: (bar.ts_event, bar.series)):
            if bar.ts_open > self._bars.get(bar.series, -1):
                self._bars[bar.series] = bar.ts_open
                self._session.heart.warm(bar)

    async def _history(self, instrument_id: str, timeframe: str, since: int) -> list[Bar]:
        link = self._session.links[product_of(instrument_id)]
        bars: list[Bar] = []
        async for rows in pages(link, Feed.BARS, instrument_id, timeframe, since, self._session.now()):
            bars += [row for row in rows if isinstance(row, Bar)]
        return bars

    def release(self) -> None:
        """Hand over what came while the session was starting, as the past that it is by now, and go on with what comes.

        It moves prices, books and indicators, and keeps its times; nobody acts on it. Only a series' last bar is for
        the strategies when it closed a moment ago, after everything else: its signal holds until the next one.
        """
        waiting, self._waiting = self._waiting or [], None
        last = self._fresh_bars(waiting)
        later = {id(bar) for bar in last}
        for message in waiting:
            if id(message) not in later:
                self.data(message)
        self._control("caught_up")
        for bar in last:
            self.data(bar)

    def _control(self, action: str) -> None:
        session, reason = self._session, "what came while the session was starting"
        now = session.engine.clock.now
        session.guarded(lambda: session.send(session.heart.control(action, now, reason)))

    def _fresh_bars(self, waiting: Sequence[MarketData]) -> list[Bar]:
        """Return the last bar of each series that is younger than a tenth of its length."""
        last = {bar.series: bar for bar in waiting if type(bar) is Bar}
        now = self._session.now()
        return [bar for bar in last.values() if (now - bar.ts_event) * FRESH < bar.ts_event - bar.ts_open]

    async def close(self) -> None:
        """Close the streams."""
        await asyncio.gather(*(gateway.stop() for gateway in self._gateways))

    def statuses(self) -> list[LinkStatus]:
        """Return the state of each stream."""
        return [status for gateway in self._gateways for status in gateway.status()]

    # -- what comes ----------------------------------------------------------------------------------------

    def data(self, message: MarketData) -> None:
        """Hand a message to the session, once."""
        if self._waiting is not None:
            if len(self._waiting) < _BUFFERED:
                self._waiting.append(message)
            return
        if type(message) is Bar:
            if message.ts_open <= self._bars.get(message.series, -1):
                return
            self._bars[message.series] = message.ts_open
        self._session.take(message)

    def _event(self, event: StreamEvent) -> None:
        session = self._session
        if isinstance(event, StreamGap):
            session.counts.gaps += 1
            session.bus.publish("data_engine.gap", event)
            return
        session.guarded(lambda: session.heart.note("gap", **msgspec.structs.asdict(event)))
        if event.feed == "bars":
            session.spawn(self._backfill(event))
        session.bus.publish("data_engine.healed", event)

    async def _backfill(self, event: StreamHealed) -> None:
        """Fetch the bars that closed while the stream was down."""
        for series in [s for s in self._bars if split_series(s)[0] == event.instrument_id]:
            name, timeframe = split_series(series)
            for bar in await self._history(name, timeframe, self._bars[series] + 1):
                self.data(bar)

    def _other(self, message: Inbound) -> None:
        if isinstance(message, Malformed):
            self._session.counts.malformed += 1
            self._session.bus.publish("data_engine.error", message)

    def _status(self, status: LinkStatus) -> None:
        session = self._session
        session.health.links[status.name] = status
        if status.state is LinkState.RECONNECTING:
            session.counts.reconnects += 1
            session.bus.publish("system.reconnecting", status)
        elif status.state is LinkState.CONNECTED:
            session.bus.publish("system.connected", status)
        elif status.state in (LinkState.DISCONNECTED, LinkState.FAILED):
            session.bus.publish("system.disconnected", status)
        session.changed()
