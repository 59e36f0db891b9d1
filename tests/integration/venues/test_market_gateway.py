"""The market gateway against a served venue whose connections misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from lanner.live.connect import Where, connect, load_instruments
from lanner.marketdata.book import L2Book
from lanner.model.enums import Side
from lanner.model.market import BookUpdate, MarketData, Quote
from lanner.model.streams import StreamEvent, StreamGap, StreamHealed
from lanner.net.socket_settings import SocketSettings
from lanner.net.status import LinkStatus
from lanner.simulator.config import make_config
from lanner.simulator.server import VenueServer
from lanner.venues import market_gateway
from lanner.venues.codec import Feed, Subscription
from lanner.venues.market_gateway import MarketGateway

BTC = "BTC-USDT.BINANCE"


@asynccontextmanager
async def serving(*faults: str) -> AsyncIterator[VenueServer]:
    venue = VenueServer(
        make_config({"dialects": ["binance-spot"], "rate": 100.0, "seed": 3, "faults": list(faults)})
    )
    await venue.start()
    try:
        yield venue
    finally:
        await venue.stop()


class Listener:
    """A gateway for BTC's quotes and book, and everything that it told."""

    def __init__(self) -> None:
        self.data: list[MarketData] = []
        self.events: list[StreamEvent] = []
        self.reasons: list[str] = []
        self.gateway: MarketGateway | None = None

    def status(self, status: LinkStatus) -> None:
        self.reasons.append(status.reason)

    @asynccontextmanager
    async def to(self, venue: VenueServer, connections: int = 1) -> AsyncIterator[Listener]:
        where = Where({"": f"http://127.0.0.1:{venue.hosts[0].port}"})
        async with connect("binance-spot", where) as link:
            await load_instruments(link)
            self.gateway = MarketGateway(
                link,
                on_data=self.data.append,
                on_event=self.events.append,
                on_status=self.status,
                connections=connections,
                socket=SocketSettings(
                    name="template", url="ws://template", backoff_base_s=0.05, backoff_cap_s=0.2
                ),
            )
            await self.gateway.start([Subscription(Feed.QUOTES, BTC), Subscription(Feed.BOOK, BTC)])
            try:
                yield self
            finally:
                await self.gateway.stop()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(60.0):
            while not holds():
                await asyncio.sleep(0.02)

    def has(self, kind: type) -> bool:
        return any(type(message) is kind for message in self.data)


async def test_a_subscription_that_got_lost_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market_gateway, "ANSWER_S", 2.0)
    async with serving("lose-request:path=ws,count=1") as venue, Listener().to(venue) as heard:
        await heard.until(lambda: heard.has(Quote) and heard.has(BookUpdate))
        assert heard.reasons.count("a subscription was not answered") == 1


async def test_answers_on_one_connection_say_nothing_about_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market_gateway, "ANSWER_S", 2.0)
    async with serving("lose-request:path=ws,count=1") as venue, Listener().to(venue, connections=2) as heard:
        await heard.until(lambda: heard.has(Quote) and heard.has(BookUpdate))
        await heard.until(lambda: "a subscription was not answered" in heard.reasons)
        assert heard.gateway is not None
        assert sorted(status.reconnects for status in heard.gateway.status()) == [0, 1]
        assert heard.reasons.count("a subscription was not answered") == 1


async def test_subscriptions_that_were_answered_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market_gateway, "ANSWER_S", 2.0)
    async with serving() as venue, Listener().to(venue) as heard:
        await heard.until(lambda: heard.has(Quote) and heard.has(BookUpdate))
        await asyncio.sleep(3.0)
        assert not any("not answered" in reason for reason in heard.reasons)
        assert heard.gateway is not None
        assert heard.gateway.status()[0].reconnects == 0


async def test_a_lost_book_update_is_a_gap_that_heals_with_a_new_snapshot() -> None:
    async with serving() as venue, Listener().to(venue) as heard:
        await heard.until(lambda: heard.has(BookUpdate))
        venue.faults.add("sequence-gap", {"count": "1"}, venue.now_ns())
        await heard.until(lambda: any(type(event) is StreamHealed for event in heard.events))
        gap, healed = (event for event in heard.events if event.feed == "book")
        assert isinstance(gap, StreamGap)
        assert gap.reason == "book updates are missing"
        assert 0 < gap.expected < gap.found
        assert healed.ts_from == gap.ts_from
        assert sum(type(one) is BookUpdate and one.snapshot for one in heard.data) >= 2


@pytest.mark.parametrize("product", ["binance-spot", "binance-usdm"])
async def test_the_book_is_the_venues_own_at_each_number_through_losses_and_new_snapshots(
    product: str,
) -> None:
    symbol, name = "BTCUSDT", BTC if product == "binance-spot" else "BTCUSDT-PERP.BINANCE"
    venue = VenueServer(make_config({"dialects": [product], "rate": 400.0, "seed": 5}))
    await venue.start()
    journal, compared, wrong = venue.hosts[0].journal, 0, []
    try:
        async with connect(product, Where({"": f"http://127.0.0.1:{venue.hosts[0].port}"})) as link:
            book = L2Book((await load_instruments(link))[name])

            def take(update: MarketData) -> None:
                nonlocal compared
                assert isinstance(update, BookUpdate)
                book.apply(update)
                told = journal.at(symbol, update.seq)
                if told is not None:
                    compared += 1
                    if (told[1], told[2]) != (book.ticks(Side.BUY), book.ticks(Side.SELL)):
                        wrong.append(update.seq)

            gateway = MarketGateway(link, on_data=take)
            await gateway.start([Subscription(Feed.BOOK, name)])
            try:
                async with asyncio.timeout(120.0):
                    for goal in (8, 16):
                        while compared < goal:
                            await asyncio.sleep(0.02)
                        venue.faults.add("sequence-gap", {"count": "1"}, venue.now_ns())
                    while compared < 24 or gateway.stream.counts.gaps < 2:
                        await asyncio.sleep(0.02)
            finally:
                await gateway.stop()
    finally:
        await venue.stop()
    assert wrong == []


async def test_a_peer_that_is_dead_without_a_word_is_noticed_by_our_own_pings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lanner.venues.binance.spot.PING_S", 0.3)
    async with serving() as venue, Listener().to(venue) as heard:
        await heard.until(lambda: heard.has(Quote))
        venue.faults.add("half-open", {}, venue.now_ns())
        await heard.until(lambda: any("no sign of life" in reason for reason in heard.reasons))
        seen = len(heard.data)
        await heard.until(lambda: len(heard.data) > seen)
        lost = {event.feed for event in heard.events if isinstance(event, StreamGap)}
        assert {"quotes"} <= lost
