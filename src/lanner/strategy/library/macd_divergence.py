"""Divergence: a new low that the MACD histogram does not confirm announces a turn, and so does such a high."""

from __future__ import annotations

from collections import deque

from lanner.indicators.base import BarIndicator, BarLike
from lanner.indicators.momentum import MACD
from lanner.model.market import Bar
from lanner.strategy.base import Strategy, require
from lanner.strategy.parameters import Param


class Divergence(BarIndicator):
    """Give 1 at a bullish divergence of price and MACD histogram, −1 at a bearish one, else 0.

    Bullish: the bar's low is below the lowest low of the bars ``apart`` to ``lookback`` bars ago, while the histogram,
    though negative, is above its value at that earlier low and rising. Bearish is the mirror image with highs.
    An indicator of one's own needs no more than this: ``update_bar`` and an honest ``warmup``.
    """

    def __init__(self, macd: MACD, lookback: int, apart: int) -> None:
        super().__init__()
        self.macd = macd
        self.apart = apart
        self.past: deque[tuple[float, float, float]] = deque(maxlen=lookback)
        self.warmup = macd.warmup + lookback

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        self.macd.update(bar.close)
        hist = self.macd.hist
        if self.past.maxlen == len(self.past):
            window = list(self.past)[: 1 - self.apart or None]
            low, _, hist_at_low = min(window)
            _, high, hist_at_high = max(window, key=lambda old: old[1])
            bullish = bar.low < low and hist_at_low < hist.value < 0 and hist.rising
            bearish = bar.high > high and hist_at_high > hist.value > 0 and hist.falling
            self.push(float(bullish - bearish))
        if hist.ready:
            self.past.append((bar.low, bar.high, hist.value))


class MacdDivergence(Strategy):
    """Enter on a divergence, leave when the MACD crosses its signal line against the position."""

    name = "macd_divergence"
    description = (
        "Enter when price and MACD histogram disagree at a new extreme, leave on the opposite MACD cross"
    )
    kind = "mean_reversion"
    timeframe = "4h"
    stop_loss = "4%"
    roi = {0: "6%", 60: "4%", 180: "2%"}

    fast = Param(12, 2, 199, help="bars in the MACD's fast average")
    slow = Param(26, 3, 200, help="bars in the MACD's slow average, more than fast")
    signal = Param(9, 1, 100, help="bars in the MACD's signal line")
    lookback = Param(14, 5, 500, help="how many bars back an extreme is compared")
    min_bars_between = Param(5, 2, 500, help="bars between the two extremes, at most lookback")

    def check_params(self) -> None:
        require(
            self.fast < self.slow, "averages in the wrong order", "fast < slow", f"{self.fast}, {self.slow}"
        )
        fits = self.min_bars_between <= self.lookback
        require(
            fits,
            "min_bars_between is too large",
            f"at most lookback ({self.lookback})",
            self.min_bars_between,
        )

    def on_start(self) -> None:
        self.macd = MACD(self.fast, self.slow, self.signal)
        self.divergence = self.bars().add_bars(Divergence(self.macd, self.lookback, self.min_bars_between))
        self.can_short = not self.instrument.is_spot

    def on_bar(self, bar: Bar) -> None:
        position = self.position
        if position.is_long:
            if self.macd.crossed_below(self.macd.signal):
                self.close(tag="cross down")
        elif position.is_short:
            if self.macd.crossed_above(self.macd.signal):
                self.close(tag="cross up")
        elif self.divergence.value > 0:
            self.target(0.90, tag="bullish divergence")
        elif self.divergence.value < 0 and self.can_short:
            self.target(-0.90, tag="bearish divergence")
