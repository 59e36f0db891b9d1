"""Good: reacts to its own fills."""

import lanner as ln


class OnFills(ln.Strategy):
    def on_start(self):
        self.bars()
        self.entries = 0

    def on_bar(self, bar):
        if bar.ts_event // 3_600_000_000_000 % 5 == 0 and not self.position.is_long:
            self.buy(0.05)

    def on_fill(self, fill):
        if self.position.is_long:
            self.entries += 1
            self.sell(0.05, self.price() * (1.004 if self.entries % 2 else 1.008), reduce_only=True)
