"""Good: sizes its position by the range of the market."""

import lanner as ln


class VolatilitySizing(ln.Strategy):
    risk = ln.Param(0.01, 0.001, 0.05)

    def on_start(self):
        bars = self.bars()
        self.atr, self.average = bars.atr(20), bars.sma(20)

    def on_bar(self, bar):
        if bar.ts_event // 3_600_000_000_000 % 8:
            return
        weight = min(0.9, self.risk * bar.close / max(self.atr.value, 1e-9))
        self.target(weight if self.average.rising else 0)
