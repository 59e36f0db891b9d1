"""Run the benchmarks: `make bench`, or one group with `make bench ONLY=event`.

Each row is printed as one line of JSON as soon as it is known and written to `benchmarks/results/<group>.json`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

from benchmarks.groups import cli, data, event, memory
from benchmarks.measure import Row, write

GROUPS: dict[str, Callable[[int], Iterator[Row]]] = {
    "event": event.run,
    "cli": cli.run,
    "memory": memory.run,
    "data": data.run,
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
