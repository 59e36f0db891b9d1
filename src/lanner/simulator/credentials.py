"""Test credentials from a seed: the venue is a toy, its keys open nothing else, so they may be printed."""

from __future__ import annotations

import hashlib
import math
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from lanner.core.errors import ConfigError
from lanner.simulator.accounts import Account, Agent, ApiKey, KeyKind

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

USUAL_BALANCES: dict[str, dict[str, str]] = {
    "binance-spot": {"USDT": "1000000", "BTC": "20", "ETH": "300", "SOL": "5000", "BNB": "100"},
    "binance-usdm": {"USDT": "1000000"},
    "hyperliquid": {"USDC": "1000000", "spot:USDC": "1000000", "HYPE": "10000", "PURR": "1000000"},
}


class Credentials(msgspec.Struct, kw_only=True):
    """An account's keys as the ready line prints them. Everything here is secret on a real venue."""

    account: str
    dialect: str
    api_key: str = ""
    api_secret: str = ""
    ed25519_api_key: str = ""
    ed25519_private_key: str = ""
    """PEM, PKCS8."""
    rsa_api_key: str = ""
    rsa_private_key: str = ""
    wallet_address: str = ""
    wallet_private_key: str = ""
    agent_address: str = ""
    agent_private_key: str = ""

    def __repr__(self) -> str:
        return f"Credentials({self.account!r}, {self.dialect!r})"

    def shown(self) -> dict[str, Any]:
        """Return what is there, for printing."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name))}


def _bytes(seed: int, *names: str, size: int = 32) -> bytes:
    return hashlib.blake2b("/".join((str(seed), *names)).encode(), digest_size=size).digest()


def _text(seed: int, *names: str) -> str:
    raw = _bytes(seed, *names, "a", size=64)
    return "".join(_ALPHABET[byte % 62] for byte in raw)


def _pem(key: PrivateKeyTypes) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _public_pem(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


@cache
def _rsa(seed: int, name: str) -> Any:
    """Make an RSA key from a seed: both primes are the next ones after seeded numbers."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    steps = _KNOWN_STEPS.get((seed, name), (0, 0))
    p, q = (
        _prime(int.from_bytes(_wide(seed, name, which), "big"), step)
        for which, step in zip(("p", "q"), steps, strict=True)
    )
    if p < q:
        p, q = q, p
    e = 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public
    )
    return numbers.private_key()


def _wide(seed: int, *names: str) -> bytes:
    raw = b"".join(_bytes(seed, *names, str(part), size=64) for part in range(2))
    return bytes([raw[0] | 0xC0]) + raw[1:]


_KNOWN_STEPS = {(7, "test"): (417, 1235)}
"""How far the search for the primes of the usual account goes: where it is known, most of it is saved."""


def _prime(start: int, step: int = 0) -> int:
    """Return the first probable prime p ≥ start + step with p − 1 not divisible by 65537."""
    candidate = start + step | 1
    small = _product_of_small_primes()
    while True:
        if math.gcd(candidate, small) == 1 and candidate % 65537 != 1 and _is_prime(candidate):
            return candidate
        candidate += 2


@cache
def _product_of_small_primes() -> int:
    return math.prod(n for n in range(3, 3_000, 2) if all(n % k for k in range(3, math.isqrt(n) + 1, 2)))


def _is_prime(number: int) -> bool:
    """Run Miller and Rabin's test with eight fixed bases."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19):
        x = pow(base, odd, number)
        if x in (1, number - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % number
            if x == number - 1:
                break
        else:
            return False
    return True


def make_account(
    dialect: str,
    name: str,
    seed: int,
    balances: dict[str, str] | None = None,
    fees: tuple[str, str] | None = None,
) -> tuple[Account, Credentials]:
    """Return a funded account with its keys; the same seed, dialect and name give the same keys."""
    held: dict[str, Decimal | int | str] = dict(USUAL_BALANCES[dialect] if balances is None else balances)
    maker, taker = (Decimal(fees[0]), Decimal(fees[1])) if fees else (None, None)
    if dialect == "hyperliquid":
        return _wallet_account(name, seed, held, maker, taker)
    return _key_account(dialect, name, seed, held, maker, taker)


def _key_account(
    dialect: str,
    name: str,
    seed: int,
    held: dict[str, Decimal | int | str],
    maker: Decimal | None,
    taker: Decimal | None,
) -> tuple[Account, Credentials]:
    from cryptography.hazmat.primitives.asymmetric import ed25519

    edwards = ed25519.Ed25519PrivateKey.from_private_bytes(_bytes(seed, dialect, name, "ed25519"))
    rsa_key = _rsa(seed, name)
    found = Credentials(
        account=name,
        dialect=dialect,
        api_key=_text(seed, dialect, name, "key"),
        api_secret=_text(seed, dialect, name, "secret"),
        ed25519_api_key=_text(seed, dialect, name, "ed-key"),
        ed25519_private_key=_pem(edwards),
        rsa_api_key=_text(seed, dialect, name, "rsa-key"),
        rsa_private_key=_pem(rsa_key),
    )
    keys = [
        ApiKey(key=found.api_key, kind=KeyKind.HMAC, verify_with=found.api_secret.encode()),
        ApiKey(key=found.ed25519_api_key, kind=KeyKind.ED25519, verify_with=_public_pem(edwards)),
        ApiKey(key=found.rsa_api_key, kind=KeyKind.RSA, verify_with=_public_pem(rsa_key)),
    ]
    return Account(name, balances=held, maker=maker, taker=taker, keys=keys), found


def _wallet_account(
    name: str,
    seed: int,
    held: dict[str, Decimal | int | str],
    maker: Decimal | None,
    taker: Decimal | None,
) -> tuple[Account, Credentials]:
    private, address = _wallet(seed, name, "wallet")
    agent_private, agent_address = _wallet(seed, name, "agent")
    account = Account(name, balances=held, maker=maker, taker=taker, address=address)
    account.agents[agent_address] = Agent(address=agent_address, name="agent")
    found = Credentials(
        account=name,
        dialect="hyperliquid",
        wallet_address=address,
        wallet_private_key=private,
        agent_address=agent_address,
        agent_private_key=agent_private,
    )
    return account, found


def _wallet(seed: int, *names: str) -> tuple[str, str]:
    raw = int.from_bytes(_bytes(seed, *names), "big") % (SECP256K1_ORDER - 1) + 1
    return f"0x{raw:064x}", address_of(raw)


def address_of(private: int) -> str:
    """Return the lower-case Ethereum address of a private key."""
    from Crypto.Hash import keccak
    from cryptography.hazmat.primitives.asymmetric import ec

    point = ec.derive_private_key(private, ec.SECP256K1()).public_key().public_numbers()
    digest = keccak.new(digest_bits=256)
    digest.update(point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big"))
    return "0x" + digest.digest()[-20:].hex()


def account_from(dialect: str, row: dict[str, Any], seed: int) -> tuple[Account, Credentials]:
    """Make an account from a row of the configuration: ``name``, ``balances``, ``fees``, ``keys``, ``address``.

    ``keys`` are ``{key, kind: hmac|ed25519|rsa, secret | public_key, permissions}``; they join the seeded ones.
    """
    known = {"name", "dialect", "balances", "fees", "keys", "address", "hedge_mode", "vault_of"}
    if unknown := set(row) - known:
        raise ConfigError(
            "an account has an unknown field", expected=", ".join(sorted(known)), found=", ".join(unknown)
        )
    balances = (
        {str(asset): str(amount) for asset, amount in row["balances"].items()} if "balances" in row else None
    )
    fees = (str(row["fees"]["maker"]), str(row["fees"]["taker"])) if "fees" in row else None
    account, found = make_account(dialect, str(row["name"]), seed, balances, fees)
    for one in row.get("keys", ()):
        text = str(one.get("secret") or one.get("public_key") or "")
        kind = KeyKind[str(one.get("kind", "hmac")).upper()]
        key = ApiKey(key=str(one["key"]), kind=kind, verify_with=text.encode())
        if "permissions" in one:
            key.permissions = frozenset(str(each) for each in one["permissions"])
        account.api_keys[key.key] = key
    if "address" in row:
        account.address = str(row["address"]).lower()
    account.hedge_mode = bool(row.get("hedge_mode", False))
    account.vault_of = str(row.get("vault_of", ""))
    return account, found
