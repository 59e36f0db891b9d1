"""Caught by look-ahead: takes its profit exactly where the next ten bars have their high."""

from pathlib import Path

import polars as pl

import lanner as ln


class BestExit(ln.Strategy):
    path = ln.Param(str(Path(__file__).with_name("prices.csv")))

    def on_start(self):
        frame = pl.read_csv(self.path)
        highs = frame["high"].to_list()
        self.best = {
            ts: max(highs[row + 1 : row + 11], default=0.0)
            for row, ts in enumerate(frame["ts_event"].to_list())
        }
        self.count = 0

    def on_bar(self, bar):
        self.count += 1
        best = self.best.get(bar.ts_event, 0.0)
        if self.count % 12 == 0 and best > bar.close * 1.001:
            self.target(0.9, take=round(best, 1))
        elif self.count % 12 == 11:
            self.target(0)
