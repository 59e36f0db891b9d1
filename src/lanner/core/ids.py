"""Deterministic identifiers: the same run makes the same ids, and no two runs share a prefix by accident."""

from __future__ import annotations


class IdFactory:
    """Number things within a run: ``<prefix>-<kind><n>``."""

    __slots__ = ("_counts", "prefix")

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._counts: dict[str, int] = {}

    def next(self, kind: str) -> str:
        """Return the next id of a kind, counted from 1."""
        count = self._counts.get(kind, 0) + 1
        self._counts[kind] = count
        return f"{self.prefix}-{kind}{count}"

    def has_made(self, name: str) -> bool:
        """Tell whether an id was made here."""
        prefix, _, rest = name.rpartition("-")
        kind, number = rest[:1], rest[1:]
        return prefix == self.prefix and number.isdecimal() and 0 < int(number) <= self._counts.get(kind, 0)
