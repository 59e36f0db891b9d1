"""Signatures against published and generated vectors, and the slow twin of secp256k1."""

from __future__ import annotations

import hmac
import json
import random
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanner.core.errors import ConfigError
from lanner.venues.signing import (
    digest_signer,
    ed25519_signer,
    hmac_signer,
    keccak,
    plain_digest_signer,
    plain_keccak,
    recover_address,
    rsa_signer,
    text_kind,
    wallet_address,
    wallet_key,
)

KEY = wallet_key("0x0123456789012345678901234567890123456789012345678901234567890123")


def test_the_library_and_the_plain_twin_sign_alike_and_the_address_comes_back() -> None:
    fast, slow = digest_signer(KEY), plain_digest_signer(KEY)
    dice = random.Random(7)
    for _ in range(40):
        digest = dice.randbytes(32)
        signature = fast(digest)
        assert signature == slow(digest)
        assert recover_address(digest, *signature) == wallet_address(KEY)


def test_signatures_have_the_low_s() -> None:
    signer, dice = digest_signer(KEY), random.Random(1)
    half = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2
    assert all(signer(dice.randbytes(32))[1] <= half for _ in range(50))


def test_another_digest_recovers_another_address() -> None:
    r, s, v = digest_signer(KEY)(b"\x01" * 32)
    assert recover_address(b"\x02" * 32, r, s, v) != wallet_address(KEY)
    assert recover_address(b"\x01" * 32, r, s, 55 - v) != wallet_address(KEY)
    assert recover_address(b"\x01" * 32, 0, s, v) is None


def test_addresses_are_those_of_the_documentation() -> None:
    assert wallet_address(KEY) == "0x14791697260e4c9a71f18484c9f997b308e59325"


def test_keccak_is_the_one_from_before_sha3() -> None:
    assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


def test_the_reused_hash_state_gives_what_a_new_one_gives_in_any_order_and_thread() -> None:
    dice = random.Random(3)
    texts = [dice.randbytes(size) for size in (0, 1, 31, 32, 135, 136, 137, 272, 4_000)]
    assert [keccak(text) for text in texts] == [plain_keccak(text) for text in texts]
    found: list[bool] = []

    def work(seed: int) -> None:
        own = random.Random(seed)
        for _ in range(300):
            text = own.randbytes(own.randrange(400))
            found.append(keccak(text) == plain_keccak(text))

    threads = [Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1_200
    assert all(found)


def test_binance_vectors_are_reproduced(shared_data: Path) -> None:
    told = json.loads((shared_data / "signing" / "binance.json").read_text())
    for case in told["documented"]:
        if case["alg"] == "HMAC-SHA256-hex":
            assert hmac_signer(case["secret"])(case["payload"].encode()) == case["signature"], case["id"]
        if case.get("private_key_der_b64"):
            signer = ed25519_signer(case["private_key_der_b64"])
            assert signer(case["payload"].encode()) == case["signature"], case["id"]
    shared = told["generated_shared"]
    signers = {
        "hmac": hmac_signer(shared["hmac_secret"]),
        "ed25519": ed25519_signer(shared["ed25519_private_der_b64"]),
        "rsa": rsa_signer(shared["rsa_private_der_b64"]),
    }
    for case in shared["cases"]:
        for kind, signer in signers.items():
            assert signer(case["payload"].encode()) == case[kind], (case["id"], kind)


def test_the_kind_of_a_secret_is_seen(shared_data: Path) -> None:
    shared = json.loads((shared_data / "signing" / "binance.json").read_text())["generated_shared"]
    assert text_kind(shared["ed25519_private_der_b64"]) == "ed25519"
    assert text_kind(shared["rsa_private_der_b64"]) == "rsa"
    assert text_kind(shared["hmac_secret"]) == "hmac"


@pytest.mark.parametrize("bad", ["", "0x12", "zz" * 32, "0x" + "00" * 32, "0x" + "ff" * 32])
def test_what_is_no_wallet_key_is_refused_without_showing_it(bad: str) -> None:
    with pytest.raises(ConfigError) as caught:
        wallet_key(bad)
    assert not bad or bad not in str(caught.value)


def test_a_damaged_private_key_is_refused_without_showing_it() -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEsecretsecret\n-----END PRIVATE KEY-----"
    with pytest.raises(ConfigError) as caught:
        ed25519_signer(pem)
    assert "secretsecret" not in str(caught.value)
    with pytest.raises(ConfigError):
        text_kind(pem)


@given(secret=st.text(max_size=200), payload=st.binary(max_size=300))
def test_hmac_signatures_are_those_of_the_standard_library(secret: str, payload: bytes) -> None:
    sign = hmac_signer(secret)
    for text in (payload, b"", payload):
        assert sign(text) == hmac.digest(secret.encode(), text, "sha256").hex()
