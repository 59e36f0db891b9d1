"""Caught by warm-up: an average over all bars since the start: another start gives other orders for ever."""

import lanner as ln


class Expanding(ln.Strategy):
    def on_start(self):
        self.total = 0.0
        self.count = 0

    def on_bar(self, bar):
        self.total += bar.close
        self.count += 1
        self.target(0.9 if bar.close > self.total / self.count else 0)
