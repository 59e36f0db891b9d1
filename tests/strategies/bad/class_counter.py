"""Caught by state: counts its trades in the class and stops after thirty, once and for all."""

import lanner as ln


class ClassCounter(ln.Strategy):
    entries = 0

    def on_start(self):
        bars = self.bars()
        self.fast, self.slow = bars.sma(3), bars.sma(9)

    def on_bar(self, bar):
        if self.fast.crossed_above(self.slow) and ClassCounter.entries < 30:
            ClassCounter.entries += 1
            self.target(0.9)
        elif self.fast.crossed_below(self.slow):
            self.target(0)
