"""A codec with a small universe and throw-away keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lanner.model.commands import SubmitOrder
from lanner.model.enums import OrderType, Side
from lanner.venues.hyperliquid.codec import HyperliquidCodec
from lanner.venues.hyperliquid.spec import HYPERLIQUID
from lanner.venues.keys import Keys

SECRET = "0x0123456789012345678901234567890123456789012345678901234567890123"

META = {
    "universe": [
        {"name": "BTC", "szDecimals": 5, "maxLeverage": 40},
        {"name": "ETH", "szDecimals": 4, "maxLeverage": 25},
        {"name": "OLD", "szDecimals": 1, "maxLeverage": 3, "isDelisted": True},
        {"name": "kPEPE", "szDecimals": 0, "maxLeverage": 10},
    ]
}
SPOT_META = {
    "tokens": [
        {"name": "USDC", "szDecimals": 8, "weiDecimals": 8, "index": 0},
        {"name": "PURR", "szDecimals": 0, "weiDecimals": 5, "index": 1},
        {"name": "HYPE", "szDecimals": 2, "weiDecimals": 8, "index": 150},
        {"name": "HYPE", "szDecimals": 3, "weiDecimals": 8, "index": 151},
    ],
    "universe": [
        {"name": "@5", "tokens": [151, 0], "index": 5, "isCanonical": False},
        {"name": "PURR/USDC", "tokens": [1, 0], "index": 0, "isCanonical": True},
        {"name": "@107", "tokens": [150, 0], "index": 107, "isCanonical": True},
        {"name": "@9", "tokens": [999, 0], "index": 9, "isCanonical": False},
    ],
}


def make_codec(keys: Keys | None = None, **more: Any) -> HyperliquidCodec:
    """Build a codec that has read the small universe."""
    codec = HyperliquidCodec(HYPERLIQUID.testnet, keys, **more)
    perps = codec.instruments_call()
    assert perps.then is not None
    perps.parse(json.dumps(META).encode(), 0)
    perps.then.parse(json.dumps(SPOT_META).encode(), 0)
    return codec


@pytest.fixture
def keys() -> Keys:
    return Keys("wallet", SECRET)


@pytest.fixture
def codec(keys: Keys) -> HyperliquidCodec:
    return make_codec(keys)


@pytest.fixture
def submit() -> Callable[..., SubmitOrder]:
    """Return a maker of orders: a limit order to buy 0.5 ETH at 2000.1 unless told otherwise."""

    def make(order_id: str = "O-1", **more: Any) -> SubmitOrder:
        facts: dict[str, Any] = {
            "instrument_id": "ETH-PERP.HYPERLIQUID",
            "ts": 0,
            "side": Side.BUY,
            "type": OrderType.LIMIT,
            "lots": 5_000,
            "px_ticks": 200_010,
        }
        return SubmitOrder(order_id, **{**facts, **more})

    return make
