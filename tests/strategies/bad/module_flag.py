"""Caught by state: a global flag flips with every run."""

import lanner as ln

LONG = True


class Flag(ln.Strategy):
    def on_start(self):
        global LONG
        LONG = not LONG
        self.average = self.bars().sma(10)
        self.side = 0.9 if LONG else -0.9

    def on_bar(self, bar):
        if bar.close > self.average.value:
            self.target(self.side)
        else:
            self.target(0)
