"""Good: trades by the weekday of the bar, with the standard library's calendar."""

from datetime import UTC, datetime

import lanner as ln


class Weekday(ln.Strategy):
    def on_start(self):
        self.average = self.bars().sma(10)

    def on_bar(self, bar):
        day = datetime.fromtimestamp(bar.ts_event / 1e9, UTC)
        if day.weekday() >= 5:
            self.target(0)
        elif day.hour % 6 == 0:
            self.target(0.9 if bar.close > self.average.value else 0)
