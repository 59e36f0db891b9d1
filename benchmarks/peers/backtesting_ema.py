"""EMA cross on backtesting.py, bars only: averages are whole arrays beforehand, a Python method on each bar."""

from __future__ import annotations

import time
import warnings
from importlib.metadata import version

import pandas as pd
from backtesting import Backtest, Strategy

from benchmarks import contract, walk

# The engine trades whole units only: prices are per lot, so that one unit is one lot.
PRICE_OF_A_LOT = walk.TICK * walk.LOT


def average(values: pd.Series, period: int) -> pd.Series:
    return pd.Series(values).ewm(span=period, adjust=False).mean()


class EmaCross(Strategy):
    """Hold some lots long above the cross and as many short below it."""

    fast = contract.FAST
    slow = contract.SLOW

    def init(self) -> None:
        self.fast_line = self.I(average, self.data.Close, self.fast)
        self.slow_line = self.I(average, self.data.Close, self.slow)
        self.above: bool | None = None

    def next(self) -> None:
        if len(self.data) < self.slow:
            return
        above = self.fast_line[-1] > self.slow_line[-1]
        if above == self.above:
            return
        crossed = self.above is not None
        self.above = above
        if crossed:
            # Orders are exclusive: the opposite position is closed first.
            (self.buy if above else self.sell)(size=contract.ORDER_LOTS)


def load(columns: list) -> pd.DataFrame:
    ts, *prices, volume = columns
    frame = pd.DataFrame(
        {
            name: pd.Series(column) * PRICE_OF_A_LOT
            for name, column in zip(("Open", "High", "Low", "Close"), prices, strict=True)
        },
    )
    frame["Volume"] = list(volume)
    frame.index = pd.to_datetime(list(ts))
    return frame


def run(data: pd.DataFrame, fast: int, slow: int) -> tuple[float, int]:
    backtest = Backtest(
        data,
        EmaCross,
        cash=contract.BALANCE,
        commission=float(contract.TAKER_FEE),
        exclusive_orders=True,
    )
    started = time.process_time()
    stats = backtest.run(fast=fast, slow=slow)
    return time.process_time() - started, len(stats["_trades"])


def main() -> None:
    warnings.simplefilter("ignore")
    args = contract.arguments()
    data = load(walk.read(args.data, args.kind))
    run(data.iloc[: contract.WARM_UP_ROWS], args.fast, args.slow)
    seconds, trades = run(data, args.fast, args.slow)
    contract.Measured(len(data), seconds, trades, trades, version("backtesting")).emit()


if __name__ == "__main__":
    main()
