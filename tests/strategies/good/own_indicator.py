"""Good: an indicator of its own with an honest warm-up."""

from collections import deque

import lanner as ln
from lanner.indicators.base import Indicator


class Median(Indicator):
    def __init__(self, size):
        super().__init__()
        self.warmup = size
        self.window = deque(maxlen=size)

    def update(self, x):
        self.window.append(x)
        full = len(self.window) == self.window.maxlen
        self.push(sorted(self.window)[len(self.window) // 2] if full else float("nan"))


class OwnIndicator(ln.Strategy):
    def on_start(self):
        self.median = self.bars().add(Median(15))

    def on_bar(self, bar):
        self.target(0.9 if bar.close > self.median.value else 0)
