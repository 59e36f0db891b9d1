"""Rows per second of wall time that `lanner data import` takes from CSV files to the catalog, whole process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from statistics import median

from benchmarks.commands import INSTRUMENT, bars_file, lanner, trades_file
from benchmarks.environments import BENCH
from benchmarks.measure import Row, alone

ROWS = 1_000_000


def run(rounds: int) -> Iterator[Row]:
    """Yield the rate for bars and for trades, each import into an empty catalog."""
    kinds = {"bars": (bars_file(ROWS), ("--timeframe", "1m")), "trades": (trades_file(ROWS), ())}
    for kind, (file, extra) in kinds.items():
        home = BENCH / f"home-import-{kind}"
        seconds = []
        for _ in range(min(rounds, 3)):
            shutil.rmtree(home, ignore_errors=True)
            done = lanner("data", "import", str(file), "--instrument", INSTRUMENT, *extra, home=home)
            seconds.append(done.seconds)
        yield alone(f"import of CSV {kind}", ROWS / median(seconds), "rows/s (wall)", rows=ROWS)
