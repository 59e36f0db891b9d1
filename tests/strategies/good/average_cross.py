"""Good: long while a fast average is above a slow one."""

import lanner as ln


class AverageCross(ln.Strategy):
    fast = ln.Param(5, 2, 20)
    slow = ln.Param(25, 21, 60)

    def on_start(self):
        bars = self.bars()
        self.f, self.s = bars.sma(self.fast), bars.sma(self.slow)

    def on_bar(self, bar):
        if self.f.crossed_above(self.s):
            self.target(0.9)
        elif self.f.crossed_below(self.s):
            self.target(0)
