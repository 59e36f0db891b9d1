"""Good: an oscillator, long and short."""

import lanner as ln


class RsiBoth(ln.Strategy):
    def on_start(self):
        self.rsi = self.bars().rsi(9)

    def on_bar(self, bar):
        if self.rsi.crossed_above(35):
            self.target(0.7)
        elif self.rsi.crossed_below(65):
            self.target(-0.7)
