"""Run the benchmarks: `make bench`, or one group with `make bench ONLY=event`.

Each row is printed as one line of JSON as soon as it is known and written to `benchmarks/results/<group>.json`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

from benchmarks.groups.cli import run as run_cli
from benchmarks.groups.data import run as run_data
from benchmarks.groups.event import run as run_event
from benchmarks.groups.ledger import run as run_ledger
from benchmarks.groups.live import run as run_live
from benchmarks.groups.memory import run as run_memory
from benchmarks.groups.research import run as run_research
from benchmarks.groups.venue import run as run_venue
from benchmarks.measure import Row, write

GROUPS: dict[str, Callable[[int], Iterator[Row]]] = {
    "event": run_event,
    "cli": run_cli,
    "memory": run_memory,
    "data": run_data,
    "research": run_research,
    "venue": run_venue,
    "ledger": run_ledger,
    "live": run_live,
}


def main() -> None:
    """Parse the command line, run the groups and write their results."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=sorted(GROUPS), action="append", help="run this group (repeatable)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each script; medians are reported")
    options = parser.parse_args()
    for group in options.only or GROUPS:
        rows = []
        for row in GROUPS[group](options.rounds):
            print(row.line(), flush=True)
            rows.append(row)
        write(group, rows, options.rounds)


if __name__ == "__main__":
    main()
