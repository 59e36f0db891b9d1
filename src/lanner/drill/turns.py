"""Whose turn it is: drilled strategies act now and then, for each instrument by itself."""

from __future__ import annotations


class Turns:
    """Count what is seen of each instrument; every so many times it is its turn."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._seen: dict[str, int] = {}

    def come(self, name: str) -> int:
        """Count once more; return the number of the turn (1, 2, 3 …) that has come, 0 when none has."""
        count = self._seen[name] = self._seen.get(name, 0) + 1
        return 0 if count % self._every else count // self._every
