"""python-binance sending orders over the WebSocket API. See `benchmarks/ordering.py`."""

from __future__ import annotations

import asyncio
from importlib.metadata import version

from binance import AsyncClient
from binance.base_client import BaseClient

from benchmarks import ordering


async def main() -> None:
    count, asked = ordering.arguments()
    account = asked["account"]
    BaseClient.API_URL = f"{asked['http']}/api"
    BaseClient.WS_API_URL = f"{asked['ws']}/ws-api/v3"
    if asked["key"] == "ed25519":
        client = AsyncClient(account["ed25519_api_key"], private_key=account["ed25519_private_key"])
    else:
        client = AsyncClient(account["api_key"], account["api_secret"])
    ticker = await client.get_orderbook_ticker(symbol="BTCUSDT")
    px = int(float(ticker["bidPrice"]) * 0.97)
    wire = ordering.Wire()
    wire.watch()
    for number in range(count + ordering.WARM_UP):
        wire.begin()
        answer = await client.ws_create_order(
            symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.001",
            price=str(px - number % 50),
        )  # fmt: skip
        wire.end()
        assert answer["status"] == "NEW", answer
        await client.ws_cancel_order(symbol="BTCUSDT", orderId=answer["orderId"])
        await ordering.pause()
    for _ in range(ordering.BURSTS):
        wire.begin()
        orders = [
            client.ws_create_order(
                symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.001", price=str(px - turn)
            )
            for turn in range(ordering.BURST)
        ]  # fmt: skip
        answers = await asyncio.gather(*orders)
        wire.end_burst()
        for answer in answers:
            await client.ws_cancel_order(symbol="BTCUSDT", orderId=answer["orderId"])
    await client.close_connection()
    ordering.emit(version("python-binance"), wire, transport="websocket")


if __name__ == "__main__":
    asyncio.run(main())
