"""Other people's clients, pointed at a stage."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from tests.integration.simulator.binance.stage import Stage


def python_binance(
    patch: pytest.MonkeyPatch, *, spot: Stage | None = None, usdm: Stage | None = None
) -> None:
    """Point python-binance's classes at the stages."""
    from binance import BinanceSocketManager
    from binance.base_client import BaseClient
    from binance.ws.reconnecting_websocket import ReconnectingWebsocket

    # its sockets close only after a read has timed out
    patch.setattr(ReconnectingWebsocket, "TIMEOUT", 1)
    if spot is not None:
        patch.setattr(BaseClient, "API_URL", f"{spot.http}/api")
        patch.setattr(BaseClient, "MARGIN_API_URL", f"{spot.http}/sapi")
        patch.setattr(BaseClient, "WS_API_URL", f"{spot.ws}/ws-api/v3")
        patch.setattr(BinanceSocketManager, "STREAM_URL", f"{spot.ws}/")
    if usdm is not None:
        patch.setattr(BaseClient, "FUTURES_URL", f"{usdm.http}/fapi")
        patch.setattr(BaseClient, "WS_FUTURES_URL", f"{usdm.ws}/ws-fapi/v1")
        patch.setattr(BinanceSocketManager, "FSTREAM_URL", f"{usdm.ws}/")


def blocking(stage: Stage, closing: ExitStack) -> Any:
    """Return python-binance's blocking client for a stage; it leaves a session and an event loop behind."""
    from binance import Client

    client = Client(stage.keys.api_key, stage.keys.api_secret, ping=stage.exchange.name == "binance-spot")
    closing.callback(client.session.close)
    closing.callback(client.loop.close)
    return client


def official_spot(stage: Stage, kind: str = "hmac") -> Any:
    """Return the official spot client with REST, WebSocket API and streams pointed at a stage."""
    from binance_sdk_spot.spot import (
        ConfigurationRestAPI,
        ConfigurationWebSocketAPI,
        ConfigurationWebSocketStreams,
        Spot,
    )

    keys = stage.keys
    secrets: dict[str, dict[str, str]] = {
        "hmac": {"api_key": keys.api_key, "api_secret": keys.api_secret},
        "ed25519": {"api_key": keys.ed25519_api_key, "private_key": keys.ed25519_private_key},
        "rsa": {"api_key": keys.rsa_api_key, "private_key": keys.rsa_private_key},
    }
    chosen = secrets[kind]
    return Spot(
        config_rest_api=ConfigurationRestAPI(base_path=stage.http, retries=0, **chosen),
        config_ws_api=ConfigurationWebSocketAPI(stream_url=f"{stage.ws}/ws-api/v3", **chosen),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=stage.ws),
    )
