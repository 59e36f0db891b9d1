"""Keys sign and never show their secret; secrets are found where they were put."""

from __future__ import annotations

import json
import pickle
import stat
from pathlib import Path

import msgspec
import pytest

from lanner.core.errors import ConfigError, LannerError, NotFoundError
from lanner.venues.keys import Keys, load_keys
from lanner.venues.keystore import KeyEntry, KeyStore, Secret

SECRET = "0x0123456789012345678901234567890123456789012345678901234567890123"
ADDRESS = "0x14791697260e4c9a71f18484c9f997b308e59325"
MASTER = "0x5e9ee1089755c3435139848e47e6635505d5a13a"


def test_a_wallets_address_follows_from_its_secret() -> None:
    keys = Keys("wallet", SECRET)
    assert (keys.api_key, keys.account, keys.is_agent) == (ADDRESS, ADDRESS, False)
    agent = Keys("", SECRET, account=MASTER.upper().replace("0X", "0x"))
    assert (agent.kind, agent.account, agent.is_agent) == ("wallet", MASTER, True)


def test_no_way_of_printing_or_saving_a_key_shows_its_secret() -> None:
    for keys, text in (
        (Keys("wallet", SECRET), SECRET[2:]),
        (Keys("hmac", "s3cr3t", api_key="public"), "s3cr3t"),
    ):
        assert text not in repr(keys) + str(keys) + f"{keys}"
        with pytest.raises(TypeError):
            pickle.dumps(keys)
        with pytest.raises(TypeError):
            json.dumps(keys)
        with pytest.raises(TypeError):
            msgspec.json.encode(keys)
        with pytest.raises(TypeError):
            vars(keys)
    secret = Secret(SECRET)
    assert SECRET not in repr(secret) + str(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_key_signs_only_what_its_kind_can() -> None:
    with pytest.raises(ConfigError):
        Keys("wallet", SECRET).sign_text(b"x")
    with pytest.raises(ConfigError):
        Keys("hmac", "s", api_key="a").sign_digest(b"\x00" * 32)


@pytest.mark.parametrize(
    ("kind", "secret", "more"),
    [
        ("wallet", "", {}),
        ("wallet", "0x1234", {}),
        ("wallet", SECRET, {"api_key": MASTER}),
        ("wallet", SECRET, {"account": "0x12"}),
        ("hmac", "secret-text", {}),
        ("hmac", "secret-text", {"api_key": "two\nlines"}),
        ("hmac", "secret-text", {"api_key": "schlüssel"}),
        ("dsa", "secret-text", {"api_key": "x"}),
        ("ed25519", "secret-text", {"api_key": "x"}),
    ],
)
def test_keys_that_cannot_be_are_refused_without_their_secret(
    kind: str, secret: str, more: dict[str, str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        Keys(kind, secret, **more)
    assert not secret or secret not in str(caught.value)


def test_a_product_that_takes_wallets_only_takes_what_it_is_told_for_one() -> None:
    bare = load_keys(
        "hyperliquid", environment={"LANNER_KEYS__HYPERLIQUID__SECRET": SECRET.removeprefix("0x")}
    )
    assert (bare.kind, bare.api_key) == ("wallet", ADDRESS)
    with pytest.raises(ConfigError, match="no wallet key"):
        load_keys("hyperliquid", environment={"LANNER_KEYS__HYPERLIQUID__SECRET": "0x46ee"})


def test_the_environment_tells_keys_by_value_or_by_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    told = {"LANNER_KEYS__HYPERLIQUID__SECRET_FILE": str(file), "LANNER_KEYS__HYPERLIQUID__ACCOUNT": MASTER}
    keys = load_keys("hyperliquid", environment=told)
    assert (keys.api_key, keys.account) == (ADDRESS, MASTER)
    named = {
        "LANNER_KEYS__BINANCE_SPOT__SECOND__SECRET": "abc",
        "LANNER_KEYS__BINANCE_SPOT__SECOND__API_KEY": "public",
    }
    second = load_keys("binance-spot", "second", environment=named)
    assert (second.kind, second.api_key, second.name) == ("hmac", "public", "second")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_keys("hyperliquid", environment={"LANNER_KEYS__HYPERLIQUID__SECRET_FILE": str(tmp_path / "no")})


def test_without_keys_it_is_said_where_they_were_looked_for(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="LANNER_KEYS__HYPERLIQUID__SECRET"):
        load_keys("hyperliquid", environment={"LANNER_HOME": str(tmp_path)})


@pytest.mark.slow
def test_the_key_file_is_encrypted_private_and_opens_with_its_passphrase_only(tmp_path: Path) -> None:
    told = {"LANNER_HOME": str(tmp_path), "LANNER_KEYS_PASSPHRASE": "correct horse"}
    store = KeyStore(environment=told)
    store.add(KeyEntry("hyperliquid", "default", "wallet", ADDRESS, MASTER), Secret(SECRET))
    store.add(KeyEntry("binance-spot", "default", "hmac", "public"), Secret("s3cr3t"))
    assert [entry.product for entry in store.entries()] == ["binance-spot", "hyperliquid"]
    for name in ("keys.age", "keys.json"):
        path = tmp_path / name
        assert SECRET[2:].encode() not in path.read_bytes()
        assert b"s3cr3t" not in path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keys = load_keys("hyperliquid", environment=told)
    assert (keys.api_key, keys.account) == (ADDRESS, MASTER)
    with pytest.raises(ConfigError, match="does not open"):
        load_keys("hyperliquid", environment={**told, "LANNER_KEYS_PASSPHRASE": "wrong"})
    with pytest.raises(ConfigError, match="passphrase"):
        load_keys("hyperliquid", environment={"LANNER_HOME": str(tmp_path)})
    assert store.remove("hyperliquid")
    assert not store.remove("hyperliquid")
    assert store.secret(store.entries()[0]).reveal() == "s3cr3t"
    assert store.remove("binance-spot")
    assert not (tmp_path / "keys.age").exists()


def test_the_environment_wins_over_the_store(tmp_path: Path) -> None:
    told = {"LANNER_HOME": str(tmp_path), "LANNER_KEYS_PASSPHRASE": "p"}
    KeyStore(environment=told).add(KeyEntry("binance-spot", "default", "hmac", "stored"), Secret("a"))
    both = {**told, "LANNER_KEYS__BINANCE_SPOT__SECRET": "b", "LANNER_KEYS__BINANCE_SPOT__API_KEY": "told"}
    assert load_keys("binance-spot", environment=both).api_key == "told"


def test_the_systems_keyring_can_hold_the_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = pytest.importorskip("keyring")
    backend = pytest.importorskip("keyring.backend")

    class Ring(backend.KeyringBackend):  # type: ignore[misc, name-defined]
        priority = 1

        def __init__(self) -> None:
            self.held: dict[tuple[str, str], str] = {}

        def get_password(self, service: str, username: str) -> str | None:
            return self.held.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            self.held[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del self.held[service, username]

    before, ring = keyring.get_keyring(), Ring()
    keyring.set_keyring(ring)
    try:
        told = {"LANNER_HOME": str(tmp_path)}
        store = KeyStore(environment=told)
        store.add(
            KeyEntry("hyperliquid", "default", "wallet", ADDRESS, MASTER, store="keyring"), Secret(SECRET)
        )
        assert not (tmp_path / "keys.age").exists()
        assert load_keys("hyperliquid", environment=told).api_key == ADDRESS
        store.remove("hyperliquid")
        assert ring.held == {}
    finally:
        keyring.set_keyring(before)


def test_a_damaged_list_of_keys_is_a_mistake_that_can_be_mended(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{")
    with pytest.raises(LannerError, match=r"keys\.json"):
        KeyStore(tmp_path).entries()
