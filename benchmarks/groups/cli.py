"""Wall time of whole processes: `lanner --help`, and a backtest of ten thousand bars."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks.commands import home_with_bars, timed

from benchmarks.measure import Row, significant

BARS = 10_000


def run(rounds: int) -> Iterator[Row]:
    """Yield the median wall time of each command."""
    timed("--help")
    seconds = median(timed("--help") for _ in range(max(rounds, 11)))
    yield Row("lanner --help", significant(seconds, 3), None, None, None, "s (wall)", {"goal": "< 0.3"})
    home = home_with_bars(BARS)
    command = ("backtest", "dual_ma", "--data", home.series, "--json")
    timed(*command, home=home.path)
    seconds = median(timed(*command, home=home.path) for _ in range(rounds))
    yield Row(
        "backtest of 10,000 bars, whole process",
        significant(seconds, 3),
        None,
        None,
        None,
        "s (wall)",
        {"goal": "< 1.5", "bars": BARS},
    )
