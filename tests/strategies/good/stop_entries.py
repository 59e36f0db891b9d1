"""Good: breaks out with stop orders that wait in the market."""

import lanner as ln


class StopEntries(ln.Strategy):
    def on_start(self):
        self.channel = self.bars().donchian(12)

    def on_bar(self, bar):
        if self.position.is_long:
            if bar.close < self.channel.middle.value:
                self.close()
        elif bar.ts_event // 3_600_000_000_000 % 4 == 0:
            self.cancel_all()
            self.buy(0.1, stop_px=self.channel.upper.value * 1.0005)
