"""The same cross as a class: state, parameters with ranges, a stop."""

import lanner as ln


class MaCross(ln.Strategy):
    fast = ln.Param(20, 5, 50)
    slow = ln.Param(100, 20, 400)

    def on_start(self):
        bars = self.bars("1h")
        self.f, self.s = bars.sma(self.fast), bars.sma(self.slow)

    def on_bar(self, bar):
        if self.f.crossed_above(self.s):
            self.target(0.95, stop="5%")
        elif self.f.crossed_below(self.s):
            self.target(0)
