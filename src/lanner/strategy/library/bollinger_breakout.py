"""Breakout: go with a close that leaves the Bollinger bands, until it is back at the middle."""

from __future__ import annotations

from lanner.model.market import Bar
from lanner.strategy.base import Strategy
from lanner.strategy.parameters import Param


class BollingerBreakout(Strategy):
    """Enter on the first close beyond a band, leave when the price is back at the average."""

    name = "bollinger_breakout"
    description = "Enter on a close beyond a Bollinger band, leave at the middle band"
    kind = "breakout"
    timeframe = "15m"
    stop_loss = "5%"
    roi = {0: "5%", 30: "3%", 90: "1.5%"}

    period = Param(20, 5, 100, help="bars in the average")
    std = Param(2.0, 1.0, 3.0, help="width of a band in standard deviations")
    breakout_threshold = Param(0.001, 0.0, 0.05, help="how far beyond the band, as a fraction of it")
    enable_long = Param(True, help="whether to buy")
    enable_short = Param(True, help="whether to sell short, where the instrument allows it")
    use_volume_filter = Param(False, help="whether a breakout needs more volume than the bar before it")
    volume_multiplier = Param(1.5, 1.0, help="how many times that volume")

    def on_start(self) -> None:
        self.series = self.bars()
        self.bands = self.series.bollinger(self.period, self.std)
        self.can_short = self.enable_short and not self.instrument.is_spot

    def on_bar(self, bar: Bar) -> None:
        position, bands = self.position, self.bands
        if position.is_long:
            if bar.close <= bands.middle.value:
                self.close(tag="below lower" if bar.close < bands.lower.value else "middle")
        elif position.is_short:
            if bar.close >= bands.middle.value:
                self.close(tag="above upper" if bar.close > bands.upper.value else "middle")
        elif len(self.series) > 1:
            self.enter(bar, self.series[-2])

    def enter(self, bar: Bar, before: Bar) -> None:
        """Follow a close that crosses a band by more than the threshold."""
        if self.use_volume_filter and bar.volume <= self.volume_multiplier * before.volume:
            return
        upper, lower = self.bands.upper, self.bands.lower
        if bar.close > upper.value * (1 + self.breakout_threshold) and before.close <= upper.prev:
            if self.enable_long:
                self.target(0.95, tag="breakout up")
        elif (
            bar.close < lower.value * (1 - self.breakout_threshold)
            and before.close >= lower.prev
            and self.can_short
        ):
            self.target(-0.95, tag="breakout down")
