"""Cross of two moving averages on vectorbt 1.x: one backtest, or a grid of them, with either of its engines."""

from __future__ import annotations

import warnings
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt

from benchmarks import columns

COLUMNS_AT_ONCE = 8
"""Columns of a piece of the grid: of 1, 2, 4, 8, 16 and 64 the fastest on 100,000 bars."""


def portfolio(close: pd.Series, entries: Any, share: float, orders: int, engine: str) -> Any:
    """Play entries and their opposite as exits; both fill at the close of their bar, vectorbt's own convention."""
    return vbt.Portfolio.from_signals(
        close,
        entries,
        ~entries,
        size=share,
        size_type="percent",
        fees=float(columns.FEE),
        slippage=columns.SLIPPAGE_BPS / 10_000,
        init_cash=float(columns.CAPITAL),
        freq="1min",
        max_orders=orders,
        engine=engine,
    )


def single(close: pd.Series, fast: int, slow: int, engine: str) -> dict[str, Any]:
    """Run one backtest and compute its equity curve."""
    averages = [vbt.MA.run(close, window, engine=engine).ma.to_numpy() for window in (fast, slow)]
    above = pd.Series(averages[0] > averages[1], index=close.index)
    made = portfolio(close, above, columns.SHARE, len(close) // 8, engine)
    equity = made.value()
    return {"end_equity": float(equity.iloc[-1]), "fills": len(made.orders.values)}


def grid(close: pd.Series, engine: str, most: int | None = None) -> dict[str, Any]:
    """Run the pairs of the grid (or the first ones), some columns at a time, and compute statistics of each."""
    averages = {
        window: vbt.MA.run(close, window, engine=engine).ma.to_numpy()
        for window in (*columns.FASTS, *columns.SLOWS)
    }
    pairs = [(fast, slow) for slow in columns.SLOWS for fast in columns.FASTS][:most]
    ends: list[float] = []
    trades = 0
    for first in range(0, len(pairs), COLUMNS_AT_ONCE):
        part = pairs[first : first + COLUMNS_AT_ONCE]
        above = np.empty((len(close), len(part)), dtype=np.bool_, order="F")
        for place, (fast, slow) in enumerate(part):
            np.greater(averages[fast], averages[slow], out=above[:, place])
        made = portfolio(close, pd.DataFrame(above, index=close.index), 1.0, above.size // 8, engine)
        closed = made.trades.closed
        closed.win_rate(), closed.profit_factor()
        made.sharpe_ratio(), made.sortino_ratio(), made.max_drawdown()
        ends += (made.total_return().to_numpy() * columns.CAPITAL + columns.CAPITAL).tolist()
        trades += int(closed.count().sum())
    return {"best": max(ends), "mean": float(np.mean(ends)), "trades": trades}


def prices(path: Path) -> pd.Series:
    """Return the closes of a walk."""
    return pd.Series(np.load(path)[:, 3] / columns.TICKS)


def main() -> None:
    """Warm up, run, report every task."""
    warnings.simplefilter("ignore")
    args = columns.arguments()
    close, engine = prices(args.data), args.engine
    found = {}
    for label, pair in columns.PAIRS.items():
        run = partial(single, close, *pair, engine)
        found[f"single/{label}"] = columns.measured(run, run, args.repeat)
    if args.grid:
        short = prices(args.grid)
        warm_up = partial(grid, short, engine, COLUMNS_AT_ONCE)
        found["grid"] = columns.measured(warm_up, partial(grid, short, engine), 1)
    columns.emit(tasks=found, version=version("vectorbt"))


if __name__ == "__main__":
    main()
