"""Caught by warm-up: its own average starts at zero and takes a week of hours to arrive."""

import lanner as ln


class OwnAverage(ln.Strategy):
    def on_start(self):
        self.average = 0.0

    def on_bar(self, bar):
        self.average += 0.03 * (bar.close - self.average)
        self.target(0.9 if bar.close > self.average else 0)
