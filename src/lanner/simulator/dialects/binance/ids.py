"""Ids the venue makes up: client order ids, listen keys. Seeded, so that a run can be repeated."""

from __future__ import annotations

import random
import string

LETTERS = string.ascii_letters + string.digits


class Ids:
    """Make ids from one seeded source."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._algo = 2_000_000_000
        self._execution = 0

    def client_id(self) -> str:
        """Return a client order id as long as the venue's own: 22 letters and digits."""
        return f"{self._random.getrandbits(88):022x}"

    def listen_key(self) -> str:
        """Return a listen key: 64 letters and digits."""
        return "".join(self._random.choices(LETTERS, k=64))

    def algo_id(self) -> int:
        """Return the next id of a conditional order."""
        self._algo += 1
        return self._algo

    def execution_id(self) -> int:
        """Return the next id of an execution report."""
        self._execution += 1
        return self._execution
