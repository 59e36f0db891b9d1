"""Good: breaks out of the channel of the bars before."""

import lanner as ln


class Donchian(ln.Strategy):
    def on_start(self):
        self.channel = self.bars().donchian(20)

    def on_bar(self, bar):
        if bar.close > self.channel.upper.prev:
            self.target(0.9, stop="2%")
        elif bar.close < self.channel.lower.prev:
            self.target(0)
