"""Plain addresses: whose they are, and what their frames become."""

from __future__ import annotations

import pytest

from lanner.control.endpoints import product_at
from lanner.core.errors import ConfigError
from lanner.live.config import LiveTradingConfig, WebSocketEndpoint


def test_the_address_of_a_venue_is_known_by_its_host() -> None:
    assert product_at("wss://api.hyperliquid.xyz/ws") == "hyperliquid"
    assert product_at("wss://stream.binance.com:9443/ws/btcusdt@trade") == "binance-spot"
    assert product_at("wss://example.org/ws") == ""


def test_everything_follows_from_the_url_as_in_the_seed() -> None:
    config = LiveTradingConfig(ws_endpoints=("wss://api.hyperliquid.xyz/ws",))
    [endpoint] = config.ws_endpoints
    assert (endpoint.host, endpoint.port, endpoint.path, endpoint.use_tls) == (
        "api.hyperliquid.xyz",
        443,
        "/ws",
        True,
    )
    assert WebSocketEndpoint(url="ws://127.0.0.1:8080").path == "/ws"
    assert (config.heartbeat_interval_ms, config.tick_interval_ms, config.auto_reconnect) == (
        30_000,
        None,
        True,
    )
    assert (config.reconnect_base_ms, config.reconnect_max_ms, config.enable_recovery) == (
        1_000,
        60_000,
        True,
    )
    with pytest.raises((ConfigError, ValueError)):
        WebSocketEndpoint(url="http://example.org")
