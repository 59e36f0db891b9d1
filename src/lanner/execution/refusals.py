"""Reject codes on which the protection of positions decides what to do next."""

from __future__ import annotations

NEVER_ARRIVED = "NEVER_ARRIVED"
"""The venue has never heard of the order."""
REACHED = "WOULD_TRIGGER"
"""What a refusal is called by which the venue says that the stop's price is reached already."""
MIN_NOTIONAL = "MIN_NOTIONAL"
"""What is ordered is worth too little at this price."""
HOPELESS = frozenset(
    {
        *("MIN_QTY", "MAX_QTY", "QTY_LIMITS", "QTY_GRID", MIN_NOTIONAL),
        *("PRICE_GRID", "PRICE_FILTER", "UNSUPPORTED", "BAD_ORDER"),
    }
)
"""Refusals that the same order will get again, by real venues and by the simulated one."""
