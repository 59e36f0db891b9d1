"""Run `lanner` as a user does: its own process, its own home folder, files that any tool could have written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import walk
from benchmarks.environments import BENCH, ROOT, environment

LANNER = Path(sys.executable).with_name("lanner")
INSTRUMENT = "BTCUSDT-PERP.BINANCE"
BACKTEST = (
    "backtest",
    "benchmarks.ours.cross:BarCross",
    "--data",
    f"{INSTRUMENT}@1m",
    "--funding",
    "assume-zero",
    "--cash",
    "1000000",
    "--json",
)
"""The cross of `ours/cross.py` over the minute bars of a home folder; `--param` makes it quick."""
QUICK = ("--param", "fast=10", "--param", "slow=20")


@dataclass(frozen=True, slots=True)
class Run:
    """What one process printed, how long it took and how much memory it held at most."""

    output: str
    seconds: float
    peak_mb: float

    def json(self) -> dict[str, Any]:
        """Return the one object that `--json` printed."""
        result: dict[str, Any] = json.loads(self.output)
        return result


def lanner(*arguments: str, home: Path | None = None) -> Run:
    """Run one command to its end; raise RuntimeError with its message when it fails."""
    variables = _at(home or BENCH / "home")
    started = time.perf_counter()
    process = subprocess.Popen(
        [LANNER, *arguments],
        cwd=ROOT,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    output, errors = process.communicate()
    seconds = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(
            f"lanner {' '.join(arguments)} ended with {process.returncode}:\n{(errors or output)[-2_000:]}"
        )
    return Run(output, seconds, 0.0)


def lanner_with_peak(*arguments: str, home: Path) -> Run:
    """Run one command and read its peak resident memory (this kernel reports kilobytes, macOS bytes)."""
    record = home / "output.json"
    started = time.perf_counter()
    with record.open("w") as output:
        process = subprocess.Popen([LANNER, *arguments], cwd=ROOT, env=_at(home), stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"lanner {' '.join(arguments)} ended with {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1_024
    return Run(record.read_text(), seconds, usage.ru_maxrss * unit / 1e6)


def _at(home: Path) -> dict[str, str]:
    return environment(LANNER_HOME=str(home))


def bars_file(rows: int) -> Path:
    """Return a CSV file of minute bars with opening times in milliseconds, made on first use."""
    path = BENCH / "data" / f"bars-{rows}.csv"
    if not path.exists():
        ts, opens, highs, lows, closes, volumes = walk.read(walk.ensure(path.parent, "bars", rows), "bars")
        with path.open("w") as file:
            file.write("timestamp,open,high,low,close,volume\n")
            for i in range(rows):
                prices = ",".join(f"{px[i] / 100:.2f}" for px in (opens, highs, lows, closes))
                file.write(f"{(ts[i] - walk.MINUTE_NS) // 1_000_000},{prices},{volumes[i] / 1_000:.3f}\n")
    return path


def trades_file(rows: int) -> Path:
    """Return a CSV file of public trades, made on first use from the quotes of the walk."""
    path = BENCH / "data" / f"trades-{rows}.csv"
    if not path.exists():
        ts, bids, asks, bid_qty, ask_qty = walk.read(walk.ensure(path.parent, "quotes", rows), "quotes")
        with path.open("w") as file:
            file.write("timestamp,price,quantity,side,trade_id\n")
            for i in range(rows):
                side, px, qty = ("buy", asks[i], ask_qty[i]) if i % 2 else ("sell", bids[i], bid_qty[i])
                file.write(f"{ts[i] // 1_000_000},{px / 100:.2f},{qty / 1_000:.3f},{side},{i + 1}\n")
    return path


def home_with_bars(rows: int) -> Path:
    """Return a home folder whose catalog holds so many minute bars, filled on first use."""
    home = BENCH / f"home-{rows}-bars"
    if not (home / "catalog").exists():
        home.mkdir(parents=True, exist_ok=True)
        lanner(
            "data", "import", str(bars_file(rows)), "--instrument", INSTRUMENT, "--timeframe", "1m", home=home
        )
    return home
