"""Watch one instrument at its venue: the latest quote, book and prints, and how old they are."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING

from lanner.core.errors import LannerError
from lanner.engine.cache import Cache
from lanner.live.connect import Where, connect_for
from lanner.marketdata.book import L2Book
from lanner.model.market import MarketData, Quote, Trade
from lanner.model.streams import StreamEvent, StreamGap
from lanner.net.errors import ConnectFailed
from lanner.net.wallclock import wall_ns
from lanner.venues.codec import Feed, Inbound, Malformed, Notice, NoticeKind, Subscription
from lanner.venues.market_gateway import MarketGateway

if TYPE_CHECKING:
    from lanner.model.instruments import Instrument
    from lanner.net.status import LinkStatus
    from lanner.venues.link import Link

    Reach = Callable[[str, Where], AbstractAsyncContextManager[tuple[Link, Instrument]]]

KEPT_TRADES = 50


class Watch:
    """What is known of one instrument now. ``changed`` counts what has come, so that a view knows when to draw."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.cache = Cache({instrument.id: instrument}, live=True)
        self.trades: deque[Trade] = deque(maxlen=KEPT_TRADES)
        self.changed = 0
        self.gaps = 0
        self.malformed = 0
        self.refused = ""
        self.last_recv = 0
        self._gateway: MarketGateway | None = None

    @property
    def quote(self) -> Quote | None:
        """Return the last quote; the top of the book where only the book is watched."""
        found = self.cache.quotes.get(self.instrument.id)
        book = self.book
        return found if found is not None or book is None else self.cache.top_of(book)

    @property
    def book(self) -> L2Book | None:
        """Return the book, None while it is not whole."""
        gateway = self._gateway
        if gateway is None or not gateway.stream.synchronised(self.instrument.id):
            return None
        return self.cache.books.get(self.instrument.id)

    @property
    def last_trade(self) -> Trade | None:
        """Return the last print."""
        return self.trades[-1] if self.trades else None

    @property
    def age_s(self) -> float:
        """Return the seconds since the last message, infinity before the first."""
        return (wall_ns() - self.last_recv) / 1e9 if self.last_recv else float("inf")

    def status(self) -> list[LinkStatus]:
        """Return the state of each connection."""
        return [] if self._gateway is None else self._gateway.status()

    def attach(self, gateway: MarketGateway) -> None:
        """Learn which gateway feeds this watch."""
        self._gateway = gateway

    def take(self, message: MarketData) -> None:
        """Note one message."""
        self.cache.take(message)
        if type(message) is Trade:
            self.trades.append(message)
        self.last_recv = message.ts_recv
        self.changed += 1

    def earlier(self, trades: Iterable[Trade]) -> None:
        """Put prints from before the watch in front of those that it has seen itself."""
        known = {trade.trade_id for trade in self.trades}
        before = [trade for trade in trades if trade.trade_id not in known]
        self.trades = deque(sorted([*before, *self.trades], key=lambda trade: trade.ts_event), KEPT_TRADES)

    def event(self, event: StreamEvent) -> None:
        """Note that something is missing, or whole again."""
        self.gaps += isinstance(event, StreamGap)
        self.changed += 1

    def other(self, message: Inbound) -> None:
        """Note a refusal or a frame that could not be understood."""
        if isinstance(message, Malformed):
            self.malformed += 1
        elif isinstance(message, Notice) and message.kind is NoticeKind.REFUSED:
            self.refused = message.text
        self.changed += 1


@asynccontextmanager
async def watch(
    instrument_id: str,
    feeds: tuple[Feed, ...],
    where: Where,
    *,
    timeout_s: float = 15.0,
    reach: Reach = connect_for,
) -> AsyncIterator[Watch]:
    """Open a watch on an instrument: connected and subscribed, though nothing may have come yet.

    ``reach`` gives the link to ask by, where there is one already.
    """
    async with reach(instrument_id, where) as (link, instrument):
        seen = Watch(instrument)
        gateway = MarketGateway(link, on_data=seen.take, on_event=seen.event, on_other=seen.other)
        seen.attach(gateway)
        try:
            await gateway.start([Subscription(feed, instrument_id) for feed in feeds])
            try:
                await gateway.wait_connected(timeout_s)
            except ConnectFailed as error:
                raise LannerError(
                    f"no connection to the streams of {link.codec.spec.title}",
                    expected=f"one within {timeout_s:g} s",
                    found=error.found,
                    fix="Look with `lanner doctor --venue`.",
                ) from error
            await _before(seen, feeds, link)
            yield seen
        finally:
            await gateway.stop()


async def _before(seen: Watch, feeds: tuple[Feed, ...], link: Link) -> None:
    """Ask for what the streams tell only when it changes: in a quiet market nothing would come for long."""
    name = seen.instrument.id
    with suppress(LannerError):  # without an answer there are still the streams
        if Feed.TRADES in feeds:
            seen.earlier((await link.ask(link.codec.trades(name, None, None))).rows)
        if Feed.QUOTES in feeds and seen.quote is None:
            quote = await link.ask(link.codec.quote(name))
            if seen.quote is None:
                seen.take(quote)
