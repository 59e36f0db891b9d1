"""Caught by determinism: stops trading when the machine is slow."""

import time

import lanner as ln


class Stopwatch(ln.Strategy):
    def on_start(self):
        self.began = time.perf_counter()
        self.average = self.bars().sma(10)

    def on_bar(self, bar):
        quick = int(time.perf_counter() * 1000) % 2
        self.target(0.9 if bar.close > self.average.value and quick else 0)
