"""Good: a table of rules as a constant of the class, gone through in order."""

import lanner as ln


class SortedRules(ln.Strategy):
    rules = {"fast": 5, "middle": 10, "slow": 20}  # noqa: RUF012 - a constant

    def on_start(self):
        bars = self.bars()
        self.lines = [bars.sma(period) for _, period in sorted(self.rules.items())]

    def on_bar(self, bar):
        votes = sum(bar.close > line.value for line in self.lines)
        if votes == 3:
            self.target(0.9)
        elif votes == 0:
            self.target(0)
