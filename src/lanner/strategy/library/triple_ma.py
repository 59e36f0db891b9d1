"""Three moving averages: a cross of the fast and the medium one counts when the slow one agrees."""

from __future__ import annotations

from lanner.model.market import Bar
from lanner.strategy.base import Strategy, require
from lanner.strategy.parameters import Param


class TripleMa(Strategy):
    """Follow the trend when all three averages are in line; leave when fast and medium cross back."""

    name = "triple_ma"
    description = "Enter on a fast × medium cross in line with the slow average, leave on the opposite cross"
    kind = "trend_following"
    timeframe = "1h"
    stop_loss = "5%"
    roi = {0: "5%", 30: "3%", 90: "1.5%"}

    fast = Param(5, 2, 198, help="bars in the fast average")
    medium = Param(20, 3, 199, help="bars in the medium average, more than fast")
    slow = Param(50, 4, 200, help="bars in the slow average, more than medium")
    ma_type = Param("ema", choices=("sma", "ema"), help="simple or exponential averages")

    def check_params(self) -> None:
        found = f"{self.fast}, {self.medium}, {self.slow}"
        require(
            self.fast < self.medium < self.slow, "averages in the wrong order", "fast < medium < slow", found
        )

    def on_start(self) -> None:
        bars = self.bars()
        average = bars.ema if self.ma_type == "ema" else bars.sma
        self.fast_ma, self.medium_ma, self.slow_ma = (
            average(self.fast),
            average(self.medium),
            average(self.slow),
        )
        self.can_short = not self.instrument.is_spot

    def on_bar(self, bar: Bar) -> None:
        if self.fast_ma.crossed_above(self.medium_ma):
            if self.medium_ma > self.slow_ma:
                self.target(0.95, tag="aligned up")
            elif self.position.is_short:
                self.close(tag="cross up")
        elif self.fast_ma.crossed_below(self.medium_ma):
            if self.can_short and self.medium_ma < self.slow_ma:
                self.target(-0.95, tag="aligned down")
            elif self.position.is_long:
                self.close(tag="cross down")
