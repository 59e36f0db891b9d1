"""Caught by warm-up: acts at every seventh bar counted from wherever the data begin."""

import lanner as ln


class BarCounter(ln.Strategy):
    def on_start(self):
        self.count = 0

    def on_bar(self, bar):
        self.count += 1
        if self.count % 7 == 1:
            self.target(0.9)
        elif self.count % 7 == 4:
            self.target(0)
