"""Conclude settled funding from what tickers say about the next one."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from lanner.storage.schema import SCHEMAS


@dataclass(slots=True)
class FundingTracker:
    """Follow one instrument's announced rate and funding time.

    Each change of the rate becomes a predicted row. When the announced time moves on, the rate announced last
    was the one that was paid at the old time; the distance of the two is the interval.
    """

    rate: float | None = None
    due_ns: int = 0
    rows: list[tuple[int, int, float, int | None, bool]] = field(default_factory=list)

    def announce(self, ts_event: int, ts_recv: int, rate: float, due_ns: int) -> None:
        """Take one announcement: the rate expected at ``due_ns`` (0 when not told)."""
        if due_ns and self.due_ns and due_ns > self.due_ns and self.rate is not None:
            self.rows.append((self.due_ns, max(ts_recv, self.due_ns), self.rate, due_ns - self.due_ns, False))
        if rate != self.rate or (due_ns and due_ns != self.due_ns):
            self.rows.append((ts_event, ts_recv, rate, None, True))
        self.rate = rate
        self.due_ns = due_ns or self.due_ns

    def take(self) -> pl.DataFrame:
        """Return the rows collected so far and forget them."""
        rows, self.rows = sorted(self.rows), []
        return pl.DataFrame(rows, schema=SCHEMAS["funding"], orient="row")
