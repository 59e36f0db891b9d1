"""Orders of both Binance products over real sockets of a served venue in the same loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lanner.live.connect import Where, connect, load_instruments
from lanner.model.commands import CancelOrder, SubmitOrder
from lanner.model.enums import OrderType, Side
from lanner.model.reports import OrderAccepted, OrderCanceled, OrderFilled, OrderRejected
from lanner.simulator.config import make_config
from lanner.simulator.server import VenueServer
from lanner.venues.codec import Notice, NoticeKind
from lanner.venues.keys import Keys
from lanner.venues.link import Link
from lanner.venues.rehearsal import Rehearsal, keep_warm
from lanner.venues.trade_gateway import TradeGateway

NAMES = {"binance-spot": "BTC-USDT.BINANCE", "binance-usdm": "BTCUSDT-PERP.BINANCE"}


class Desk:
    """A gateway, its venue, and everything that it told."""

    def __init__(self, venue: VenueServer, link: Link, name: str) -> None:
        self.venue, self.link, self.name = venue, link, name
        self.told: list[Any] = []
        self.streams: list[bool] = []
        self.gateway = TradeGateway(
            link,
            on_report=self.told.append,
            on_account=self.told.append,
            on_other=self.told.append,
            on_status=lambda _status: None,
            on_user_stream=self.streams.append,
        )
        self.instrument = link.codec.instrument(name)

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                await asyncio.sleep(0.01)

    def of(self, kind: type[Any], order_id: str) -> list[Any]:
        return [one for one in self.told if type(one) is kind and one.order_id == order_id]

    async def buy(self, order_id: str, share: float = 0.97) -> None:
        """Send a limit order to buy at a share of the best bid."""
        quote = await self.link.ask(self.link.codec.quote(self.name))
        px = self.instrument.quantise_px(int(quote.bid_px * share))
        lots = self.instrument.quantise_qty(0.01)
        self.gateway.send(SubmitOrder(order_id, self.name, 0, Side.BUY, OrderType.LIMIT, lots, px_ticks=px))


@asynccontextmanager
async def desk(product: str, **options: str) -> AsyncIterator[Desk]:
    venue = VenueServer(
        make_config(
            {"dialects": [product], "rate": 20.0, "seed": 3, "history_s": 0.0, "options": {product: options}}
        )
    )
    ready = await venue.start()
    account = ready["accounts"][0]
    keys = Keys("hmac", account["api_secret"], api_key=account["api_key"])
    try:
        async with connect(product, Where({"": ready["dialects"][product]["http"]}), keys=keys) as link:
            await load_instruments(link)
            made = Desk(venue, link, NAMES[product])
            await made.gateway.start()
            await made.gateway.wait_connected(60)
            await made.until(lambda: made.streams == [True])
            try:
                yield made
            finally:
                await made.gateway.stop()
    finally:
        await venue.stop()


@pytest.mark.parametrize("product", NAMES)
async def test_an_order_rests_is_cancelled_and_another_is_filled(product: str) -> None:
    async with desk(product) as here:
        await here.buy("rests")
        await here.until(lambda: here.of(OrderAccepted, "rests"))
        here.gateway.send(CancelOrder("rests", here.name, 0, request=1))
        await here.until(lambda: here.of(OrderCanceled, "rests"))
        await here.buy("takes", 1.01)
        await here.until(lambda: sum(fill.lots for fill in here.of(OrderFilled, "takes")) > 0)
        assert here.gateway.counts.unanswered == 0


@pytest.mark.parametrize("product", NAMES)
async def test_without_its_order_socket_orders_leave_over_http_and_new_ones_only_with_the_account_heard(
    product: str,
) -> None:
    async with desk(product) as here:
        lines = {name: line for line in here.gateway._lines for name in [line.tells]}
        await here.buy("rests")
        await here.until(lambda: here.of(OrderAccepted, "rests"))
        await here.buy("stays", 0.96)
        await here.until(lambda: here.of(OrderAccepted, "stays"))
        await lines[False].socket.stop()  # type: ignore[union-attr]
        here.gateway.send(CancelOrder("rests", here.name, 0, request=1))
        await here.until(lambda: here.of(OrderCanceled, "rests"))
        before = {bucket.name: bucket.used for bucket in here.link.limiter.status().buckets}
        await here.buy("new")
        await here.until(lambda: here.of(OrderAccepted, "new"))
        used = {bucket.name: bucket.used for bucket in here.link.limiter.status().buckets}
        counted = next(name for name in used if name.startswith("orders_"))
        assert used[counted] == before[counted] + 1
        await lines[True].socket.stop()  # type: ignore[union-attr]
        await here.buy("blind")
        await here.until(lambda: here.of(OrderRejected, "blind"))
        assert "no connection" in here.of(OrderRejected, "blind")[0].reason
        here.gateway.send(CancelOrder("stays", here.name, 0, request=1))
        await here.until(lambda: here.of(OrderCanceled, "stays"))
        here.link.urgent = True  # a kill switch
        sell = SubmitOrder(
            "closes", here.name, 0, Side.SELL, OrderType.MARKET, here.instrument.quantise_qty(0.01)
        )
        here.gateway.send(sell)
        await here.until(lambda: here.of(OrderFilled, "closes") or here.of(OrderAccepted, "closes"))


async def test_a_listen_key_that_expires_is_renewed_and_the_account_is_heard_again() -> None:
    async with desk("binance-usdm") as here:
        here.venue.faults.add("listen-key-expiry", {}, here.venue.now_ns())
        await here.until(lambda: here.streams == [True, False, True])
        assert any(type(one) is Notice and one.kind is NoticeKind.EXPIRED for one in here.told)
        await here.buy("after")
        await here.until(lambda: here.of(OrderAccepted, "after"))


async def test_the_venues_count_of_orders_is_ours_and_a_refusal_for_too_many_stops_everything() -> None:
    async with desk("binance-spot", raw_limit="100000", orders_10s="3") as here:
        await here.buy("first")
        await here.until(lambda: here.of(OrderAccepted, "first"))
        used = {bucket.name: bucket.used for bucket in here.link.limiter.status().buckets}
        assert used["orders_10s"] == 1
        here.venue.faults.add("rate-limit", {"path": "ws", "retry": "600", "count": "1"}, here.venue.now_ns())
        before = here.link.limiter.status().blocked_s
        quote = await here.link.ask(here.link.codec.quote(here.name))
        px = here.instrument.quantise_px(int(quote.bid_px * 0.97))
        here.gateway.send(SubmitOrder("told", here.name, 0, Side.BUY, OrderType.LIMIT, 1_000, px_ticks=px))
        await here.until(lambda: here.of(OrderRejected, "told"))
        assert here.of(OrderRejected, "told")[0].code == "RATE_LIMITED"
        assert before == 0.0 < here.link.limiter.status().blocked_s <= 600.0


@pytest.mark.parametrize("product", NAMES)
async def test_a_rehearsed_order_is_never_sent_and_spends_nothing(product: str) -> None:
    async with desk(product) as here:
        before = here.link.limiter.status()
        rehearsal = Rehearsal(here.link.codec, here.instrument)
        keeper = asyncio.create_task(keep_warm([rehearsal.turn], 0.001))
        await here.until(lambda: rehearsal.turns >= 5)
        keeper.cancel()
        assert here.gateway.counts.sent == 0
        assert [one.used for one in here.link.limiter.status().buckets] == [
            one.used for one in before.buckets
        ]
        assert await here.link.ask(here.link.codec.open_orders()) == []
        await here.buy("real")
        await here.until(lambda: here.of(OrderAccepted, "real"))
        (order,) = await here.link.ask(here.link.codec.open_orders())
        assert order.order_id == "real"
