"""Events per second of CPU time of the trigger tier and the compiled tier."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.measure import Row, alone, middle, script, significant

ROWS = 5_000_000
COMPILED, TRIGGERS = "≥ 100 M events/s", "≥ 30 M events/s where triggers are rare"
TASKS = {
    "bars": ("compiled tier/bars", COMPILED, "EMA cross on minute bars, orders and fills, end equity"),
    "bars-curve": (
        "compiled tier/bars/curve",
        COMPILED,
        "the same with every order, fill, the equity after each bar and its statistics",
    ),
    "quotes": ("compiled tier/quotes", COMPILED, "EMA cross on quotes, orders and fills, end equity"),
    "triggers": (
        "trigger tier/quotes",
        TRIGGERS,
        "EMA cross on quotes through a whole backtest: columns, conditions, engine, venue, prices of the curve",
    ),
}


def run(rounds: int) -> Iterator[Row]:
    """Yield a row for each tier and kind of data."""
    for task, (name, goal, computed) in TASKS.items():
        runs = [
            script(sys.executable, "benchmarks.ours.tiers", "--task", task, "--rows", str(ROWS))
            for _ in range(max(1, min(rounds, 3)))
        ]
        seconds = middle(runs, "cpu_seconds")
        yield alone(
            name,
            ROWS / seconds,
            "events/s (CPU)",
            goal=goal,
            ns_per_event=significant(seconds / ROWS * 1e9),
            orders=runs[-1]["orders"],
            computed=computed,
        )
