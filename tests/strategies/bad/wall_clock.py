"""Caught by determinism: trades in some seconds of the machine's clock only."""

import time

import lanner as ln


class WallClock(ln.Strategy):
    def on_start(self):
        self.average = self.bars().sma(10)
        self.lucky = int(time.time() // 3600) % 2

    def on_bar(self, bar):
        above = bar.close > self.average.value
        self.target(0.9 if above == bool(self.lucky) else 0)
