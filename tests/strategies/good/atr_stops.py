"""Good: stops and targets as prices, in units of the average range."""

import lanner as ln


class AtrStops(ln.Strategy):
    def on_start(self):
        bars = self.bars()
        self.atr = bars.atr(14)
        self.average = bars.sma(20)

    def on_bar(self, bar):
        if not self.position.is_long and self.average.rising and bar.close > self.average.value:
            step = 2 * self.atr.value
            self.target(0.9, stop=round(bar.close - step, 1), take=round(bar.close + 2 * step, 1))
