"""Good: looks at the bars that were, by negative index."""

import lanner as ln


class History(ln.Strategy):
    def on_start(self):
        self.series = self.bars("1h")

    def on_bar(self, bar):
        if len(self.series) < 4:
            return
        before = [self.series[-back].close for back in (2, 3, 4)]
        if bar.close > max(before):
            self.target(0.9)
        elif bar.close < min(before):
            self.target(0)
