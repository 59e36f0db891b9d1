"""Peak resident memory of a whole backtest process: a million bars, a cross fast enough for 45,000 orders."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks.commands import BACKTEST, QUICK, home_with_bars, lanner_with_peak
from benchmarks.measure import Row, alone

BARS = 1_000_000


def run(rounds: int) -> Iterator[Row]:
    """Yield the median peak; memory hardly varies, so three rounds are enough."""
    home = home_with_bars(BARS)
    runs = [lanner_with_peak(*BACKTEST, *QUICK, home=home) for _ in range(min(rounds, 3))]
    result = runs[-1].json()
    yield alone(
        "peak memory, 1,000,000 bars, whole process with report",
        median(run.peak_mb for run in runs),
        "MB",
        goal="< 400",
        events=result["events"],
        orders=result["orders"],
        seconds=median(run.seconds for run in runs),
    )
