"""Good: adds to what wins, up to three times."""

import lanner as ln


class Pyramids(ln.Strategy):
    def on_start(self):
        self.average = self.bars().sma(10)
        self.steps = 0

    def on_bar(self, bar):
        if bar.close < self.average.value:
            self.steps = 0
            self.target(0)
        elif self.average.rising and self.steps < 3:
            self.steps += 1
            self.target(0.3 * self.steps)
