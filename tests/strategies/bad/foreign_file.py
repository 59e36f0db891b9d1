"""Caught by outside: reads a list of good days from a file of unknown origin."""

from pathlib import Path

import lanner as ln


class ForeignFile(ln.Strategy):
    def on_start(self):
        path = Path(__file__)
        with open(path.with_name("prices.csv")) as lines:  # noqa: PTH123
            self.good = len(lines.readline()) % 2
        self.average = self.bars().sma(10)

    def on_bar(self, bar):
        self.target(0.9 if bar.close > self.average.value else 0)
