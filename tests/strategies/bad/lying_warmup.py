"""Caught by warm-up: an indicator with a memory of 2,000 bars says that it is warm after one."""

import lanner as ln
from lanner.indicators.base import Indicator


class Slow(Indicator):
    def __init__(self):
        super().__init__()
        self.warmup = 1
        self.level = 0.0
        self.seen = 0

    def update(self, x):
        self.seen += 1
        self.level += (x - self.level) / min(self.seen, 2000)
        self.push(self.level)


class LyingWarmup(ln.Strategy):
    def on_start(self):
        self.slow = self.bars().add(Slow())

    def on_bar(self, bar):
        self.target(0.9 if bar.close > self.slow.value else 0)
