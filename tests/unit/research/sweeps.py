"""Strategies, data and settings for the tests of sweeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lanner.backtest.config import BacktestConfig
from lanner.cli.backtest_options import Options
from lanner.cli.sweeping import SweepChoice, plan_of
from lanner.research.run_sweep import SweepOutcome, sweep_and_keep
from lanner.research.sweep import SweepPlan
from lanner.storage.runs import RunStore

HOUR_MS = 3_600_000
START_MS = 1_704_067_200_000

SIGNAL = '''
import lanner as ln


@ln.signal("1h")
def cross(bars, fast=5, slow=20):
    """Long while the fast average is above the slow one."""
    return bars.close.sma(fast) > bars.close.sma(slow)
'''
BRACKET = '''
import lanner as ln


@ln.signal("1h", stop="1%", take="2%")
def cross(bars, fast=5, slow=20):
    """Long while the fast average is above the slow one, protected."""
    return bars.close.sma(fast) > bars.close.sma(slow)
'''
WEIGHTED = '''
import lanner as ln


@ln.signal("1h")
def cross(bars, fast=5, slow=20, most=1.0):
    """Hold more the further the averages are apart."""
    return ((bars.close.sma(fast) / bars.close.sma(slow) - 1) * 50).clip(0, most)
'''
HANDLERS = '''
import lanner as ln


class Cross(ln.Strategy):
    """The same as a class."""

    fast = ln.Param(5, 2, 50)
    slow = ln.Param(20, 5, 200)
    timeframe = "1h"

    def on_start(self):
        bars = self.bars("1h")
        self.f, self.s = bars.sma(self.fast), bars.sma(self.slow)
        self.was = False

    def on_bar(self, bar):
        now = self.f > self.s
        if now != self.was:
            self.was = now
            self.target(1.0 if now else 0.0, tag="signal")
'''


def write_bars(folder: Path, rows: int = 1500, seed: int = 1, drift: float = 0.0, rise: float = 0.0) -> Path:
    """Write bars as CSV: a walk with trends up and down that hold for 75 bars, and a rise that holds for good."""
    rng = np.random.default_rng(seed)
    trend = np.repeat(rng.choice([-1.0, 1.0], -(-rows // 75)), 75)[:rows] * drift
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.008, rows) + trend + rise)), 2)
    opening = np.append(100.0, close[:-1])
    wick = np.round(close * 0.004 * rng.random((2, rows)), 2)
    path = folder / "bars.csv"
    pl.DataFrame(
        {
            "timestamp": START_MS + HOUR_MS * np.arange(rows),
            "open": opening,
            "high": np.maximum(opening, close) + wick[0],
            "low": np.maximum(0.01, np.minimum(opening, close) - wick[1]),
            "close": close,
            "volume": np.round(rng.random(rows) * 50 + 1, 3),
        }
    ).write_csv(path)
    return path


def settings(
    folder: Path, source: str = SIGNAL, data: Path | None = None, **values: object
) -> BacktestConfig:
    """Return settings of a strategy written to a file, over bars written to a file."""
    script = folder / "strategy.py"
    script.write_text(source, encoding="utf-8")
    options = Options()
    options.put("data", "--data", [str(data or write_bars(folder))])
    options.put("instrument", "--instrument", "BTC-USDT.TEST")
    options.put("timeframe", "--timeframe", "1h")
    for name, value in values.items():
        options.put(name.replace("__", "."), f"--{name}", value)
    return options.config(str(script))


def choice(**changes: Any) -> SweepChoice:
    """Return what the options of the command said."""
    values: dict[str, Any] = {
        "params": ["fast=3:12:3", "slow=10:40:10"],
        "where": ["fast<slow"],
        "method": "grid",
        "trials": 20,
        "engine": "auto",
        "workers": 1,
        "fresh": False,
        "objectives": ["sharpe"],
        "min_trades": 3,
        "walk_forward": "rolling",
        "windows": 4,
        "train": 0.6,
        "gap": 0,
        "top": 20,
        "seed": 1,
        "report": None,
        "as_json": False,
        "quiet": True,
    }
    return SweepChoice(**(values | changes))


def sweep(config: BacktestConfig, store: RunStore | None = None, **changes: Any) -> SweepOutcome:
    """Search with these settings."""
    picked = choice(**changes)
    return sweep_and_keep(
        config, plan_of(config, picked), store, workers=picked.workers, resume=not picked.fresh
    )


def plan_for(config: BacktestConfig, **changes: Any) -> SweepPlan:
    """Return the plan of a search with these settings."""
    return plan_of(config, choice(**changes))


COMPILED = '''
import lanner as ln


@ln.compiled("1h", state={"fast_sum": 0.0, "slow_sum": 0.0, "count": 0, "was": 0})
def cross(ctx, bar, fast=5, slow=20):
    """Follow two exponential averages."""
    ctx.count += 1
    if ctx.count == 1:
        ctx.fast_sum = bar.close
        ctx.slow_sum = bar.close
    ctx.fast_sum += 2.0 / (fast + 1) * (bar.close - ctx.fast_sum)
    ctx.slow_sum += 2.0 / (slow + 1) * (bar.close - ctx.slow_sum)
    now = 1 if ctx.fast_sum > ctx.slow_sum else 0
    if ctx.count > slow and now != ctx.was:
        ctx.was = now
        ctx.target(1.0 if now else 0.0)
'''
