"""What a script under measurement takes and prints, shared by ours and the peers' (standard library only).

A script is run as `python -m benchmarks.<ours|peers>.<name> --kind bars --data FILE` from the root of the repository,
with whichever interpreter its engine lives in. It warms up on part of the data, runs the whole once, and prints one
JSON line: events, cpu_seconds (of the engine's run alone), orders, fills, version.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

FAST, SLOW = 100, 500
WARM_UP_ROWS = 50_000
BALANCE = 1_000_000
MAKER_FEE, TAKER_FEE = "0.0002", "0.0005"
ORDER_LOTS = 10
"""The strategy holds plus or minus this many lots: the first order is this large, each later one twice that."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one engine."""

    events: int
    cpu_seconds: float
    orders: int
    fills: int
    version: str
    reading_seconds: float = 0.0
    """Part of cpu_seconds that made objects of the data; 0 where they were made beforehand."""

    def emit(self) -> None:
        """Print the line that the runner reads."""
        print(json.dumps(asdict(self)), flush=True)


def arguments() -> argparse.Namespace:
    """Parse the command line of a script: kind, data, fast, slow."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=("bars", "quotes"), required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fast", type=int, default=FAST)
    parser.add_argument("--slow", type=int, default=SLOW)
    return parser.parse_args()
