"""Good: enters on strength and lets a trailing stop do the rest."""

import lanner as ln


class Trailing(ln.Strategy):
    def on_start(self):
        self.average = self.bars().sma(12)

    def on_bar(self, bar):
        if not self.position.is_long and bar.close > self.average.value > self.average.prev:
            self.target(0.9, trail="1.5%")
