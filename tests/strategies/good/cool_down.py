"""Good: waits some hours after each exit."""

import lanner as ln


class CoolDown(ln.Strategy):
    hours = ln.Param(6, 1, 24)

    def on_start(self):
        self.cci = self.bars().cci(14)
        self.free_from = 0

    def on_bar(self, bar):
        if self.position.is_long:
            if self.cci.value < 0:
                self.target(0)
                self.free_from = self.now + self.hours * 3_600_000_000_000
        elif self.cci.value > 50 and self.now >= self.free_from:
            self.target(0.9)
