"""Wall time of whole processes: `lanner --help`, and a backtest of ten thousand bars with its report."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks.commands import BACKTEST, QUICK, home_with_bars, lanner
from benchmarks.measure import Row, alone

BARS = 10_000


def run(rounds: int) -> Iterator[Row]:
    """Yield the median wall time of each command."""
    lanner("--help")
    seconds = median(lanner("--help").seconds for _ in range(max(rounds, 11)))
    yield alone("lanner --help", seconds, "s (wall)", goal="< 0.3")
    home = home_with_bars(BARS)
    first = lanner(*BACKTEST, *QUICK, home=home).json()
    seconds = median(lanner(*BACKTEST, *QUICK, home=home).seconds for _ in range(rounds))
    yield alone(
        "backtest of 10,000 bars, whole process with report",
        seconds,
        "s (wall)",
        goal="< 1.5",
        events=first["events"],
        orders=first["orders"],
    )
