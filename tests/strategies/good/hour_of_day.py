"""Good: trades by the hour of the bar."""

import lanner as ln


class HourOfDay(ln.Strategy):
    first = ln.Param(8, 0, 11)
    last = ln.Param(16, 12, 23)

    def on_bar(self, bar):
        hour = bar.ts_event // 3_600_000_000_000 % 24
        if hour == self.first:
            self.target(0.9)
        elif hour == self.last:
            self.target(0)
