"""Caught by determinism: asks the calendar of today instead of the bar's."""

from datetime import UTC, datetime

import lanner as ln


class Weekday(ln.Strategy):
    def on_start(self):
        self.average = self.bars().sma(10)

    def on_bar(self, bar):
        if datetime.now(UTC).weekday() == 3:
            self.target(0.9 if bar.close > self.average.value else 0)
