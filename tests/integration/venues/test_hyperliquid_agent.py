"""An agent made by ``lanner keys agent``: approved by the main wallet, allowed to trade, never to withdraw."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator

import pytest

from lanner.venues.keys import load_keys
from tests.integration.simulator.hyperliquid.local_venue import LocalVenue

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def venue() -> Iterator[LocalVenue]:
    local = LocalVenue().start()
    yield local
    local.stop()


def test_an_agent_is_made_approved_stored_and_may_trade(
    venue: LocalVenue, lanner: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANNER_KEYS_PASSPHRASE", "correct horse")
    main = venue.wallets[0]
    monkeypatch.setattr("sys.stdin", io.StringIO("0x" + main.key.hex()))
    code, out, err = lanner("keys", "agent", "hyperliquid", "--url", venue.url, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["account"] == main.address.lower()
    assert main.key.hex() not in out + err
    keys = load_keys("hyperliquid")
    assert (keys.api_key, keys.account, keys.is_agent) == (told["agent"], told["account"], True)
    code, out, err = lanner("keys", "check", "hyperliquid", "--url", venue.url, "--json")
    assert code == 0, err
    assert json.loads(out)["rights"]["trade"] is True
    assert json.loads(out)["rights"]["withdraw"] is False


def test_a_stranger_cannot_approve_an_agent_for_an_account_without_money(
    venue: LocalVenue, lanner: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("0x" + "12" * 32))
    code, _, err = lanner("keys", "agent", "hyperliquid", "--url", venue.url)
    assert code != 0
    assert "12" * 32 not in err
    assert lanner("keys", "list", "--quiet")[1].strip() == ""


def test_only_hyperliquid_has_agents(lanner: Run) -> None:
    assert lanner("keys", "agent", "binance-spot")[0] == 4
