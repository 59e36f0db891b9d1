"""The benchmarks' strategy: plus or minus a fixed size, turned with each cross of two exponential averages."""

from __future__ import annotations

import lanner as ln
from benchmarks import contract, walk

SIZE = contract.ORDER_LOTS * walk.LOT


class BarCross(ln.Strategy):
    """Decide on each closed bar."""

    timeframe = "1m"
    fast = ln.Param(contract.FAST, 2, 1_000)
    slow = ln.Param(contract.SLOW, 3, 5_000)

    def on_start(self) -> None:
        bars = self.bars()
        self.fast_ema, self.slow_ema = bars.ema(self.fast), bars.ema(self.slow)

    def on_bar(self, bar: ln.Bar) -> None:
        if self.fast_ema.crossed_above(self.slow_ema):
            self.target_qty(SIZE)
        elif self.fast_ema.crossed_below(self.slow_ema):
            self.target_qty(-SIZE)


class QuoteCross(ln.Strategy):
    """Decide on each quote, by its mid price."""

    fast = ln.Param(contract.FAST, 2, 1_000)
    slow = ln.Param(contract.SLOW, 3, 5_000)

    def on_start(self) -> None:
        quotes = self.quotes()
        self.fast_ema, self.slow_ema = quotes.ema(self.fast), quotes.ema(self.slow)

    def on_quote(self, quote: ln.Quote) -> None:
        if self.fast_ema.crossed_above(self.slow_ema):
            self.target_qty(SIZE)
        elif self.fast_ema.crossed_below(self.slow_ema):
            self.target_qty(-SIZE)
