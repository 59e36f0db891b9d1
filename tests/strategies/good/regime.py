"""Good: trades only while the trend is strong enough."""

import lanner as ln


class Regime(ln.Strategy):
    strength = ln.Param(20.0, 10.0, 40.0)

    def on_start(self):
        bars = self.bars()
        self.adx, self.average = bars.adx(10), bars.ema(10)

    def on_bar(self, bar):
        strong = self.adx.value > self.strength
        self.target(0.9 if strong and bar.close > self.average.value else 0)
