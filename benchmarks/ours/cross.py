"""The benchmarks' strategy: plus or minus a fixed size, turned with each cross of two exponential averages.

Written like the peers' scripts, statement by statement: both averages are declared, the handler compares their values
and remembers the side. (`crossed_above` and `crossed_below` say the same more briefly.)
"""

from __future__ import annotations

import lanner as ln
from benchmarks import contract, walk
from lanner.indicators import EMA

SIZE = contract.ORDER_LOTS * walk.LOT


class Cross(ln.Strategy):
    """Hold one unit long above the cross and one short below it."""

    timeframe = "1m"
    fast = ln.Param(contract.FAST, 2, 1_000)
    slow = ln.Param(contract.SLOW, 3, 5_000)
    above: bool | None = None
    fast_ema: EMA
    slow_ema: EMA

    def decide(self) -> None:
        """Turn the position when the averages have changed sides."""
        above = self.fast_ema.value > self.slow_ema.value
        if above == self.above:
            return
        crossed = self.above is not None
        self.above = above
        if crossed:
            self.target_qty(SIZE if above else -SIZE)


class BarCross(Cross):
    """Decide on each closed bar."""

    def on_start(self) -> None:
        bars = self.bars()
        self.fast_ema, self.slow_ema = bars.ema(self.fast), bars.ema(self.slow)

    def on_bar(self, bar: ln.Bar) -> None:
        self.decide()


class QuoteCross(Cross):
    """Decide on each quote, by its mid price."""

    def on_start(self) -> None:
        quotes = self.quotes()
        self.fast_ema, self.slow_ema = quotes.ema(self.fast), quotes.ema(self.slow)

    def on_quote(self, quote: ln.Quote) -> None:
        self.decide()
