"""Caught by parameters: its own range allows a period of nought, by which it divides."""

import lanner as ln


class ZeroPeriod(ln.Strategy):
    every = ln.Param(12, 0, 48)

    def on_bar(self, bar):
        hour = bar.ts_event // 3_600_000_000_000
        if hour % self.every == 0:
            self.target(0.0 if self.position.is_long else 0.9)
