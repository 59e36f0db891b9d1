"""hyperliquid-python-sdk sending orders, over HTTP as it does. See `benchmarks/ordering.py`."""

from __future__ import annotations

from importlib.metadata import version

import eth_account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info

from benchmarks import ordering


def main() -> None:
    count, asked = ordering.arguments()
    wallet = eth_account.Account.from_key(asked["account"]["wallet_private_key"])
    exchange = Exchange(wallet, asked["http"])
    px = int(float(Info(asked["http"], skip_ws=True).all_mids()["BTC"]) * 0.97)
    wire = ordering.Wire()
    wire.watch()
    for number in range(count + ordering.WARM_UP):
        wire.begin()
        answer = exchange.order("BTC", True, 0.001, px - number % 50, {"limit": {"tif": "Gtc"}})
        wire.end()
        resting = answer["response"]["data"]["statuses"][0]["resting"]
        exchange.cancel("BTC", resting["oid"])
        ordering.pause_blocking()
    ordering.emit(version("hyperliquid-python-sdk"), wire, transport="http")


if __name__ == "__main__":
    main()
