"""Caught by activity: waits for a price that cannot be."""

import lanner as ln


class Never(ln.Strategy):
    def on_bar(self, bar):
        if bar.close > bar.high:
            self.target(0.9)
