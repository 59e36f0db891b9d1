"""Seeded random-walk minute bars as numpy columns, and what every engine of the group `research` is asked to do.

Only numpy is used, because this module also runs inside the peers' environments. A file is int64[rows, 4]: open, high,
low, close in ticks of 0.01.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

TICKS = 100.0
"""Ticks of one unit of price; dividing by it gives each price its nearest float."""
SEED = 20_240_101
CAPITAL, SHARE = 1_000_000, 0.001
"""A long position is this share of the equity: the account outlives the costs of half a million trades."""
FEE, SLIPPAGE_BPS = "0.0005", 5
PAIRS = {"50/200": (50, 200), "10/30": (10, 30)}
"""The averages of the single backtests: few trades, and many."""
FASTS, SLOWS = tuple(range(5, 37)), tuple(range(40, 200, 5))
"""The sweep's grid: 32 × 32 pairs of averages."""


def ensure(folder: Path, rows: int) -> Path:
    """Return the file of `rows` bars (5 basis points a bar, each opens at the close before), made on first use."""
    path = folder / f"walk-{rows}-{SEED}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        dice = np.random.default_rng(SEED)
        close = np.rint(5_000_000 * np.exp(np.cumsum(dice.normal(0.0, 0.0005, rows)))).astype(np.int64)
        before = np.concatenate(([5_000_000], close[:-1]))
        reach = np.rint(np.abs(dice.normal(0.0, 0.0002, (2, rows))) * close).astype(np.int64)
        high, low = np.maximum(before, close) + reach[0], np.minimum(before, close) - reach[1]
        part = path.with_suffix(".part.npy")
        np.save(part, np.stack([before, high, np.maximum(low, 1), close], axis=1))
        part.rename(path)
    return path


def arguments(*tasks: str) -> argparse.Namespace:
    """Parse the command line of a script: the files it reads, which task or engine, and how often to repeat."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", choices=tasks or None, default="")
    parser.add_argument("--engine", default="")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--grid", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    return parser.parse_args()


def measured(warm_up: Callable[[], object], run: Callable[[], dict[str, Any]], repeat: int) -> dict[str, Any]:
    """Warm up, then run; return what the last run found and the median CPU seconds."""
    warm_up()
    seconds: list[float] = []
    found: dict[str, Any] = {}
    for _ in range(max(1, repeat)):
        started = time.process_time()
        found = run()
        seconds.append(time.process_time() - started)
    return {**found, "cpu_seconds": median(seconds)}


def emit(**found: Any) -> None:
    """Print the line that the runner reads."""
    print(json.dumps(found), flush=True)
