"""Good: moves a resting order after the price."""

import lanner as ln


class Amends(ln.Strategy):
    def on_start(self):
        self.bars()
        self.resting = None
        self.held = 0

    def on_bar(self, bar):
        if self.position.is_long:
            self.held += 1
            if self.held >= 8:
                self.close()
                self.held = 0
        elif self.resting is None or self.resting.is_final:
            self.resting = self.buy(0.05, bar.close * 0.996)
        elif bar.ts_event // 3_600_000_000_000 % 3 == 0:
            self.amend(self.resting, px=bar.close * 0.997)
