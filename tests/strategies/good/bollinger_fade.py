"""Good: buys below the lower band, sells at the middle."""

import lanner as ln


class Fade(ln.Strategy):
    width = ln.Param(1.5, 0.5, 3.0, step=0.1)

    def on_start(self):
        self.bands = self.bars().bollinger(20, self.width)

    def on_bar(self, bar):
        if bar.close < self.bands.lower.value:
            self.target(0.9)
        elif bar.close > self.bands.middle.value:
            self.target(0)
