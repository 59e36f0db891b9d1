"""Keys of venues: what signs, and where the secret is found.

A secret is looked for in this order, and the first place that has one wins::

    environment   LANNER_KEYS__<PRODUCT>__SECRET …          or …_FILE, the path of a file that holds the value
    key store     what ``lanner keys add`` put into the encrypted file or the system's keyring

``<PRODUCT>`` is the product in capitals with ``_`` for ``-`` (``BINANCE_SPOT``); keys that are not named ``default``
have their name between product and field (``LANNER_KEYS__BINANCE_SPOT__SECOND__SECRET``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import NoReturn

from lanner.core.errors import ConfigError, NotFoundError
from lanner.venues.keystore import KeyStore, Secret, read_variable
from lanner.venues.registry import product_spec
from lanner.venues.signing import (
    DigestSigner,
    TextSigner,
    digest_signer,
    ed25519_signer,
    hmac_signer,
    rsa_signer,
    text_kind,
    wallet_address,
    wallet_key,
)

KINDS = ("hmac", "ed25519", "rsa", "wallet")
"""How a venue's requests are signed; ``wallet`` is a secp256k1 key."""

FIELDS = ("KIND", "API_KEY", "SECRET", "ACCOUNT", "VAULT")
"""What the environment may tell about a key."""

_TEXT_SIGNERS = {"hmac": hmac_signer, "ed25519": ed25519_signer, "rsa": rsa_signer}


class Keys:
    """A key that can sign, and never shows its secret.

    ``api_key`` is the public id: Binance's API key, or the signer's address. ``account`` is the address that is
    traded for at Hyperliquid (the main wallet of an agent; the signer itself where nothing is told), ``vault`` the
    address of a vault or sub-account that orders are placed for.
    """

    __slots__ = ("_digest", "_text", "account", "api_key", "kind", "name", "vault")

    def __init__(
        self,
        kind: str,
        secret: str | Secret,
        *,
        api_key: str = "",
        account: str = "",
        vault: str = "",
        name: str = "default",
    ) -> None:
        text = secret.reveal() if isinstance(secret, Secret) else secret.strip()
        if not text:
            raise ConfigError(f"the key {name!r} has no secret")
        self._text: TextSigner | None = None
        self._digest: DigestSigner | None = None
        self.name = name
        self.kind = kind or _kind_of(text)
        self.vault = check_address(vault)
        if self.kind == "wallet":
            key = wallet_key(text)
            self.api_key = wallet_address(key)
            if api_key and api_key.lower() != self.api_key:
                raise ConfigError(
                    "the address told does not belong to the wallet key", expected=api_key, found=self.api_key
                )
            self.account = check_address(account) or self.api_key
            self._digest = digest_signer(key)
            return
        if self.kind not in _TEXT_SIGNERS:
            raise ConfigError("unknown kind of key", expected=", ".join(KINDS), found=self.kind)
        if not api_key:
            raise ConfigError(
                f"the key {name!r} lacks its public part", expected="the API key that the venue gave"
            )
        if not (api_key.isascii() and api_key.isprintable()):
            # what was found is not shown: somebody may have put the secret here
            raise ConfigError(
                f"the public part of the key {name!r} has characters that no API key has",
                expected="the API key that the venue gave, on one line",
            )
        self.api_key, self.account = api_key, account
        self._text = _TEXT_SIGNERS[self.kind](text)

    def sign_text(self, payload: bytes) -> str:
        """Sign text: hex for HMAC, base64 for Ed25519 and RSA."""
        if self._text is None:
            raise ConfigError(f"a {self.kind} key signs no text", expected="a hmac, ed25519 or rsa key")
        return self._text(payload)

    def sign_digest(self, digest: bytes) -> tuple[int, int, int]:
        """Sign a 32-byte digest on secp256k1; return r, s and v (27 or 28)."""
        if self._digest is None:
            raise ConfigError(f"a {self.kind} key signs no digests", expected="a wallet key")
        return self._digest(digest)

    @property
    def is_agent(self) -> bool:
        """Tell whether the signer is another address than the account: an agent can trade and never withdraw."""
        return self.kind == "wallet" and self.account != self.api_key

    def __repr__(self) -> str:
        return f"<Keys {self.name} {self.kind} {self.api_key}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("keys are not pickled: they hold a secret")


def check_address(text: str) -> str:
    """Return a 0x address in lower case (nothing for nothing), or raise ``ConfigError``."""
    address = text.strip().lower()
    if address and (len(address) != 42 or address[:2] != "0x" or set(address[2:]) - set("0123456789abcdef")):
        # what was found is not shown: somebody may have put the secret here
        raise ConfigError(
            "not an address", expected="0x and 40 hex digits", found=f"{len(address)} characters"
        )
    return address


def load_keys(
    product: str,
    name: str = "default",
    environment: Mapping[str, str] | None = None,
    *,
    ask: Callable[[bool], str] | None = None,
) -> Keys:
    """Return the keys of a product, or raise ``NotFoundError`` that says where they were looked for.

    ``ask`` is called for the passphrase of the key file where the environment does not tell it.
    """
    source = os.environ if environment is None else environment
    found = environment_keys(product, name, source)
    if found is not None:
        return found
    stored = KeyStore(ask=ask, environment=source)
    if stored.entry(product, name) is not None:
        return stored_keys(stored, product, name)
    raise NotFoundError(
        f"no keys for {product}" + (f" named {name!r}" if name != "default" else ""),
        expected=f"{_prefix(product, name)}SECRET in the environment, or a stored key",
        fix=f"Store them: lanner keys add {product}",
    )


def stored_keys(store: KeyStore, product: str, name: str = "default") -> Keys:
    """Return keys from the key store; a missing entry is a ``NotFoundError``."""
    entry = store.entry(product, name)
    if entry is None:
        raise NotFoundError(f"no stored key {product} {name}", fix="See what is stored: lanner keys list")
    facts = {"api_key": entry.api_key, "account": entry.account, "vault": entry.vault, "name": entry.name}
    return Keys(entry.kind, store.secret(entry), **facts)


def environment_keys(
    product: str, name: str = "default", environment: Mapping[str, str] | None = None
) -> Keys | None:
    """Return the keys that the environment tells, None where it tells no secret."""
    source = os.environ if environment is None else environment
    values = {field: read_variable(source, _prefix(product, name) + field) for field in FIELDS}
    if not values["SECRET"]:
        return None
    return Keys(
        values["KIND"].reveal().lower() or _only_kind(product),
        values["SECRET"],
        api_key=values["API_KEY"].reveal(),
        account=values["ACCOUNT"].reveal(),
        vault=values["VAULT"].reveal(),
        name=name,
    )


def _only_kind(product: str) -> str:
    """Return the kind of key of a product that takes only one, nothing for the others."""
    kinds = product_spec(product).key_kinds
    return kinds[0] if len(kinds) == 1 else ""


def _prefix(product: str, name: str) -> str:
    middle = "" if name == "default" else f"{_word(name)}__"
    return f"LANNER_KEYS__{_word(product)}__{middle}"


def _word(text: str) -> str:
    return text.upper().replace("-", "_")


def _kind_of(secret: str) -> str:
    """Tell what a secret looks like: 64 hex digits behind 0x are a wallet's."""
    return "wallet" if secret.lower().startswith("0x") and len(secret) == 66 else text_kind(secret)
