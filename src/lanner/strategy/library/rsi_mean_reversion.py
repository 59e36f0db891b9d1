"""Mean reversion: buy what fell too far once it turns, sell what rose too far once it turns."""

from __future__ import annotations

from lanner.model.market import Bar
from lanner.strategy.base import Strategy, require
from lanner.strategy.parameters import Param


class RsiMeanReversion(Strategy):
    """Enter when the RSI turns outside its band, leave when it is back in the middle."""

    name = "rsi_mean_reversion"
    description = "Enter when the RSI turns in oversold or overbought territory, leave at the exit level"
    kind = "mean_reversion"
    timeframe = "15m"
    stop_loss = "5%"
    roi = {0: "3%", 15: "2%", 40: "1%"}

    rsi_period = Param(14, 2, 50, help="bars of the RSI")
    oversold = Param(30.0, 0.0, 50.0, help="long below it, less than 50")
    overbought = Param(70.0, 50.0, 100.0, help="short above it, more than 50")
    exit_level = Param(50.0, 0.0, 100.0, help="leave there, between oversold and overbought")
    enable_long = Param(True, help="whether to buy")
    enable_short = Param(True, help="whether to sell short, where the instrument allows it")

    def check_params(self) -> None:
        require(self.oversold < 50, "oversold is too high", "less than 50", self.oversold)
        require(self.overbought > 50, "overbought is too low", "more than 50", self.overbought)
        between = self.oversold < self.exit_level < self.overbought
        expected = f"between oversold ({self.oversold:g}) and overbought ({self.overbought:g})"
        require(between, "exit_level is out of place", expected, self.exit_level)

    def on_start(self) -> None:
        self.rsi = self.bars().rsi(self.rsi_period)
        self.can_short = self.enable_short and not self.instrument.is_spot

    def on_bar(self, bar: Bar) -> None:
        rsi, position = self.rsi, self.position
        if position.is_long:
            if rsi >= self.exit_level:
                self.close(tag="back up")
        elif position.is_short:
            if rsi <= self.exit_level:
                self.close(tag="back down")
        elif self.enable_long and rsi < self.oversold and rsi.rising:
            self.target(0.95, tag="oversold")
        elif self.can_short and rsi > self.overbought and rsi.falling:
            self.target(-0.95, tag="overbought")
