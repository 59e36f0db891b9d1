"""Caught by equality: waits for a price to be exactly equal to another."""

import lanner as ln


class Exact(ln.Strategy):
    def on_start(self):
        self.level = 40_000.0
        self.average = self.bars().sma(10)

    def on_bar(self, bar):
        if bar.close == self.level:
            self.target(0)
        elif bar.close > self.average.value:
            self.target(0.9)
        else:
            self.target(0)
