"""python-binance reading the firehose: a multiplex socket, whose messages are plain dictionaries; no book is kept."""

from __future__ import annotations

import asyncio
from importlib.metadata import version

from binance import AsyncClient, BinanceSocketManager

from benchmarks.streaming import Meter, arguments

STREAMS = {"ticker": "bookTicker", "depth": "depth20@100ms", "diff": "depth@100ms"}


async def main() -> None:
    args = arguments()
    meter = Meter(args.count, lambda: None)
    BinanceSocketManager.STREAM_URL = f"ws://127.0.0.1:{args.port}/"
    client = AsyncClient("key", "secret")
    # Its queue of 100 messages overflows, which ends its stream: give it room for everything.
    manager = BinanceSocketManager(client, max_queue_size=args.count * 2)
    names = [f"{symbol}@{STREAMS[args.kind]}" for symbol in ("btcusdt", "ethusdt", "solusdt")]
    async with manager.multiplex_socket(names) as socket:
        while not meter.cpu_seconds:
            message = await socket.recv()
            if args.task == "latency":
                meter.stamp(message["data"]["u"])
            else:
                meter.count()
    await client.close_connection()
    meter.emit(version("python-binance"), keeps_book=False)


if __name__ == "__main__":
    asyncio.run(main())
