"""Every published and generated signature of the venue, reproduced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lanner.venues.errors import VenueError
from lanner.venues.hyperliquid.auth import APPROVE_AGENT, Signer, action_hash, user_digest
from lanner.venues.keys import Keys


@pytest.fixture
def vectors(shared_data: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((shared_data / "signing" / "hyperliquid.json").read_text())
    return told


BUILDER_FEE = (
    "HyperliquidTransaction:ApproveBuilderFee",
    [
        ("hyperliquidChain", "string"),
        ("maxFeeRate", "string"),
        ("builder", "address"),
        ("nonce", "uint64"),
    ],
)


def _cases(vectors: dict[str, Any], kind: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        (vectors[section]["private_key"], case)
        for section in ("documented", "generated_shared")
        for case in vectors[section]["cases"]
        if case["kind"] == kind
    ]


def _signature(body: bytes) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(body)["signature"]
    return {"r": told["r"], "s": told["s"], "v": told["v"]}


def test_every_l1_action_is_packed_hashed_and_signed_as_published(vectors: dict[str, Any]) -> None:
    cases = _cases(vectors, "l1_action")
    assert len(cases) > 50
    for secret, case in cases:
        packed = msgspec.msgpack.encode(case["action"])
        assert packed.hex() == case["action_msgpack_hex"], case["id"]
        vault, nonce, expires = case["vault_address"] or "", case["nonce"], case["expires_after"]
        assert "0x" + action_hash(packed, nonce, vault, expires).hex() == case["action_hash"], case["id"]
        for network in ("mainnet", "testnet"):
            signer = Signer(Keys("wallet", secret, vault=vault), mainnet=network == "mainnet")
            body = signer.payload(case["action"], nonce, expires)
            assert _signature(body) == case[network], (case["id"], network)
            sent = json.loads(body)
            assert sent["action"] == case["action"]
            assert sent["nonce"] == nonce
            assert sent.get("vaultAddress", "") == vault
            assert sent.get("expiresAfter") == expires


def test_the_hash_of_an_order_on_the_real_chain_is_reproduced(vectors: dict[str, Any]) -> None:
    for _, case in _cases(vectors, "action_hash"):
        packed = msgspec.msgpack.encode(case["action"])
        assert "0x" + action_hash(packed, case["nonce"]).hex() == case["action_hash"]


def test_every_user_signed_action_is_signed_as_published(vectors: dict[str, Any]) -> None:
    cases = _cases(vectors, "user_signed_action")
    assert len(cases) >= 8
    types = {
        case["id"]: (case["primary_type"], [(field["name"], field["type"]) for field in case["sign_types"]])
        for _, case in cases
        if case.get("sign_types")
    }
    types["approveAgent"] = (APPROVE_AGENT[0], list(APPROVE_AGENT[1]))
    types["approveBuilderFee"] = BUILDER_FEE
    for secret, case in cases:
        keys = Keys("wallet", secret)
        for network in ("mainnet", "testnet"):
            if network in case:
                r, s, v = keys.sign_digest(user_digest(case[f"action_{network}"], *types[case["id"]]))
                assert {"r": f"{r:#x}", "s": f"{s:#x}", "v": v} == case[network], (case["id"], network)


def test_the_approval_of_an_agent_is_the_published_one(vectors: dict[str, Any]) -> None:
    (found,) = (
        (key, case) for key, case in _cases(vectors, "user_signed_action") if case["id"] == "approveAgent"
    )
    secret, case = found
    for network in ("mainnet", "testnet"):
        told = case[f"action_{network}"]
        signer = Signer(Keys("wallet", secret), mainnet=network == "mainnet")
        body = signer.approval(told["agentAddress"], told["agentName"], told["nonce"])
        assert json.loads(body)["action"] == told
        assert _signature(body) == case[network]


def test_without_a_key_nothing_is_signed() -> None:
    with pytest.raises(VenueError, match="needs a key"):
        Signer(None, mainnet=False).payload({"type": "noop"}, 1)
