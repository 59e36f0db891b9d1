"""cryptofeed reading the firehose: TICKER and L2_BOOK callbacks."""

from __future__ import annotations

import asyncio
from importlib.metadata import version

from cryptofeed import FeedHandler
from cryptofeed.connection import RestEndpoint, Routes, WebsocketEndpoint, WSAsyncConn
from cryptofeed.defines import L2_BOOK, TICKER
from cryptofeed.exchanges import Binance

from benchmarks.streaming import Meter, arguments

_open = WSAsyncConn._open


async def _open_plain(self) -> None:
    """Connect without TLS, as everybody does here; its addresses must say otherwise."""
    self.address = self.address.replace("wss://", "ws://")
    await _open(self)


WSAsyncConn._open = _open_plain

SYMBOLS = ["BTC-USDT", "ETH-USDT", "SOL-USDT"]


def main() -> None:
    args = arguments()
    base = f"127.0.0.1:{args.port}"
    Binance.websocket_endpoints = [WebsocketEndpoint(f"wss://{base}")]
    routes = Routes("/api/v3/exchangeInfo", l2book="/api/v3/depth?symbol={}&limit={}")
    Binance.rest_endpoints = [RestEndpoint(f"http://{base}", routes=routes)]
    handler = FeedHandler(config={"uvloop": True, "log": {"disabled": True}})
    loops = []

    def stop() -> None:
        meter.emit(version("cryptofeed"))
        loops[0].call_soon(loops[0].stop)

    meter = Meter(args.count, stop)

    async def ticker(told, _receipt) -> None:
        if args.task == "latency":
            meter.stamp(int(told.raw["u"]))
        else:
            meter.count()

    async def book(_told, _receipt) -> None:
        meter.count()

    if args.kind == "ticker":
        feed = Binance(symbols=SYMBOLS, channels=[TICKER], callbacks={TICKER: ticker})
    else:
        feed = Binance(symbols=SYMBOLS, channels=[L2_BOOK], callbacks={L2_BOOK: book}, max_depth=1000)
    handler.add_feed(feed)
    loop = asyncio.get_event_loop_policy().new_event_loop()
    asyncio.set_event_loop(loop)
    loops.append(loop)
    handler.run(start_loop=False, install_signal_handlers=False)
    loop.run_forever()


if __name__ == "__main__":
    main()
