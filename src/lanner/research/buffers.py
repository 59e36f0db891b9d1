"""Memory of long results, used again: a new 80 MB costs the system as much time as a whole backtest takes.

What is handed out is an ordinary array that stays valid as long as anything looks at it.
"""

from __future__ import annotations

import weakref
from typing import Any, cast

import numpy as np

from lanner.research.market import Floats

LEAST = 1 << 17
"""Fewer values than these are left to numpy."""

MOST_BYTES = 128 << 20
"""How much memory that nothing looks at is kept."""


class Buffers:
    """Arrays whose memory comes back when the last view of them has gone.

    Safe in threads, and where the collector gives back an array in the middle of a call: there is no lock, every step
    on the dictionary is whole by itself.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._kept: dict[int, Floats] = {}

    def floats(self, count: int) -> Floats:
        """Return room for so many floats; what is in it is undefined."""
        if count < LEAST:
            return np.empty(count)
        owner = self._take(count)
        # not a slice of the owner: views of that would keep the owner alive, and not what is handed out
        handed: Any = np.frombuffer(memoryview(cast(Any, owner)), np.float64)
        weakref.finalize(handed, self._give_back, owner).atexit = False
        return handed  # type: ignore[no-any-return]

    def _take(self, count: int) -> Floats:
        for key, owner in list(self._kept.items()):
            if owner.size == count and self._kept.pop(key, None) is not None:
                return owner
        return np.empty(count)

    def _give_back(self, owner: Floats) -> None:
        self._kept[id(owner)] = owner
        used = sum(kept.nbytes for kept in list(self._kept.values()))
        for key in list(self._kept):
            if used <= self._most:
                return
            dropped = self._kept.pop(key, None)
            used -= 0 if dropped is None else dropped.nbytes


CURVES = Buffers()
"""The memory of equity curves."""
