"""A fingerprint of what a run did: equal for equal runs, on any supported Python."""

from __future__ import annotations

import hashlib
from enum import IntEnum

import msgspec

from lanner.model.commands import Batch, Command
from lanner.model.reports import Report


class StateHash:
    """Digest commands, reports and the final state in the order in which they happened."""

    __slots__ = ("_digest",)

    def __init__(self, seed: int) -> None:
        self._digest = hashlib.blake2b(f"lanner/1/{seed}".encode(), digest_size=16)

    def add(self, message: Command | Report) -> None:
        """Digest one message."""
        if isinstance(message, Batch):
            for one in message.commands:
                self.add(one)
            return
        parts = [type(message).__name__]
        parts += [_text(value) for value in msgspec.structs.astuple(message)]
        self._digest.update("|".join(parts).encode() + b"\n")

    def add_text(self, text: str) -> None:
        """Digest a line of text."""
        self._digest.update(text.encode() + b"\n")

    def hexdigest(self) -> str:
        """Return the fingerprint so far."""
        return self._digest.hexdigest()


def _text(value: object) -> str:
    # repr of floats is the shortest text that reads back as the same number, on every Python
    return str(int(value)) if isinstance(value, (IntEnum, bool)) else str(value)
