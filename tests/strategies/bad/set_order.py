"""Caught by determinism: goes through a set of names: its order changes from process to process."""

import lanner as ln

RULES = {"breakout", "reversal", "volume", "trend", "range", "momentum"}


class SetOrder(ln.Strategy):
    def on_start(self):
        self.average = self.bars().sma(10)
        self.rules = list(RULES)

    def on_bar(self, bar):
        rule = self.rules[(bar.ts_event // 3_600_000_000_000) % len(self.rules)]
        if rule in ("breakout", "trend"):
            self.target(0.9 if bar.close > self.average.value else 0)
