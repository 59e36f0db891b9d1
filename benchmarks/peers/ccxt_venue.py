"""ccxt.pro reading the firehose: `watch_bids_asks` and `watch_order_book_for_symbols`.

Every message is counted as it has been handled, though the awaited result shows only the latest of several. Latency is
measured where its user waits, on the results that do appear.
"""

from __future__ import annotations

import asyncio
import contextlib

import ccxt
import ccxt.pro

from benchmarks.streaming import Meter, arguments, until_idle

SYMBOLS = ["BTC/USDT", "ETH/USDT", "SOL/USDT"]


class Counting(ccxt.pro.binance):
    """Binance that counts the messages it has handled."""

    meter: Meter | None = None

    def handle_message(self, client, message):
        super().handle_message(client, message)
        if self.meter is not None and "id" not in message:
            self.meter.count()


def make(port: int, **more) -> ccxt.pro.binance:
    exchange = Counting({"enableRateLimit": False, "options": {"defaultType": "spot", **more}})
    exchange.options["fetchMarkets"] = {"types": ["spot"]}
    exchange.options["fetchCurrencies"] = False
    exchange.has["fetchCurrencies"] = False
    base = f"http://127.0.0.1:{port}"
    for name in ("public", "private"):
        exchange.urls["api"][name] = f"{base}/api/v3"
    exchange.urls["api"]["ws"]["spot"] = f"ws://127.0.0.1:{port}/streams/ws"
    return exchange


async def main() -> None:
    args = arguments()
    done = asyncio.Event()
    meter = Meter(args.count, done.set)
    exchange = make(args.port)
    await exchange.load_markets()

    async def watch() -> None:
        while True:
            if args.kind == "ticker":
                told = await exchange.watch_bids_asks(SYMBOLS)
                if args.task == "latency":
                    for ticker in told.values():
                        meter.stamp(int(ticker["info"]["u"]))
            else:
                await exchange.watch_order_book_for_symbols(SYMBOLS)

    if args.task == "ingest":
        exchange.meter = meter
    task = asyncio.create_task(watch())
    if args.task == "latency":
        await until_idle(meter)
    else:
        await done.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await exchange.close()
    meter.emit(ccxt.__version__)


if __name__ == "__main__":
    asyncio.run(main())
