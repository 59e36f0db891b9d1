"""Nonces that never repeat: rising per key, shared by processes, remembered through crashes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from lanner.core.errors import ConfigError
from lanner.net.sharing import SharedCells

SLOTS = 256
_CELLS = 4  # two of the key's fingerprint, last nonce given, nonce known to be on the disk
_LAYOUT = 1
_HEADER = 1  # fingerprint of the boot in which the file was last used


class Nonces:
    """Give out nonces of one file: milliseconds, or the last one plus 1 where that is not enough.

    Each nonce is in shared memory before it is returned, which a crash of the process survives. Against a crash of
    the machine the disk is told ``ahead_ms`` in advance, so that it is waited for once in that time, not for every
    order; after a new start of the machine nonces go on from there.
    """

    def __init__(
        self, path: str | Path, *, ahead_ms: int = 60_000, boot: Callable[[], str] | None = None
    ) -> None:
        if ahead_ms < 1:
            raise ConfigError("nonces cannot be kept", expected="ahead_ms >= 1", found=ahead_ms)
        self._ahead_ms = ahead_ms
        self._shared = SharedCells(Path(path), _HEADER + SLOTS * _CELLS, layout=_LAYOUT)
        self._places: dict[str, int] = {}
        self._check_boot(_fingerprint((boot or _boot_id)())[0])

    def next(self, key_id: str, now_ms: int) -> int:
        """Return a nonce greater than any that this key was ever given here."""
        with self._shared as cells:
            place = self._places.get(key_id)
            if place is None:
                place = self._places[key_id] = self._find(cells, key_id)
            nonce = max(now_ms, cells[place + 2] + 1)
            cells[place + 2] = nonce
            if nonce >= cells[place + 3]:
                cells[place + 3] = nonce + self._ahead_ms
                self._shared.sync()
            return nonce

    def last(self, key_id: str) -> int:
        """Return the last nonce given to a key, 0 when there was none."""
        with self._shared as cells:
            return cells[self._find(cells, key_id) + 2]

    def close(self) -> None:
        """Give the file back."""
        self._shared.close()

    def _find(self, cells: memoryview, key_id: str) -> int:
        first, second = _fingerprint(key_id)
        for slot in range(SLOTS):
            place = _HEADER + slot * _CELLS
            if (cells[place], cells[place + 1]) == (first, second):
                return place
            if (cells[place], cells[place + 1]) == (0, 0):
                cells[place], cells[place + 1] = first, second
                return place
        raise ConfigError(
            "the file of nonces is full",
            expected=f"at most {SLOTS} keys",
            fix="Use another file for new keys.",
        )

    def _check_boot(self, boot: int) -> None:
        """Distrust what memory wrote before the machine was last started: go on from what the disk was told."""
        with self._shared as cells:
            if cells[0] == boot and boot != 0:
                return
            for slot in range(SLOTS):
                place = _HEADER + slot * _CELLS
                cells[place + 2] = max(cells[place + 2], cells[place + 3])
            cells[0] = boot
            self._shared.sync()


def _fingerprint(text: str) -> tuple[int, int]:
    """Two integers from a text; keys themselves are not written anywhere. The empty text gives zeros."""
    if not text:
        return 0, 0
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:7], "big") + 1, int.from_bytes(digest[7:14], "big")


def _boot_id() -> str:
    """Name the running boot of the machine; empty where the system does not tell (then every start counts as one)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
