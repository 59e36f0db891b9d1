"""Good: rests limit orders below the price and takes them back."""

import lanner as ln


class Ladder(ln.Strategy):
    def on_start(self):
        self.bars()

    def on_bar(self, bar):
        hour = bar.ts_event // 3_600_000_000_000
        if hour % 6 == 0:
            self.cancel_all()
            if self.position.is_long:
                self.close()
            else:
                for step in (1, 2, 3):
                    self.buy(0.02, bar.close * (1 - 0.004 * step))
