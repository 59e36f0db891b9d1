"""Good: two exits joined, whichever comes first."""

import lanner as ln


class Joined(ln.Strategy):
    def on_start(self):
        self.average = self.bars().sma(10)

    def on_bar(self, bar):
        if self.average.rising and not self.position.is_long and not self.open_orders:
            self.buy(0.1, stop="1.5%", take="2.5%")
