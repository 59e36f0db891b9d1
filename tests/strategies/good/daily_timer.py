"""Good: rebalances by a timer of the run's own clock."""

import lanner as ln


class DailyTimer(ln.Strategy):
    def on_start(self):
        self.average = self.bars().sma(24)
        self.set_timer("day", every="1d")

    def on_timer(self, timer):
        if self.average.ready:
            self.target(0.8 if self.price() > self.average.value else 0.2)
