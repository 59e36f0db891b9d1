"""Caught by look-ahead: labels say whether the price rises by one per cent before it falls by one."""

from pathlib import Path

import polars as pl

import lanner as ln


class Labels(ln.Strategy):
    path = ln.Param(str(Path(__file__).with_name("prices.csv")))

    def on_start(self):
        frame = pl.read_csv(self.path)
        closes = frame["close"].to_list()
        self.up = set()
        for row, ts in enumerate(frame["ts_event"].to_list()):
            for later in closes[row:]:
                if abs(later / closes[row] - 1) > 0.01:
                    if later > closes[row]:
                        self.up.add(ts)
                    break

    def on_bar(self, bar):
        self.target(0.9 if bar.ts_event in self.up else 0)
