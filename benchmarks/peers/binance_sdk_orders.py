"""binance-sdk-spot sending orders over the WebSocket API. See `benchmarks/ordering.py`."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.request
from importlib.metadata import version

import binance_sdk_spot.spot as sdk

from benchmarks import ordering


async def main() -> None:
    count, asked = ordering.arguments()
    account = asked["account"]
    if asked["key"] == "ed25519":
        keys = {"api_key": account["ed25519_api_key"], "private_key": account["ed25519_private_key"]}
    else:
        keys = {"api_key": account["api_key"], "api_secret": account["api_secret"]}
    config = sdk.ConfigurationWebSocketAPI(stream_url=f"{asked['ws']}/ws-api/v3", **keys)
    client = sdk.Spot(config_ws_api=config)
    session = await client.websocket_api.create_connection()
    if asked["key"] == "ed25519":
        await session.session_logon()
    with urllib.request.urlopen(f"{asked['http']}/api/v3/ticker/bookTicker?symbol=BTCUSDT") as answer:
        px = int(float(json.load(answer)["bidPrice"]) * 0.97)
    wire = ordering.Wire()
    wire.watch()
    for number in range(count + ordering.WARM_UP):
        wire.begin()
        answer = await session.order_place(
            symbol="BTCUSDT", side="BUY", type="LIMIT", time_in_force="GTC", price=px - number % 50,
            quantity=0.001,
        )  # fmt: skip
        wire.end()
        order = answer.data().result
        assert order.status == "NEW", order
        await session.order_cancel(symbol="BTCUSDT", order_id=order.order_id)
        await ordering.pause()
    for _ in range(ordering.BURSTS):
        wire.begin()
        orders = [
            session.order_place(
                symbol="BTCUSDT",
                side="BUY",
                type="LIMIT",
                time_in_force="GTC",
                price=px - turn,
                quantity=0.001,
            )
            for turn in range(ordering.BURST)
        ]
        answers = await asyncio.gather(*orders)
        wire.end_burst()
        for answer in answers:
            await session.order_cancel(symbol="BTCUSDT", order_id=answer.data().result.order_id)
    ordering.emit(version("binance-sdk-spot"), wire, transport="websocket")
    os._exit(0)  # its connections cannot all be closed without noise


if __name__ == "__main__":
    asyncio.run(main())
