"""Signatures, checked over the bytes that arrived.

REST: the query and the body as they came, without their ``signature``, one after the other (no ``&`` between).
WebSocket: all parameters but the signature, sorted by name, ``name=value`` joined by ``&``. There the venue's
documents sign the plain values while its own clients sign percent-encoded ones; they differ only outside ASCII
letters and digits, so both are taken.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from lanner.core.errors import ConfigError
from lanner.simulator.dialects.binance import errors
from lanner.simulator.dialects.binance.errors import ApiError
from lanner.simulator.dialects.binance.params import as_text

DEFAULT_WINDOW_MS = 5000
LONGEST_WINDOW_MS = 60_000
AHEAD_MS = 1000


class Verifier:
    """Check signatures of one API key: HMAC-SHA256 by secret, Ed25519 or RSA by public key (PEM)."""

    __slots__ = ("_ed25519", "_rsa", "_secret")

    def __init__(self, *, secret: str = "", public_pem: str = "") -> None:
        self._secret = secret.encode()
        self._ed25519: Ed25519PublicKey | None = None
        self._rsa: RSAPublicKey | None = None
        if public_pem:
            key = load_pem_public_key(public_pem.encode())
            if isinstance(key, Ed25519PublicKey):
                self._ed25519 = key
            elif isinstance(key, RSAPublicKey):
                self._rsa = key
            else:
                raise ConfigError(
                    "an API key cannot be checked", expected="Ed25519 or RSA", found=type(key).__name__
                )

    @property
    def is_ed25519(self) -> bool:
        """Tell whether the key may log on a session."""
        return self._ed25519 is not None

    def fits(self, payload: bytes, signature: str) -> bool:
        """Tell whether a signature belongs to a payload; hexadecimal is not case sensitive."""
        if self._ed25519 is None and self._rsa is None:
            expected = hmac.digest(self._secret, payload, "sha256").hex()
            return hmac.compare_digest(expected.encode(), signature.lower().encode())
        try:
            raw = base64.b64decode(signature, validate=True)
            if self._ed25519 is not None:
                self._ed25519.verify(raw, payload)
            elif self._rsa is not None:
                self._rsa.verify(raw, payload, PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


def socket_signed(verifier: Verifier, params: Mapping[str, Any], signature: str) -> bool:
    """Tell whether a WebSocket request is signed: plain, or percent-encoded, which is tried where it differs."""
    pairs = [
        (name, value if type(value) is str else as_text(value))
        for name, value in params.items()
        if name != "signature"
    ]
    pairs.sort()
    plain = "&".join([f"{name}={value}" for name, value in pairs]).encode()
    if verifier.fits(plain, signature):
        return True
    encoded = urlencode(pairs).encode()
    return encoded != plain and verifier.fits(encoded, signature)


def check_time(timestamp: str, window: str, now_ns: int) -> None:
    """Refuse a request that is too old or from the future.

    ``timestamp`` is in milliseconds or microseconds, told apart by its length; ``recvWindow`` may have three decimals.
    """
    if not timestamp:
        raise errors.missing("timestamp")
    if not timestamp.isdigit() or len(timestamp) > 20:
        raise errors.illegal("timestamp", r"^[0-9]{1,20}$")
    window_ns = _window_ns(window)
    sent_ns = int(timestamp) * (1000 if len(timestamp) >= 16 else 10**6)
    if sent_ns >= now_ns + AHEAD_MS * 10**6:
        raise errors.early()
    if now_ns - sent_ns > window_ns:
        raise errors.late()


def _window_ns(window: str) -> int:
    if not window:
        return DEFAULT_WINDOW_MS * 10**6
    whole, point, rest = window.partition(".")
    if not whole.isdigit() or (point and not (rest.isdigit() and len(rest) <= 3)) or len(whole) > 18:
        raise errors.illegal("recvWindow", r"^[0-9]{1,20}$")
    found = int(whole) * 10**6 + int((rest or "0").ljust(3, "0")) * 1000
    if found > LONGEST_WINDOW_MS * 10**6:
        raise ApiError(-1131, "recvWindow must be less than 60000.")
    return found


def looks_like_key(api_key: str) -> bool:
    """Tell whether a text has the form of an API key."""
    return 1 <= len(api_key) <= 128 and api_key.isascii() and api_key.isalnum()
