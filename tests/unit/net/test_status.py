"""Addresses for people, and the life cycle of a connection."""

from __future__ import annotations

import pytest

from lanner.core.errors import TransitionError
from lanner.net.status import LINK_STEPS, LinkState, safe_url

KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"wss://fstream.binance.com/private/ws/{KEY}", "wss://fstream.binance.com/private/ws/…"),
        (f"wss://host:9443/ws?listenKey={KEY}&events=x", "wss://host:9443/ws"),
        ("wss://user:secret@host/ws", "wss://host/ws"),
        ("wss://api.hyperliquid.xyz/ws", "wss://api.hyperliquid.xyz/ws"),
        (
            "wss://stream.binance.com/ws/btcusdt@depth@100ms",
            "wss://stream.binance.com/ws/btcusdt@depth@100ms",
        ),
    ],
)
def test_addresses_are_shown_without_secrets(url: str, shown: str) -> None:
    assert safe_url(url) == shown


def test_a_failed_connection_can_be_started_again_but_does_not_connect_by_itself() -> None:
    LINK_STEPS.check(LinkState.FAILED, LinkState.CONNECTING)
    with pytest.raises(TransitionError):
        LINK_STEPS.check(LinkState.FAILED, LinkState.CONNECTED)
