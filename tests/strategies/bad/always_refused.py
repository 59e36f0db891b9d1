"""Caught by activity: asks for a thousand bitcoin with ten thousand dollars."""

import lanner as ln


class Refused(ln.Strategy):
    def on_bar(self, bar):
        hour = bar.ts_event // 3_600_000_000_000
        if hour % 4 == 0:
            self.buy(1000, bar.close * 0.99)
