"""Caught by parameters: one of the choices that it offers does not exist."""

import lanner as ln


class MissingChoice(ln.Strategy):
    average = ln.Param("sma", choices=("sma", "ema", "vidya"))

    def on_start(self):
        self.line = getattr(self.bars(), self.average)(20)

    def on_bar(self, bar):
        self.target(0.9 if bar.close > self.line.value else 0)
