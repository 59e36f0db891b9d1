"""Good: recursive averages, both sides."""

import lanner as ln


class ExponentialCross(ln.Strategy):
    def on_start(self):
        bars = self.bars()
        self.f, self.s = bars.ema(6), bars.ema(18)

    def on_bar(self, bar):
        if self.f.crossed_above(self.s):
            self.target(0.8)
        elif self.f.crossed_below(self.s):
            self.target(-0.8)
