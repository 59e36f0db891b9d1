"""Good: buys when volume and price agree."""

import lanner as ln


class VolumeFilter(ln.Strategy):
    def on_start(self):
        bars = self.bars()
        self.average = bars.sma(15)
        self.volume = bars.of("volume").sma(15)

    def on_bar(self, bar):
        if bar.close > self.average.value and bar.volume > self.volume.value:
            self.target(0.9)
        elif bar.close < self.average.value:
            self.target(0)
