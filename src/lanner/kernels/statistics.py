"""What a sweep measures of a variant; known without numba, because events measure the same."""

from __future__ import annotations

STATISTICS = (
    "count", "total", "squares", "downside", "losses", "drawdown", "end", "held", "trades", "wins", "won", "lost",
    "fees", "fills", "funding", "traded", "slipped", "fault",
)  # fmt: skip
"""The columns of a sweep's raw results, in order; fees are in quanta, traded and slipped in tick·lot units."""
