"""Seeded randomness that gives the same numbers on every Python, platform and build.

The generator is SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
OOPSLA 2014). Streams are split by name, so that adding one consumer does not disturb another.
"""

from __future__ import annotations

import hashlib
import math

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


class Rng:
    """Draw reproducible numbers from a seed."""

    __slots__ = ("_spare", "_state", "seed")

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._state = seed & _MASK
        self._spare: float | None = None

    def split(self, name: str) -> Rng:
        """Return an independent stream that depends only on this seed and the name."""
        digest = hashlib.blake2b(f"{self.seed}/{name}".encode(), digest_size=8).digest()
        return Rng(int.from_bytes(digest, "little"))

    def next_u64(self) -> int:
        """Draw an unsigned 64-bit integer."""
        self._state = (self._state + _GOLDEN) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def random(self) -> float:
        """Draw from [0, 1) with 53 bits."""
        return (self.next_u64() >> 11) * (1.0 / (1 << 53))

    def integer(self, low: int, high: int) -> int:
        """Draw an integer from [low, high)."""
        if high <= low:
            raise ValueError(f"empty range [{low}, {high})")
        return low + self.next_u64() % (high - low)

    def normal(self, mean: float = 0.0, sigma: float = 1.0) -> float:
        """Draw from a normal distribution (Box and Muller 1958)."""
        if self._spare is not None:
            z, self._spare = self._spare, None
            return mean + sigma * z
        radius = math.sqrt(-2.0 * math.log(1.0 - self.random()))
        angle = 2.0 * math.pi * self.random()
        self._spare = radius * math.sin(angle)
        return mean + sigma * radius * math.cos(angle)
