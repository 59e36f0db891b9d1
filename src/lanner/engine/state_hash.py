"""A fingerprint of what a run did: equal for equal runs, on any supported Python."""

from __future__ import annotations

import hashlib

import msgspec

from lanner.model.commands import Batch, Command
from lanner.model.reports import Report

_SIZE = 16
_encode = msgspec.msgpack.Encoder(decimal_format="string").encode


class StateHash:
    """Digest commands, reports and the final state in the order in which they happened.

    Messages are digested in MessagePack: integers and floats bit by bit, Decimals as their text, so the digest
    depends on nothing but their values. It is a chain, the digest of each link and the digest before it: what is known
    at any moment is enough to go on, so it can be kept with the rest of an engine's state.
    """

    __slots__ = ("_digest",)

    def __init__(self, seed: int) -> None:
        self._digest = hashlib.blake2b(f"lanner/3/{seed}".encode(), digest_size=_SIZE).digest()

    def add(self, message: Command | Report) -> None:
        """Digest one message."""
        if isinstance(message, Batch):
            self._link(f"Batch {len(message.commands)}".encode())
            for one in message.commands:
                self.add(one)
            return
        self._link(type(message).__name__.encode() + _encode(message))

    def add_text(self, text: str) -> None:
        """Digest a line of text."""
        self._link(text.encode() + b"\n")

    def hexdigest(self) -> str:
        """Return the fingerprint so far."""
        return self._digest.hex()

    def _link(self, data: bytes) -> None:
        self._digest = hashlib.blake2b(self._digest + data, digest_size=_SIZE).digest()
