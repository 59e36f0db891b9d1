"""Who signed: the documented vectors recover to their address, and two ways of recovery agree."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import msgspec
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.datatypes import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lanner.simulator.dialects.hyperliquid import signatures
from lanner.simulator.dialects.hyperliquid.actions import hashed_forms
from lanner.simulator.dialects.hyperliquid.signatures import BadSignatureError


def vectors(shared_data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared_data / "signing/hyperliquid.json").read_text())
    return found


def test_documented_l1_actions_belong_to_their_signer(shared_data: Path) -> None:
    documented = vectors(shared_data)["documented"]
    cases = [case for case in documented["cases"] if case["kind"] == "l1_action"]
    assert len(cases) >= 5
    for case in cases:
        forms = list(hashed_forms(msgspec.Raw(json.dumps(case["action"]).encode())))
        hashed = signatures.action_hash(forms[0], case["nonce"], case["vault_address"], case["expires_after"])
        assert "0x" + hashed.hex() == case["action_hash"], case["id"]
        for chain in ("mainnet", "testnet"):
            signature = case[chain]
            address = signatures.recover(
                signatures.l1_digest(hashed, chain),
                int(signature["r"], 16),
                int(signature["s"], 16),
                signature["v"],
            )
            assert address == documented["address"].lower(), case["id"]


def test_documented_user_signed_actions_belong_to_their_signer(shared_data: Path) -> None:
    documented = vectors(shared_data)["documented"]
    cases = [case for case in documented["cases"] if case["kind"] == "user_signed_action"]
    assert {case["id"] for case in cases} == {"usdSend", "withdraw3"}
    for case in cases:
        action = {"signatureChainId": "0x66eee", "hyperliquidChain": "Testnet", **case["action_testnet"]}
        signature = case["testnet"]
        digest = signatures.user_digest(case["id"], action)
        found = signatures.recover(digest, int(signature["r"], 16), int(signature["s"], 16), signature["v"])
        assert found == documented["address"].lower()


SAMPLES = {"string": "a text", "uint64": 1_700_000_000_000, "bool": True, "address": "0x" + "5a" * 20}


@pytest.mark.parametrize("kind", sorted(signatures.USER_SIGNED))
def test_every_user_signed_action_is_hashed_as_typed_data(kind: str) -> None:
    name, fields = signatures.USER_SIGNED[kind]
    message = {key: SAMPLES[type_] for key, type_ in fields}
    typed = {
        "domain": {
            "name": "HyperliquidSignTransaction",
            "version": "1",
            "chainId": 421_614,
            "verifyingContract": "0x" + "0" * 40,
        },
        "types": {
            f"HyperliquidTransaction:{name}": [{"name": key, "type": type_} for key, type_ in fields],
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
        },
        "primaryType": f"HyperliquidTransaction:{name}",
        "message": message,
    }
    wallet = Account.create()
    signed = wallet.sign_message(encode_typed_data(full_message=typed))
    digest = signatures.user_digest(kind, {**message, "signatureChainId": "0x66eee"})
    assert signatures.recover(digest, signed.r, signed.s, signed.v) == wallet.address.lower()


def test_plain_python_recovers_the_same_key() -> None:
    for _ in range(20):
        key = PrivateKey(secrets.token_bytes(32))
        digest = secrets.token_bytes(32)
        signature = key.sign_msg_hash(digest)
        slow = signatures.recover_key(digest, signature.r, signature.s, signature.v)
        assert slow[1:] == key.public_key.to_bytes()
        fast = signatures.recover(digest, signature.r, signature.s, signature.v + 27)
        assert fast == key.public_key.to_address()


@pytest.mark.parametrize(
    ("r", "s", "v"),
    [
        (0, 1, 27),
        (1, 0, 27),
        (signatures.CURVE_N, 1, 27),
        (1, signatures.CURVE_N, 28),
        (1, 1, 29),
        (5, 1, 26),
    ],
)
def test_what_is_no_signature_is_refused(r: int, s: int, v: int) -> None:
    with pytest.raises(BadSignatureError):
        signatures.recover(b"\1" * 32, r, s, v)


def test_x_that_lies_on_no_curve_is_refused_both_ways() -> None:
    for work in (
        lambda: signatures.recover(b"\1" * 32, 5, 1, 27),
        lambda: signatures.recover_key(b"\1" * 32, 5, 1, 0),
    ):
        with pytest.raises(BadSignatureError):
            work()


def test_unusable_fields_are_a_bad_signature_not_a_crash() -> None:
    for action in (
        {},
        {"signatureChainId": "xyz"},
        {"signatureChainId": "0x1", "agentAddress": "0x12", "nonce": 1},
    ):
        with pytest.raises(BadSignatureError):
            signatures.user_digest("approveAgent", action)


def forms(action: Any) -> list[dict[str, Any]]:
    return list(hashed_forms(msgspec.Raw(json.dumps(action).encode())))


def test_hashed_form_drops_what_a_record_would_not_write() -> None:
    order = {
        "a": 0,
        "b": True,
        "p": "100.50",
        "s": "1.0",
        "r": False,
        "t": {"limit": {"tif": "Gtc"}},
        "c": None,
    }
    (form,) = forms({"type": "order", "orders": [order], "grouping": "na", "builder": None})
    assert form == {
        "type": "order",
        "orders": [{"a": 0, "b": True, "p": "100.5", "s": "1", "r": False, "t": {"limit": {"tif": "Gtc"}}}],
        "grouping": "na",
    }


def test_flags_that_are_false_are_not_hashed() -> None:
    (form,) = forms({"type": "cancel", "cancels": [{"a": 0, "o": 1}], "f": False})
    assert "f" not in form
    (form,) = forms(
        {
            "type": "modify",
            "oid": 1,
            "order": {"a": 0, "b": False, "p": "1", "s": "1", "r": False, "t": {}},
            "a": False,
        }
    )
    assert "a" not in form
    assert form["order"]["a"] == 0
    assert form["order"]["b"] is False


def test_keys_out_of_order_are_tried_as_sent_and_as_the_record_has_them() -> None:
    received, ordered = forms({"cancels": [{"o": 1, "a": 0}], "type": "cancel"})
    assert list(received) == ["cancels", "type"]
    assert list(ordered) == ["type", "cancels"]
    assert list(ordered["cancels"][0]) == ["a", "o"]


@given(st.binary(min_size=32, max_size=32), st.sampled_from(["mainnet", "testnet"]))
def test_chains_never_share_a_digest(connection: bytes, chain: str) -> None:
    other = {"mainnet": "testnet", "testnet": "mainnet"}[chain]
    assert signatures.l1_digest(connection, chain) != signatures.l1_digest(connection, other)
