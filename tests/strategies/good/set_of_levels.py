"""Good: a set that is only asked, never gone through."""

import lanner as ln

HOURS = {0, 6, 12, 18}


class SetOfHours(ln.Strategy):
    def on_start(self):
        self.average = self.bars().ema(10)

    def on_bar(self, bar):
        if bar.ts_event // 3_600_000_000_000 % 24 in HOURS:
            self.target(0.9 if bar.close > self.average.value else 0)
