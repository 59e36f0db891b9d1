"""When market data reaches a strategy: at the venue's time, after a constant delay, or when it was recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lanner.sim.settings import Latency, LatencyKind
from lanner.storage.problems import duration_text, plural

if TYPE_CHECKING:
    import polars as pl


@dataclass(slots=True)
class Receipt:
    """What the receive times of one data set were worth, counted while it was played.

    ``timed`` rows have a receive time of their own; ``early`` ones were received before the venue's time, by at
    most ``lead_ns``, which only a clock that lags behind the venue's can show.
    """

    label: str
    rows: int = 0
    timed: int = 0
    early: int = 0
    lead_ns: int = 0

    @property
    def is_sound(self) -> bool:
        """Tell whether the rows have receive times, none of them before the venue's."""
        return self.timed > 0 and not self.early

    def warning(self) -> str:
        """Return what the reader of a report should know, empty when the receive times are sound."""
        if self.is_sound or not self.rows:
            return ""
        if not self.timed:
            return f"{self.label}: no receive times were recorded, so its data arrived without a delay"
        whole = self.early == self.rows
        which = (
            f"all {plural(self.rows, 'row')}" if whole else f"{self.early:,} of {plural(self.rows, 'row')}"
        )
        return (
            f"{self.label}: the recording clock is behind the venue's: {which} received up to "
            f"{duration_text(self.lead_ns)} before the venue's time; they arrived at the venue's time, without a delay"
        )


def receive(frames: Iterable[pl.DataFrame], feed: Latency, receipt: Receipt) -> Iterator[pl.DataFrame]:
    """Set the receive times of rows as a feed has it; the driver adds a delay that varies.

    Recorded times are kept, but never before the venue's: nothing is received before it happens.
    """
    import polars as pl

    if feed.kind is LatencyKind.RECORDED:
        for frame in frames:
            _count(frame, receipt)
            yield frame.with_columns(pl.max_horizontal("ts_recv", "ts_event").alias("ts_recv"))
        return
    delay_ns = feed.mean_ns if feed.kind is LatencyKind.CONSTANT else 0
    for frame in frames:
        yield frame.with_columns((pl.col("ts_event") + delay_ns).alias("ts_recv"))


def _count(frame: pl.DataFrame, receipt: Receipt) -> None:
    delays = frame["ts_recv"].to_numpy() - frame["ts_event"].to_numpy()
    receipt.rows += len(delays)
    receipt.timed += int((delays != 0).sum())
    receipt.early += int((delays < 0).sum())
    if len(delays):
        receipt.lead_ns = max(receipt.lead_ns, -int(delays.min()))
