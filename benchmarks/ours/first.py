"""What a user waits for before the first result: one process that imports, makes its data, computes and ends."""

from __future__ import annotations

import sys

from benchmarks import columns
from benchmarks.environments import BENCH
from benchmarks.ours.ma import grid, market_of, public

ROWS = 10_000


def main() -> None:
    """Run one task on few bars: a sweep of the grid, or one array backtest."""
    args = columns.arguments("sweep", "public")
    market = market_of(columns.ensure(BENCH / "data", ROWS))
    found = grid(market) if args.task == "sweep" else public(market, *columns.PAIRS["50/200"])
    columns.emit(**found, rows=ROWS, modules=len(sys.modules))


if __name__ == "__main__":
    main()
