"""Good: a trend of days for entries of hours."""

import lanner as ln


class TwoTimeframes(ln.Strategy):
    def on_start(self):
        self.fast = self.bars("1h").sma(8)
        self.slow = self.bars("4h").sma(10)

    def on_bar(self, bar):
        if not self.slow.ready or not self.fast.ready or bar.series.endswith("@4h"):
            return
        if bar.close > self.slow.value and self.fast.rising:
            self.target(0.9)
        elif bar.close < self.slow.value:
            self.target(0)
