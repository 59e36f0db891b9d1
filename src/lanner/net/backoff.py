"""Waiting times between attempts: ``min(base · 2^(n−1), cap)``, with optional jitter."""

from __future__ import annotations

from random import Random

from lanner.core.errors import ConfigError


class Backoff:
    """Count attempts and say how long to wait before the next one.

    ``attempts`` 0 means without limit. ``jitter`` is the fraction of each wait that is drawn at random: 0 waits the
    full time, 1 anything between nothing and the full time. It needs ``rng``.
    """

    __slots__ = ("_rng", "attempts", "base_s", "cap_s", "jitter", "made")

    def __init__(
        self,
        base_s: float = 1.0,
        cap_s: float = 60.0,
        attempts: int = 0,
        jitter: float = 0.0,
        rng: Random | None = None,
    ) -> None:
        if base_s <= 0 or cap_s < base_s or attempts < 0 or not 0 <= jitter <= 1:
            raise ConfigError(
                "back-off cannot be set up",
                expected="0 < base <= cap, attempts >= 0, 0 <= jitter <= 1",
                found=f"base {base_s}, cap {cap_s}, attempts {attempts}, jitter {jitter}",
            )
        if jitter and rng is None:
            raise ConfigError("jitter needs a random generator", fix="Pass rng=random.Random(seed).")
        self.base_s = base_s
        self.cap_s = cap_s
        self.attempts = attempts
        self.jitter = jitter
        self.made = 0
        self._rng = rng

    def next(self) -> float | None:
        """Return the seconds to wait before the next attempt, or None when all attempts are used up."""
        if self.attempts and self.made >= self.attempts:
            return None
        # Beyond 2^62 the cap has long been reached, and floats need not find out.
        wait_s = min(self.base_s * 2.0 ** min(self.made, 62), self.cap_s)
        self.made += 1
        if self._rng is not None and self.jitter:
            wait_s -= wait_s * self.jitter * self._rng.random()
        return wait_s

    def reset(self) -> None:
        """Forget past attempts: the next wait is the base again."""
        self.made = 0
