"""A fingerprint of what a run did: equal for equal runs, on any supported Python."""

from __future__ import annotations

import hashlib

import msgspec

from lanner.model.commands import Batch, Command
from lanner.model.reports import Report


class StateHash:
    """Digest commands, reports and the final state in the order in which they happened.

    Messages are digested in MessagePack: integers and floats bit by bit, Decimals as their text, so the digest
    depends on nothing but their values.
    """

    __slots__ = ("_digest", "_encode")

    def __init__(self, seed: int) -> None:
        self._digest = hashlib.blake2b(f"lanner/2/{seed}".encode(), digest_size=16)
        self._encode = msgspec.msgpack.Encoder(decimal_format="string").encode

    def add(self, message: Command | Report) -> None:
        """Digest one message."""
        if isinstance(message, Batch):
            self._digest.update(f"Batch {len(message.commands)}".encode())
            for one in message.commands:
                self.add(one)
            return
        self._digest.update(type(message).__name__.encode() + self._encode(message))

    def add_text(self, text: str) -> None:
        """Digest a line of text."""
        self._digest.update(text.encode() + b"\n")

    def hexdigest(self) -> str:
        """Return the fingerprint so far."""
        return self._digest.hexdigest()
