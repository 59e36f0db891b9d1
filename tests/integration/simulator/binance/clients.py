"""Other people's clients, pointed at a stage."""

from __future__ import annotations

from contextlib import ExitStack
from importlib import import_module
from typing import Any

import pytest

from tests.integration.simulator.binance.stage import Stage


def python_binance(
    patch: pytest.MonkeyPatch, *, spot: Stage | None = None, usdm: Stage | None = None
) -> None:
    """Point python-binance's classes at the stages."""
    sockets = import_module("binance").BinanceSocketManager
    base = import_module("binance.base_client").BaseClient
    reconnecting = import_module("binance.ws.reconnecting_websocket").ReconnectingWebsocket

    # its sockets close only after a read has timed out
    patch.setattr(reconnecting, "TIMEOUT", 2)
    if spot is not None:
        patch.setattr(base, "API_URL", f"{spot.http}/api")
        patch.setattr(base, "MARGIN_API_URL", f"{spot.http}/sapi")
        patch.setattr(base, "WS_API_URL", f"{spot.ws}/ws-api/v3")
        patch.setattr(sockets, "STREAM_URL", f"{spot.ws}/")
    if usdm is not None:
        patch.setattr(base, "FUTURES_URL", f"{usdm.http}/fapi")
        patch.setattr(base, "WS_FUTURES_URL", f"{usdm.ws}/ws-fapi/v1")
        patch.setattr(sockets, "FSTREAM_URL", f"{usdm.ws}/")


def blocking(stage: Stage, closing: ExitStack) -> Any:
    """Return python-binance's blocking client for a stage; it leaves a session and an event loop behind."""
    client = import_module("binance").Client(
        stage.keys.api_key, stage.keys.api_secret, ping=stage.exchange.name == "binance-spot"
    )
    closing.callback(client.session.close)
    closing.callback(client.loop.close)
    return client


def official_spot(stage: Stage, kind: str = "hmac") -> Any:
    """Return the official spot client with REST, WebSocket API and streams pointed at a stage."""
    sdk = import_module("binance_sdk_spot.spot")

    keys = stage.keys
    secrets: dict[str, dict[str, str]] = {
        "hmac": {"api_key": keys.api_key, "api_secret": keys.api_secret},
        "ed25519": {"api_key": keys.ed25519_api_key, "private_key": keys.ed25519_private_key},
        "rsa": {"api_key": keys.rsa_api_key, "private_key": keys.rsa_private_key},
    }
    chosen = secrets[kind]
    return sdk.Spot(
        config_rest_api=sdk.ConfigurationRestAPI(base_path=stage.http, retries=0, **chosen),
        config_ws_api=sdk.ConfigurationWebSocketAPI(stream_url=f"{stage.ws}/ws-api/v3", **chosen),
        config_ws_streams=sdk.ConfigurationWebSocketStreams(stream_url=stage.ws),
    )
