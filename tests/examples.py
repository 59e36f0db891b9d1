"""How many examples a property is tried on."""

from __future__ import annotations

import os

EVERY_DAY = 0.25


def examples(most: int) -> int:
    """Return ``most`` in the long run (``make test-all``) and when exploring, the first quarter of them every day.

    The examples are the same ones each time, as hypothesis draws them from the test's own name.
    """
    long = os.environ.get("HYPOTHESIS_PROFILE") in ("nightly", "explore")
    return most if long else max(20, round(most * EVERY_DAY))
