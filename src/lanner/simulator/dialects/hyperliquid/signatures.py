"""Who signed an action: EIP-712 digests and public-key recovery.

The venue stores no public keys. It hashes what it received, recovers an address from the signature and
looks whether that address may act. A client that hashes anything else than the venue does therefore
appears as a stranger: *User or API Wallet 0x… does not exist.*
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from Crypto.Hash import keccak as _keccak

Field = tuple[str, str]
CURVE_P = 2**256 - 2**32 - 977
CURVE_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
CURVE_G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)

CHAIN: Field = ("hyperliquidChain", "string")
NONCE: Field = ("nonce", "uint64")
USER_SIGNED: dict[str, tuple[str, tuple[Field, ...]]] = {
    "usdSend": ("UsdSend", (CHAIN, ("destination", "string"), ("amount", "string"), ("time", "uint64"))),
    "spotSend": (
        "SpotSend",
        (CHAIN, ("destination", "string"), ("token", "string"), ("amount", "string"), ("time", "uint64")),
    ),
    "withdraw3": ("Withdraw", (CHAIN, ("destination", "string"), ("amount", "string"), ("time", "uint64"))),
    "usdClassTransfer": ("UsdClassTransfer", (CHAIN, ("amount", "string"), ("toPerp", "bool"), NONCE)),
    "sendAsset": (
        "SendAsset",
        (
            CHAIN,
            ("destination", "string"),
            ("sourceDex", "string"),
            ("destinationDex", "string"),
            ("token", "string"),
            ("amount", "string"),
            ("fromSubAccount", "string"),
            NONCE,
        ),
    ),
    "approveAgent": (
        "ApproveAgent",
        (CHAIN, ("agentAddress", "address"), ("agentName", "string"), NONCE),
    ),
    "approveBuilderFee": (
        "ApproveBuilderFee",
        (CHAIN, ("maxFeeRate", "string"), ("builder", "address"), NONCE),
    ),
    "tokenDelegate": (
        "TokenDelegate",
        (CHAIN, ("validator", "address"), ("wei", "uint64"), ("isUndelegate", "bool"), NONCE),
    ),
    "cDeposit": ("CDeposit", (CHAIN, ("wei", "uint64"), NONCE)),
    "cWithdraw": ("CWithdraw", (CHAIN, ("wei", "uint64"), NONCE)),
    "userDexAbstraction": (
        "UserDexAbstraction",
        (CHAIN, ("user", "address"), ("enabled", "bool"), NONCE),
    ),
    "userSetAbstraction": (
        "UserSetAbstraction",
        (CHAIN, ("user", "address"), ("abstraction", "string"), NONCE),
    ),
    "convertToMultiSigUser": ("ConvertToMultiSigUser", (CHAIN, ("signers", "string"), NONCE)),
}


class BadSignatureError(ValueError):
    """The signature is not one: out of range, or no key belongs to it."""


def keccak(data: bytes) -> bytes:
    """Return the Keccak-256 digest."""
    return _keccak.new(digest_bits=256, data=data).digest()


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


_DOMAIN_TYPE = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_AGENT_TYPE = keccak(b"Agent(string source,bytes32 connectionId)")
_VERSION = keccak(b"1")


def _domain(name: str, chain_id: int) -> bytes:
    return keccak(_DOMAIN_TYPE + keccak(name.encode()) + _VERSION + _word(chain_id) + _word(0))


_L1_DOMAIN = _domain("Exchange", 1337)
_SOURCES = {"mainnet": keccak(b"a"), "testnet": keccak(b"b")}


def action_hash(action: Any, nonce: int, vault: str | None, expires_after: int | None) -> bytes:
    """Hash an L1 action: msgpack in the order of its keys, nonce, vault and expiry."""
    data = msgspec.msgpack.encode(action) + nonce.to_bytes(8, "big")
    data += b"\x00" if vault is None else b"\x01" + bytes.fromhex(vault[2:])
    if expires_after is not None:
        data += b"\x00" + expires_after.to_bytes(8, "big")
    return keccak(data)


def l1_digest(connection_id: bytes, chain: str) -> bytes:
    """Return what a wallet signs for an L1 action: a phantom agent that carries the action's hash."""
    struct = keccak(_AGENT_TYPE + _SOURCES[chain] + connection_id)
    return keccak(b"\x19\x01" + _L1_DOMAIN + struct)


def _address_word(value: Any) -> bytes:
    raw = bytes.fromhex(str(value)[2:])
    if len(raw) != 20:
        raise ValueError(value)
    return raw.rjust(32, b"\0")


_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "string": lambda value: keccak(str(value).encode()),
    "address": _address_word,
    "uint64": lambda value: _word(int(value)),
    "bool": lambda value: _word(int(bool(value))),
}
_EMPTY = {"string": "", "address": "0x" + "0" * 40, "uint64": 0, "bool": False}


def user_digest(kind: str, action: Mapping[str, Any]) -> bytes:
    """Return what a wallet signs for a user-signed action. Raises ``BadSignatureError`` where a field is unusable."""
    name, fields = USER_SIGNED[kind]
    declared = ",".join(f"{kind_} {key}" for key, kind_ in fields)
    encoded = keccak(f"HyperliquidTransaction:{name}({declared})".encode())
    try:
        for key, kind_ in fields:
            value = action.get(key)
            encoded += _ENCODERS[kind_](_EMPTY[kind_] if value is None else value)
        chain_id = int(str(action["signatureChainId"]), 16)
        domain = _domain("HyperliquidSignTransaction", chain_id)
    except (KeyError, ValueError, OverflowError) as error:
        raise BadSignatureError("a signed field cannot be read") from error
    return keccak(b"\x19\x01" + domain + keccak(encoded))


def recover(digest: bytes, r: int, s: int, v: int) -> str:
    """Return the lower-case address whose key signed the digest. ``v`` is 27 or 28 (0 or 1 are taken too)."""
    parity = v - 27 if v >= 27 else v
    if parity not in (0, 1) or not 0 < r < CURVE_N or not 0 < s < CURVE_N:
        raise BadSignatureError("signature out of range")
    try:
        from btclib_secp256k1 import recovery
    except ImportError:
        key = recover_key(digest, r, s, parity)
    else:
        try:
            key = recovery.recover(digest, _word(r) + _word(s), parity, compressed=False)
        except ValueError as error:
            raise BadSignatureError("no key belongs to this signature") from error
    return _address(key)


@lru_cache(maxsize=4_096)
def _address(key: bytes) -> str:
    return "0x" + keccak(key[1:])[12:].hex()


Point = tuple[int, int] | None


def _add(one: Point, two: Point) -> Point:
    if one is None or two is None:
        return two if one is None else one
    if one[0] == two[0]:
        if (one[1] + two[1]) % CURVE_P == 0:
            return None
        slope = 3 * one[0] * one[0] * pow(2 * one[1], -1, CURVE_P)
    else:
        slope = (two[1] - one[1]) * pow(two[0] - one[0], -1, CURVE_P)
    x = (slope * slope - one[0] - two[0]) % CURVE_P
    return x, (slope * (one[0] - x) - one[1]) % CURVE_P


def _times(point: Point, factor: int) -> Point:
    total: Point = None
    while factor:
        if factor & 1:
            total = _add(total, point)
        point = _add(point, point)
        factor >>= 1
    return total


def recover_key(digest: bytes, r: int, s: int, parity: int) -> bytes:
    """Recover the uncompressed public key in plain Python (SEC 1, 4.1.6), where the fast library is missing."""
    square = (pow(r, 3, CURVE_P) + 7) % CURVE_P
    y = pow(square, (CURVE_P + 1) // 4, CURVE_P)
    if y * y % CURVE_P != square:
        raise BadSignatureError("no key belongs to this signature")
    if y & 1 != parity:
        y = CURVE_P - y
    inverse = pow(r, -1, CURVE_N)
    message = int.from_bytes(digest, "big") % CURVE_N
    point = _add(_times((r, y), s * inverse % CURVE_N), _times(CURVE_G, -message * inverse % CURVE_N))
    if point is None:
        raise BadSignatureError("no key belongs to this signature")
    return b"\x04" + _word(point[0]) + _word(point[1])
