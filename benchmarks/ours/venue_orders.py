"""Orders through our gateway: from `TradeGateway.send` to the socket. See `benchmarks/ordering.py`."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from benchmarks import ordering
from lanner.live.connect import load_instruments
from lanner.model.commands import CancelOrder, SubmitOrder
from lanner.model.enums import OrderType, Side
from lanner.model.reports import OrderAccepted, Report
from lanner.net.loop import run
from lanner.venues.codec import Bucket
from lanner.venues.keys import Keys
from lanner.venues.link import Link
from lanner.venues.registry import endpoints_of, make_codec, product_spec
from lanner.venues.rehearsal import Rehearsal, keep_warm
from lanner.venues.trade_gateway import TradeGateway

WARM_S = 0.001
"""How often an order is rehearsed in the rows `…/warm` (`warm_ms: 1` of a session's settings)."""
MARKET = {"binance-spot": "BTC-USDT.BINANCE", "hyperliquid": "BTC-PERP.HYPERLIQUID"}


def keys_of(asked: dict[str, Any]) -> Keys:
    """Return the key that the orders are signed with."""
    account = asked["account"]
    if asked["key"] == "wallet":
        return Keys("wallet", account["wallet_private_key"])
    if asked["key"] == "ed25519":
        return Keys("ed25519", account["ed25519_private_key"], api_key=account["ed25519_api_key"])
    return Keys("hmac", account["api_secret"], api_key=account["api_key"])


class Desk:
    """Send orders one after the other and wait for their answers."""

    def __init__(self, link: Link) -> None:
        self.accepted = 0
        self.refused: list[Report] = []
        self._answered = asyncio.Event()
        self.gateway = TradeGateway(
            link,
            on_report=self._report,
            on_account=lambda _: None,
            on_other=lambda _: None,
            on_status=lambda _: None,
            on_user_stream=lambda _: None,
        )

    def _report(self, report: Report) -> None:
        if isinstance(report, OrderAccepted):
            self.accepted += 1
        elif "Rejected" in type(report).__name__ or "Unanswered" in type(report).__name__:
            self.refused.append(report)
        self._answered.set()

    async def send(self, command: SubmitOrder | CancelOrder, wire: ordering.Wire | None = None) -> None:
        """Send a command and wait for its answer."""
        self._answered.clear()
        if wire is not None:
            wire.begin()
        self.gateway.send(command)
        if wire is not None:
            wire.end()
        with suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                await self._answered.wait()
        await ordering.pause()


async def main() -> None:
    """Place and cancel, and print what it took."""
    count, asked = ordering.arguments()
    product, name = asked["product"], MARKET[asked["product"]]
    spec = product_spec(product)
    codec = make_codec(product, endpoints_of(spec, url=asked["http"]), keys_of(asked))
    # The venue's limits are lifted for everybody here, and ours with them.
    codec.spec = replace(spec, buckets={bucket: Bucket(10**9, 60.0) for bucket in spec.buckets})
    link = Link(codec)
    await link.open()
    await load_instruments(link)
    instrument = codec.instrument(name)
    quote = await link.ask(codec.quote(name))
    px = int(quote.bid_px * 0.97 / float(instrument.tick)) // 100 * 100
    lots = int(50.0 / (px * float(instrument.tick)) / float(instrument.lot)) + 1
    desk = Desk(link)
    await desk.gateway.start()
    await desk.gateway.wait_connected(10.0)
    await asyncio.sleep(0.5)
    keeper = None
    if asked.get("warm"):
        keeper = asyncio.create_task(keep_warm([Rehearsal(codec, instrument).turn], WARM_S))
    wire = _watched(desk.gateway)
    for number in range(count + ordering.WARM_UP):
        order_id = f"bench-{time.time_ns():x}-{number}"
        command = SubmitOrder(
            order_id, name, time.time_ns(), Side.BUY, OrderType.LIMIT, lots, px - number % 50 * 100
        )
        await desk.send(command, wire)
        await desk.send(CancelOrder(order_id, name, time.time_ns()))
    for _ in range(ordering.BURSTS):
        orders = [
            SubmitOrder(
                f"burst-{time.time_ns():x}-{turn}", name, time.time_ns(), Side.BUY, OrderType.LIMIT, lots, px
            )
            for turn in range(ordering.BURST)
        ]
        wire.begin()
        for order in orders:
            desk.gateway.send(order)
        wire.end_burst()
        await asyncio.sleep(0.1)
        for order in orders:
            await desk.send(CancelOrder(order.order_id, name, time.time_ns()))
    if keeper is not None:
        keeper.cancel()
    await desk.gateway.stop()
    await link.close()
    if desk.accepted < count:
        raise RuntimeError(f"{desk.accepted} orders were accepted; refused: {desk.refused[:3]}")
    ordering.emit(version("lanner"), wire, transport="websocket")


def _watched(gateway: TradeGateway) -> ordering.Wire:
    """Watch the call that hands a message to picows, which masks it and writes it to the socket at once."""
    wire = ordering.Wire()
    line = gateway._orders
    assert line is not None
    assert line.socket is not None
    socket: Any = line.socket._wire
    socket.send = wire.noting(socket.send)
    return wire


if __name__ == "__main__":
    run(main())
