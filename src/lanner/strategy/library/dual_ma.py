"""Two moving averages: long while the fast one is above the slow one, short (or flat) while it is below."""

from __future__ import annotations

from lanner.model.market import Bar
from lanner.strategy.base import Strategy, require
from lanner.strategy.parameters import Param


class DualMa(Strategy):
    """Follow the trend: turn with each cross of a fast and a slow moving average."""

    name = "dual_ma"
    description = "Turn long or short with each cross of two moving averages"
    kind = "trend_following"
    timeframe = "15m"
    stop_loss = "5%"
    roi = {0: "4%", 20: "2%", 60: "1%"}

    fast = Param(10, 2, 199, help="bars in the fast average")
    slow = Param(20, 3, 200, help="bars in the slow average, more than fast")
    ma_type = Param("sma", choices=("sma", "ema"), help="simple or exponential averages")

    def check_params(self) -> None:
        require(
            self.fast < self.slow, "averages in the wrong order", "fast < slow", f"{self.fast}, {self.slow}"
        )

    def on_start(self) -> None:
        bars = self.bars()
        average = bars.ema if self.ma_type == "ema" else bars.sma
        self.fast_ma, self.slow_ma = average(self.fast), average(self.slow)
        self.short = 0.0 if self.instrument.is_spot else -0.95  # a spot holding cannot go below zero

    def on_bar(self, bar: Bar) -> None:
        if self.fast_ma.crossed_above(self.slow_ma):
            self.target(0.95, tag="cross up")
        elif self.fast_ma.crossed_below(self.slow_ma):
            self.target(self.short, tag="cross down")
