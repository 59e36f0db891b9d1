"""Research at memory speed: array backtests and sweeps against vectorbt, indicators against TA-Lib, start-up times."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from benchmarks import columns
from benchmarks.environments import BENCH, ROOT, VECTORBT, PeerUnavailableError, environment, ready
from benchmarks.groups.research_tiers import run as run_tiers
from benchmarks.measure import Row, alone, middle, script, significant

BARS, GRID_BARS, VALUES = 10_000_000, 100_000, 1_000_000
SINGLES = ("arrays", "public", "fused", "fused-statistics")
APART = 0.01
"""Results may differ by this share and still be of the same work: lots and ticks are rounded by ours only."""

FEES = f"fee {columns.FEE}, slippage {columns.SLIPPAGE_BPS} bp, fills at the deciding close"
GOALS = {
    "arrays": "≥ 400 M bars/s, ≥ 13 × rust, ≥ 40 × numba",
    "fused": "≥ 600 M bars/s",
    "grid": "≥ 1,000 M combo·bars/s, ≥ 50 × the best setting",
}
COMPUTED = {
    "arrays": f"which of two averages is above, fills; equity after each bar; {FEES}; columns after columns",
    "public": f"the same through ln.from_signals, whose input is checked; {FEES}",
    "fused": f"the same piece by piece; equity after each bar; {FEES}",
    "fused-statistics": f"the same piece by piece; statistics of returns, drawdown, no stored equity; {FEES}",
    "grid": (
        f"1,024 pairs; end equity, Σr, Σr², Σ of losses and of their squares, drawdown, exposure, trades, wins, "
        f"won, lost, fees, turnover of each; {FEES}"
    ),
}
THEIRS = {
    "single": f"vbt.MA twice, numpy comparison, Portfolio.from_signals, value(); {FEES}",
    "grid": (
        "some columns at a time; vbt.MA once per window, Portfolio.from_signals; total return, Sharpe, Sortino, "
        f"drawdown, count, win rate, profit factor; {FEES}"
    ),
}


def run(rounds: int) -> Iterator[Row]:
    """Yield the rows of every part."""
    yield from _against_vectorbt(rounds)
    yield from _starts(rounds)
    yield from _indicators(rounds)
    yield from run_tiers(rounds)


def _engines() -> dict[str, str]:
    """Return the interpreter of each engine of vectorbt, none if it cannot be had."""
    try:
        python = str(ready(VECTORBT))
    except PeerUnavailableError as reason:
        print(f"# skipped {VECTORBT.name}: {reason}", flush=True)
        return {}
    return {"rust": python, "numba": python}


def _against_vectorbt(rounds: int) -> Iterator[Row]:
    """Run every task of ours and of each engine once a round, in turn."""
    data, short = (str(columns.ensure(BENCH / "data", rows)) for rows in (BARS, GRID_BARS))
    files = ("--data", data, "--grid", short)
    engines = _engines()
    ours: list[dict[str, Any]] = []
    theirs: dict[str, list[dict[str, Any]]] = {engine: [] for engine in engines}
    for _ in range(rounds):
        ours.append(script(sys.executable, "benchmarks.ours.ma", *files))
        for engine, python in engines.items():
            theirs[engine].append(script(python, VECTORBT.module, "--engine", engine, *files))
    for label in columns.PAIRS:
        for task in SINGLES:
            names = (f"dual-ma/{label}/{task}", f"{task}/{label}", f"single/{label}")
            yield from _rows(*names, COMPUTED[task], THEIRS["single"], ours, theirs, BARS, "bars/s (CPU)")
    work, unit = len(columns.FASTS) * len(columns.SLOWS) * GRID_BARS, "combo·bars/s (CPU, one thread)"
    yield from _rows(
        "sweep/1024x100k", "grid", "grid", COMPUTED["grid"], THEIRS["grid"], ours, theirs, work, unit
    )


def _rows(
    name: str,
    task: str,
    their_task: str,
    computes: str,
    peer_computes: str,
    ours: list[dict[str, Any]],
    theirs: dict[str, list[dict[str, Any]]],
    work: int,
    unit: str,
) -> Iterator[Row]:
    """Yield a row for each engine of the peer, or one of ours alone when there is none."""
    rate, own = _of(ours, task, work)
    goal = GOALS.get(task.partition("/")[0])
    detail = {"computes": computes, **own} | ({"goal": goal} if goal else {})
    if not theirs:
        yield alone(name, rate, unit, **detail)
    for engine, samples in theirs.items():
        peer, found = _of(samples, their_task, work)
        same_work = all(abs(found[key] - value) <= APART * abs(value) for key, value in own.items())
        if not same_work:
            print(f"# {VECTORBT.name} {engine}: {found}, lanner: {own}: not the same work", flush=True)
        seen = {f"peer_{key}": value for key, value in found.items()}
        yield Row(
            f"{name}/{VECTORBT.name}-{engine}",
            significant(rate),
            significant(peer),
            samples[-1]["version"],
            significant(rate / peer, 3),
            unit,
            {**detail, "peer_computes": peer_computes, **seen, "same_work": same_work},
        )


def _of(samples: list[dict[str, Any]], task: str, work: int) -> tuple[float, dict[str, Any]]:
    """Return a task's rate over the rounds and what it found."""
    own = [sample["tasks"][task] for sample in samples]
    found = {key: value for key, value in own[-1].items() if key != "cpu_seconds"}
    return work / middle(own, "cpu_seconds"), found


def _starts(rounds: int) -> Iterator[Row]:
    """Yield the time of whole processes: everything compiled anew, and nothing."""
    for task, what in (("sweep", "a sweep of 1,024 variants"), ("public", "ln.from_signals")):
        cold: list[tuple[float, float]] = []
        warm: list[tuple[float, float]] = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                cold.append(_process("--task", task, NUMBA_CACHE_DIR=folder))
                warm.append(_process("--task", task, NUMBA_CACHE_DIR=folder))
        for name, samples, goal in (("cold kernel cache", cold, "< 6 s"), ("warm", warm, "< 2 s")):
            yield alone(
                f"start/{task}/{name}",
                median(cpu for _, cpu in samples),
                "s (CPU, whole process)",
                wall_seconds=significant(median(wall for wall, _ in samples), 3),
                computes=f"imports, data, {what} on 10,000 bars",
                goal=goal,
            )


def _process(*arguments: str, **variables: str) -> tuple[float, float]:
    """Run one process of `benchmarks.ours.first` and return its wall and CPU seconds."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.ours.first", *arguments]
    subprocess.run(command, cwd=ROOT, env=environment(**variables), check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _indicators(rounds: int) -> Iterator[Row]:
    data = str(columns.ensure(BENCH / "data", VALUES))
    samples = [
        script(sys.executable, "benchmarks.ours.indicators", "--task", "all", "--data", data, "--repeat", "9")
        for _ in range(rounds)
    ]
    for name, found in samples[-1]["indicators"].items():
        ours, theirs = (median(s["indicators"][name][who] for s in samples) for who in ("ours", "theirs"))
        yield Row(
            f"indicators/{name}", significant(VALUES / ours), significant(VALUES / theirs), samples[-1]["talib"],
            significant(theirs / ours, 3), "values/s (CPU)",
            {"peer": "TA-Lib", "last_value_apart": found["apart"]},
        )  # fmt: skip
