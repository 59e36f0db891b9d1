"""Signatures that venues ask for, as functions on bytes.

Text is signed by HMAC-SHA256, Ed25519 or RSA (PKCS #1 v1.5, SHA-256); 32-byte digests on secp256k1 with the nonce of
RFC 6979 and the low s. secp256k1 comes from btclib-secp256k1 (libsecp256k1) where it is installed, else from
``cryptography`` and integer arithmetic: the same signatures, about a hundred times slower.
"""

from __future__ import annotations

import base64
import hmac
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib import import_module
from typing import Any

from lanner.core.errors import ConfigError

TextSigner = Callable[[bytes], str]
DigestSigner = Callable[[bytes], tuple[int, int, int]]

_P = 2**256 - 2**32 - 977
_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_GX = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798
_GY = 0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8
_Point = tuple[int, int] | None
_BLOCK = 64
"""Bytes that SHA-256 takes in at once."""

# -- text ----------------------------------------------------------------------------------------------


def hmac_signer(secret: str) -> TextSigner:
    """Return a function that signs text with HMAC-SHA256, as lower-case hex.

    What depends on the key alone (RFC 2104: the two padded keys) is hashed once: half the time of a call that does it
    all, and less than that where the processor's caches hold something else.
    """
    key = secret.encode()
    if len(key) > _BLOCK:
        key = sha256(key).digest()
    key = key.ljust(_BLOCK, b"\x00")
    inner, outer = sha256(bytes(byte ^ 0x36 for byte in key)), sha256(bytes(byte ^ 0x5C for byte in key))

    def signed(payload: bytes) -> str:
        first, second = inner.copy(), outer.copy()
        first.update(payload)
        second.update(first.digest())
        return second.hexdigest()

    return signed


def ed25519_signer(secret: str) -> TextSigner:
    """Return a function that signs text with Ed25519, as base64; ``secret`` is PEM or base64 PKCS #8."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = _private_key(secret)
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError("the secret is no Ed25519 key", expected="an Ed25519 private key (PKCS #8)")
    return lambda payload: base64.b64encode(key.sign(payload)).decode()


def rsa_signer(secret: str) -> TextSigner:
    """Return a function that signs text with RSA PKCS #1 v1.5 and SHA-256, as base64; ``secret`` as for Ed25519."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256

    key = _private_key(secret)
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError("the secret is no RSA key", expected="an RSA private key (PKCS #8)")
    padding, digest = PKCS1v15(), SHA256()
    return lambda payload: base64.b64encode(key.sign(payload, padding, digest)).decode()


def text_kind(secret: str) -> str:
    """Return ``ed25519``, ``rsa`` or ``hmac``: what a secret looks like."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    try:
        key = _private_key(secret)
    except ConfigError:
        if "-----BEGIN" in secret:
            raise
        return "hmac"
    if isinstance(key, Ed25519PrivateKey):
        return "ed25519"
    return "rsa" if isinstance(key, RSAPrivateKey) else "hmac"


def _private_key(secret: str) -> object:
    """Read a private key from PEM, or from base64 of its DER form."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

    try:
        if "-----BEGIN" in secret:
            return load_pem_private_key(secret.encode(), password=None)
        return load_der_private_key(base64.b64decode(secret, validate=True), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        locked = isinstance(error, TypeError)
        # the chain is cut: the library's message may quote the key's text
        raise ConfigError(
            "the private key is locked by a password" if locked else "the private key cannot be read",
            expected="a private key in PEM, or base64 of its PKCS #8 form",
            fix="Unlock it first: openssl pkey -in key.pem -out open.pem" if locked else None,
        ) from None


# -- secp256k1 -----------------------------------------------------------------------------------------


def wallet_key(secret: str) -> bytes:
    """Return the 32 bytes of a secp256k1 private key given as hex with or without ``0x``."""
    text = secret.strip().lower().removeprefix("0x")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 32 or not 0 < int.from_bytes(key) < _N:
        raise ConfigError("the secret is no wallet key", expected="64 hex digits with or without 0x")
    return key


def digest_signer(key: bytes) -> DigestSigner:
    """Return a function that signs 32-byte digests as (r, s, v), v being 27 or 28, with the fastest code there is."""
    return _library_signer(key) or plain_digest_signer(key)


def _library_signer(key: bytes) -> DigestSigner | None:
    try:
        from btclib_secp256k1.recovery import sign
    except ImportError:
        return None
    to_int = int.from_bytes

    def signed(digest: bytes) -> tuple[int, int, int]:
        # the library would verify its own signature for twice the time; a venue that gets a wrong one refuses it
        pair, parity = sign(digest, key, verify=False)
        return to_int(pair[:32]), to_int(pair[32:]), 27 + (parity & 1)

    return signed


def plain_digest_signer(key: bytes) -> DigestSigner:
    """Return what ``digest_signer`` returns, by ``cryptography`` and integer arithmetic only."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, derive_private_key

    secret = int.from_bytes(key)

    def signed(digest: bytes) -> tuple[int, int, int]:
        if len(digest) != 32:
            raise ValueError("a digest has 32 bytes")
        nonces, r, s, parity = _nonces(key, digest), 0, 0, 0
        while not (r and s):
            nonce = next(nonces)
            point = derive_private_key(nonce, SECP256K1()).public_key().public_numbers()
            r, parity = point.x % _N, point.y & 1
            s = pow(nonce, -1, _N) * (int.from_bytes(digest) + r * secret) % _N
        return (r, _N - s, 28 - parity) if s > _N // 2 else (r, s, 27 + parity)

    return signed


def _nonces(key: bytes, digest: bytes) -> Iterator[int]:
    """Yield the nonces of RFC 6979, section 3.2, for SHA-256."""
    seed = key + (int.from_bytes(digest) % _N).to_bytes(32)
    k, v = b"\x00" * 32, b"\x01" * 32
    for step in (b"\x00", b"\x01"):
        k = hmac.digest(k, v + step + seed, "sha256")
        v = hmac.digest(k, v, "sha256")
    while True:
        v = hmac.digest(k, v, "sha256")
        nonce = int.from_bytes(v)
        if 0 < nonce < _N:
            yield nonce
        k = hmac.digest(k, v + b"\x00", "sha256")
        v = hmac.digest(k, v, "sha256")


def wallet_address(key: bytes) -> str:
    """Return the lower-case 0x address of a private key."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, derive_private_key

    point = derive_private_key(int.from_bytes(key), SECP256K1()).public_key().public_numbers()
    return _address(point.x, point.y)


def recover_address(digest: bytes, r: int, s: int, v: int) -> str | None:
    """Return the address that signed a digest, None where no key could have made this signature.

    Plain integer arithmetic (about 10 ms), independent of the code that signs: for checks, not for hot paths.
    """
    if not (0 < r < _N and 0 < s < _N and v in (27, 28) and len(digest) == 32):
        return None
    y = pow(pow(r, 3, _P) + 7, (_P + 1) // 4, _P)
    if (y * y - pow(r, 3, _P) - 7) % _P:
        return None
    if y & 1 != v - 27:
        y = _P - y
    inverse = pow(r, -1, _N)
    point = _plus(
        _times((_GX, _GY), -int.from_bytes(digest) * inverse % _N), _times((r, y), s * inverse % _N)
    )
    return None if point is None else _address(*point)


def _plus(a: _Point, b: _Point) -> _Point:
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0]:
        if (a[1] + b[1]) % _P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, _P) % _P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, _P) % _P
    x = (slope * slope - a[0] - b[0]) % _P
    return x, (slope * (a[0] - x) - a[1]) % _P


def _times(point: _Point, factor: int) -> _Point:
    total: _Point = None
    while factor:
        if factor & 1:
            total = _plus(total, point)
        point = _plus(point, point)
        factor >>= 1
    return total


def _address(x: int, y: int) -> str:
    return "0x" + keccak(x.to_bytes(32) + y.to_bytes(32))[12:].hex()


# -- Keccak --------------------------------------------------------------------------------------------

_EMPTY = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


def plain_keccak(data: bytes) -> bytes:
    """Return what ``keccak`` returns, by the public face of pycryptodome."""
    from Crypto.Hash.keccak import new

    digest: bytes = new(digest_bits=256, data=data).digest()
    return digest


class _Sponge(threading.local):
    """One hash state for each thread, used again and again: a third of the time that a new one takes.

    It calls pycryptodome's C functions below its public face; where they are not as expected, the public face serves.
    """

    def __init__(self) -> None:
        self.hash: Callable[[bytes], bytes] = plain_keccak
        try:
            fast = _reused_state()
            if fast(b"").hex() == _EMPTY and fast(b"a") == plain_keccak(b"a"):
                self.hash = fast
        except (ImportError, AttributeError, TypeError, ValueError):
            pass  # another version of pycryptodome: slower, never wrong


def _reused_state() -> Callable[[bytes], bytes]:
    raw: Any = import_module("Crypto.Util._raw_api")
    library: Any = import_module("Crypto.Hash.keccak")._raw_keccak_lib
    pointer = raw.VoidPointer()
    if library.keccak_init(pointer.address_of(), raw.c_size_t(64), raw.c_ubyte(24)):
        raise ValueError("no state")
    owner = raw.SmartPointer(pointer.get(), library.keccak_destroy)
    state, buffer = owner.get(), raw.create_string_buffer(32)
    absorb, digest, reset = library.keccak_absorb, library.keccak_digest, library.keccak_reset
    size, padding, read = raw.c_size_t(32), raw.c_ubyte(1), raw.get_raw_buffer

    def hashed(data: bytes, _owner: object = owner) -> bytes:
        if reset(state) or absorb(state, data, len(data)) or digest(state, buffer, size, padding):
            raise ValueError("the hash failed")
        out: bytes = read(buffer)
        return out

    return hashed


_SPONGE = _Sponge()


def keccak(data: bytes) -> bytes:
    """Return the Keccak-256 hash (Ethereum's, with the padding from before SHA-3)."""
    return _SPONGE.hash(data)
