"""Hyperliquid's codec and the gateways against the venue simulator, over real sockets.

The simulator's Hyperliquid is written apart from the codec and judged by the venue's own client; here the two meet.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from lanner.model.accounts import MarginMode
from lanner.model.commands import AmendOrder, Batch, CancelOrder, SubmitOrder
from lanner.model.enums import GroupKind, Liquidity, OrderStatus, OrderType, Side, TimeInForce
from lanner.model.market import BookUpdate, Quote, Trade
from lanner.model.reports import (
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    OrderUnanswered,
)
from lanner.venues.codec import Feed, Subscription
from lanner.venues.errors import Reason
from lanner.venues.hyperliquid.codec import HyperliquidCodec
from lanner.venues.hyperliquid.spec import HYPERLIQUID
from lanner.venues.keys import Keys
from lanner.venues.link import Link
from lanner.venues.market_gateway import MarketGateway
from lanner.venues.rehearsal import Rehearsal, keep_warm
from lanner.venues.trade_gateway import TradeGateway
from tests.integration.simulator.hyperliquid.local_venue import LocalVenue

BTC = "BTC-PERP.HYPERLIQUID"
HYPE = "HYPE-USDC.HYPERLIQUID"
T = TypeVar("T")


@pytest.fixture
def venue() -> Iterator[LocalVenue]:
    local = LocalVenue().start()
    yield local
    local.stop()


class Desk:
    """A gateway for orders with what it reported."""

    def __init__(self, link: Link, gateway: TradeGateway, reports: list[Any]) -> None:
        self.link = link
        self.codec = link.codec
        self.gateway = gateway
        self.reports = reports

    def send(self, *commands: Any) -> None:
        for command in commands:
            self.gateway.send(command)

    def buy(self, order_id: str, px: float, qty: float, **more: Any) -> None:
        """Send a limit order to buy BTC."""
        instrument = self.codec.instrument(BTC)
        ticks, lots = instrument.quantise_px(px), instrument.quantise_qty(qty)
        self.send(SubmitOrder(order_id, BTC, 0, Side.BUY, OrderType.LIMIT, lots, px_ticks=ticks, **more))

    async def told(self, kind: type[T], order_id: str, count: int = 1) -> list[T]:
        """Wait until so many reports of a kind have come for an order."""

        def found() -> list[T]:
            return [r for r in self.reports if type(r) is kind and getattr(r, "order_id", "") == order_id]

        async with asyncio.timeout(60):
            while len(found()) < count:
                await asyncio.sleep(0.005)
        return found()


@asynccontextmanager
async def desk(
    venue: LocalVenue, *, by_http: bool = False, answer_timeout_s: float = 60.0
) -> AsyncIterator[Desk]:
    """Open link and order gateway with the agent's key of the second user."""
    keys = Keys("wallet", venue.agent.key.hex(), account=venue.wallets[1].address)
    link = Link(HyperliquidCodec(HYPERLIQUID.local(venue.url), keys))
    reports: list[Any] = []
    gateway = TradeGateway(
        link,
        on_report=reports.append,
        on_account=reports.append,
        on_other=lambda _message: None,
        on_status=lambda _status: None,
        on_user_stream=lambda _up: None,
        by_http=by_http,
        answer_timeout_s=answer_timeout_s,
    )
    try:
        await link.open()
        known = await link.ask(link.codec.instruments_call())
        link.codec.use(known)
        await gateway.start()
        await gateway.wait_connected(60)
        await asyncio.sleep(0.2)
        yield Desk(link, gateway, reports)
    finally:
        await gateway.stop()
        await link.close()


async def elsewhere(work: Callable[..., Any], *values: Any) -> None:
    """Let the venue do something while our own loop goes on."""
    await asyncio.to_thread(work, *values)


async def test_market_data_comes_as_the_venue_has_it(venue: LocalVenue) -> None:
    link = Link(HyperliquidCodec(HYPERLIQUID.local(venue.url)))
    got: list[Any] = []
    await link.open()
    instruments = await link.ask(link.codec.instruments_call())
    assert {BTC, "PURR-USDC.HYPERLIQUID", HYPE} <= {item.id for item in instruments}
    gateway = MarketGateway(link, on_data=got.append)
    try:
        wishes = [Subscription(feed, BTC, "1m" if feed is Feed.BARS else "") for feed in Feed]
        await gateway.start([*wishes, Subscription(Feed.BOOK, HYPE)])
        await gateway.wait_connected(60)
        async with asyncio.timeout(60):
            while not {Quote, BookUpdate} <= {type(item) for item in got}:
                await asyncio.sleep(0.01)
        quote = next(item for item in got if isinstance(item, Quote))
        assert (quote.instrument_id, quote.bid_px, quote.ask_px, quote.bid_qty) == (BTC, 59_990, 60_010, 1)
        book = next(item for item in got if isinstance(item, BookUpdate) and item.instrument_id == BTC)
        assert [px for px, _ in book.bids] == [59_990 - 10 * i for i in range(5)]
        assert not any(isinstance(item, Trade) for item in got)
        asked = await link.ask(link.codec.quote(BTC))
        assert (asked.bid_px, asked.ask_px) == (59_990, 60_010)
    finally:
        await gateway.stop()
        await link.close()


async def test_an_order_lives_through_fills_a_change_and_a_cancel(venue: LocalVenue) -> None:
    async with desk(venue) as here:
        here.buy("A", 60_000, 0.5, post_only=True)
        (accepted,) = await here.told(OrderAccepted, "A")
        await elsewhere(venue.sell_into_bids, "BTC", 60_000, 0.2)
        (fill,) = await here.told(OrderFilled, "A")
        assert (fill.lots, fill.px_ticks, fill.liquidity) == (20_000, 600_000, Liquidity.MAKER)
        assert fill.fee == Decimal("0.2") * 60_000 * Decimal("0.00015")
        here.send(AmendOrder("A", BTC, 0, lots=60_000, px_ticks=599_980, request=1))
        (amended,) = await here.told(OrderAmended, "A")
        assert (amended.lots, amended.px_ticks, amended.request) == (60_000, 599_980, 1)
        (order,) = await here.link.ask(here.codec.open_orders(BTC))
        assert (order.order_id, order.lots, order.cum_lots, order.px_ticks) == ("A", 60_000, 20_000, 599_980)
        assert order.venue_order_id != accepted.venue_order_id
        assert order.status is OrderStatus.PARTIALLY_FILLED
        here.send(CancelOrder("A", BTC, 0, request=2))
        await here.told(OrderCanceled, "A")
        assert [type(r).__name__ for r in here.reports if getattr(r, "order_id", "") == "A"] == [
            "OrderAccepted",
            "OrderFilled",
            "OrderAmended",
            "OrderCanceled",
        ]
        (kept,) = (await here.link.ask(here.codec.fills(0))).rows
        assert (kept.report.trade_id, kept.report.order_id) == (fill.trade_id, "A")


async def test_a_market_order_takes_the_book_and_its_rest_expires(venue: LocalVenue) -> None:
    async with desk(venue) as here:
        await here.link.ask(here.codec.quote(BTC))
        here.send(SubmitOrder("M", BTC, 0, Side.BUY, OrderType.MARKET, 150_000))
        fills = await here.told(OrderFilled, "M", 2)
        assert [(fill.px_ticks, fill.lots) for fill in fills] == [(600_100, 100_000), (600_200, 50_000)]
        assert {fill.liquidity for fill in fills} == {Liquidity.TAKER}
        state = await here.link.ask(here.codec.account()[0])
        (position,) = state.positions
        assert (position.instrument_id, position.lots) == (BTC, 150_000)
        instrument = here.codec.instrument(BTC)
        ioc = instrument.quantise_px(60_030)
        here.send(
            SubmitOrder("I", BTC, 0, Side.BUY, OrderType.LIMIT, 300_000, px_ticks=ioc, tif=TimeInForce.IOC)
        )
        await here.told(OrderExpired, "I")
        names = [type(r).__name__ for r in here.reports if getattr(r, "order_id", "") == "I"]
        assert names == ["OrderAccepted", "OrderFilled", "OrderFilled", "OrderExpired"]


async def test_refusals_come_with_our_words_for_them(venue: LocalVenue) -> None:
    async with desk(venue) as here:
        here.buy("small", 59_000, 0.0001)
        here.buy("crossing", 60_100, 0.1, post_only=True)
        here.buy("nothing", 59_000, 0.1, tif=TimeInForce.IOC)
        for order_id, code in (
            ("small", Reason.MIN_NOTIONAL),
            ("crossing", Reason.POST_ONLY),
            ("nothing", Reason.NO_LIQUIDITY),
        ):
            (report,) = await here.told(OrderRejected, order_id)
            assert report.code == code


async def test_a_bracket_waits_and_goes_with_its_entry(venue: LocalVenue) -> None:
    async with desk(venue) as here:
        group: dict[str, Any] = {"group_id": "G", "group_kind": GroupKind.BRACKET}
        out: dict[str, Any] = {**group, "reduce_only": True}
        entry = SubmitOrder("E", BTC, 0, Side.BUY, OrderType.LIMIT, 10_000, px_ticks=599_000, **group)
        stop = SubmitOrder("S", BTC, 0, Side.SELL, OrderType.STOP_MARKET, 10_000, stop_ticks=580_000, **out)
        take = SubmitOrder(
            "T", BTC, 0, Side.SELL, OrderType.TAKE_PROFIT_MARKET, 10_000, stop_ticks=620_000, **out
        )
        here.send(Batch((entry, stop, take), 0))
        for order_id in "EST":
            await here.told(OrderAccepted, order_id)
        here.send(CancelOrder("E", BTC, 0, request=1))
        for order_id in "EST":
            await here.told(OrderCanceled, order_id)


async def test_a_stop_triggers_and_is_filled(venue: LocalVenue) -> None:
    async with desk(venue) as here:
        await here.link.ask(here.codec.quote(BTC))
        here.send(SubmitOrder("in", BTC, 0, Side.BUY, OrderType.MARKET, 50_000))
        await here.told(OrderFilled, "in")
        here.send(
            SubmitOrder(
                "stop", BTC, 0, Side.SELL, OrderType.STOP_MARKET, 50_000, stop_ticks=598_000, reduce_only=True
            )
        )
        await here.told(OrderAccepted, "stop")
        here.send(AmendOrder("stop", BTC, 0, stop_ticks=597_500, request=1))
        (amended,) = await here.told(OrderAmended, "stop")
        assert amended.stop_ticks == 597_500
        await elsewhere(venue.set_mark, "BTC", 59_700)
        await here.told(OrderTriggered, "stop")
        (fill,) = await here.told(OrderFilled, "stop")
        assert (fill.side, fill.lots) == (Side.SELL, 50_000)


async def test_orders_over_http_end_in_the_same_reports(venue: LocalVenue) -> None:
    async with desk(venue, by_http=True) as here:
        here.buy("H", 59_000, 0.1)
        await here.told(OrderAccepted, "H")
        here.send(CancelOrder("H", BTC, 0, request=1))
        await here.told(OrderCanceled, "H")
        for call in here.codec.set_leverage(BTC, 7, MarginMode.ISOLATED):
            await here.link.ask(call)


async def test_lost_answers_are_told_each_in_its_time_and_the_others_are_not_touched(
    venue: LocalVenue,
) -> None:
    async with desk(venue, answer_timeout_s=2.5) as here:
        lost = {"kind": "order", "count": "2"}
        await elsewhere(venue.do, lambda _exchange, now: venue.faults.add("lose-answer", lost, now))
        here.buy("A", 59_000, 0.1)
        await asyncio.sleep(1.0)
        here.buy("B", 59_000, 0.1)
        here.buy("C", 59_000, 0.1)
        (first,) = await here.told(OrderUnanswered, "A")
        (second,) = await here.told(OrderUnanswered, "B")
        assert second.ts_recv - first.ts_recv >= 200_000_000
        await here.told(OrderAccepted, "C")
        assert not any(type(r) is OrderUnanswered and r.order_id == "C" for r in here.reports)
        assert here.gateway.counts.unanswered == 2


async def test_a_command_without_an_answer_puts_its_connection_in_doubt(venue: LocalVenue) -> None:
    """Orders work again soon after a connection went dead in silence; its heartbeat would take a minute."""
    deaf = {"kind": "order", "after": "0", "count": "1"}
    async with desk(venue, answer_timeout_s=0.5) as here:
        await elsewhere(venue.do, lambda _exchange, now: venue.faults.add("half-open", deaf, now))
        here.buy("A", 59_000, 0.1)
        await here.told(OrderUnanswered, "A")
        async with asyncio.timeout(20):
            while not any(status.reconnects for status in here.gateway.status()):
                await asyncio.sleep(0.01)
            await here.gateway.wait_connected(10)
        here.buy("B", 59_000, 0.1)
        await here.told(OrderAccepted, "B")


async def test_a_part_of_the_accounts_stream_that_was_refused_is_asked_for_again(venue: LocalVenue) -> None:
    """Without it fills would be found by the next comparison only, a minute late each."""
    refused = {"path": "ws", "after": "1", "count": "3"}  # fills, funding, events
    await elsewhere(venue.do, lambda _exchange, now: venue.faults.add("server-error", refused, now))
    async with desk(venue, answer_timeout_s=0.5) as here:
        here.buy("A", 70_000, 0.1)
        await here.told(OrderFilled, "A")


async def test_a_new_process_finds_the_orders_of_the_one_before(venue: LocalVenue) -> None:
    async with desk(venue) as before:
        before.buy("kept", 60_000, 0.5)
        await before.told(OrderAccepted, "kept")
        await elsewhere(venue.sell_into_bids, "BTC", 60_000, 0.2)
        await before.told(OrderFilled, "kept")
        before.send(AmendOrder("kept", BTC, 0, px_ticks=599_980, request=1))
        await before.told(OrderAmended, "kept")
        before.buy("gone", 60_000, 0.1)
        await before.told(OrderAccepted, "gone")
    await elsewhere(venue.sell_into_bids, "BTC", 60_000, 0.1)
    async with desk(venue) as after:
        after.codec.remember(["kept", "gone"])
        (order,) = await after.link.ask(after.codec.open_orders())
        assert (order.order_id, order.lots, order.cum_lots) == ("kept", 50_000, 20_000)
        fills = (await after.link.ask(after.codec.fills(0))).rows
        assert [(item.report.order_id, item.report.lots) for item in fills] == [
            ("kept", 20_000),
            ("gone", 10_000),
        ]
        gone = await after.link.ask(after.codec.find_order(BTC, "gone"))
        assert gone is not None
        assert (gone.status, gone.cum_lots) == (OrderStatus.FILLED, 10_000)
        assert await after.link.ask(after.codec.find_order(BTC, "never")) is None
        after.send(AmendOrder("kept", BTC, 0, lots=60_000, px_ticks=589_000, request=1))
        (amended,) = await after.told(OrderAmended, "kept")
        assert amended.lots == 60_000
        (order,) = await after.link.ask(after.codec.open_orders())
        assert (order.lots, order.cum_lots) == (60_000, 20_000)
        for call in after.codec.cancel_all(()):
            await after.link.ask(call)
        assert await after.link.ask(after.codec.open_orders()) == []


async def test_spot_is_bought_and_its_fee_told_in_money(venue: LocalVenue) -> None:
    async with desk(venue) as here:
        await here.link.ask(here.codec.quote(HYPE))
        here.send(SubmitOrder("spot", HYPE, 0, Side.BUY, OrderType.MARKET, 200))
        (fill,) = await here.told(OrderFilled, "spot")
        instrument = here.codec.instrument(HYPE)
        assert instrument.px(fill.px_ticks) == Decimal("40.01")
        assert fill.fee == pytest.approx(
            Decimal(2) * Decimal("40.01") * Decimal("0.0007"), rel=Decimal("0.001")
        )


async def test_a_rehearsed_order_is_never_sent(venue: LocalVenue) -> None:
    async with desk(venue) as here:
        rehearsal = Rehearsal(here.codec, here.codec.instrument(BTC))
        keeper = asyncio.create_task(keep_warm([rehearsal.turn], 0.001))
        async with asyncio.timeout(60):
            while rehearsal.turns < 5:
                await asyncio.sleep(0.005)
        keeper.cancel()
        here.buy("A", 59_000, 0.1)
        await here.told(OrderAccepted, "A")
        (order,) = await here.link.ask(here.codec.open_orders(BTC))
        assert order.order_id == "A"
        assert here.gateway.counts.sent == 1
