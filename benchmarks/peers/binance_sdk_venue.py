"""binance-sdk-spot reading the firehose: stream callbacks with its own models; no book is kept."""

from __future__ import annotations

import asyncio
import os
from importlib.metadata import version

from binance_common.configuration import ConfigurationWebSocketStreams
from binance_sdk_spot.spot import Spot

from benchmarks.streaming import Meter, arguments


async def main() -> None:
    args = arguments()
    done = asyncio.Event()
    meter = Meter(args.count, done.set)
    client = Spot(
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=f"ws://127.0.0.1:{args.port}/stream")
    )
    connection = await client.websocket_streams.create_connection()

    def heard(message) -> None:
        if args.task == "latency":
            meter.stamp(message.u)
        else:
            meter.count()

    for symbol in ("btcusdt", "ethusdt", "solusdt"):
        if args.kind == "ticker":
            stream = await connection.book_ticker(symbol=symbol)
        else:
            stream = await connection.diff_book_depth(symbol=symbol, update_speed="100ms")
        stream.on("message", heard)
    await done.wait()
    meter.emit(version("binance-sdk-spot"), keeps_book=False)
    os._exit(0)  # its connections cannot all be closed without noise


if __name__ == "__main__":
    asyncio.run(main())
