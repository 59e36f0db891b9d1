"""Caught by look-ahead: a column shifted to the left is the close to come."""

from pathlib import Path

import polars as pl

import lanner as ln


class ShiftLeft(ln.Strategy):
    path = ln.Param(str(Path(__file__).with_name("prices.csv")))

    def on_start(self):
        frame = pl.read_csv(self.path)
        later = frame.with_columns(pl.col("close").shift(-1).alias("later"))
        self.later = dict(later.select("ts_event", "later").iter_rows())

    def on_bar(self, bar):
        later = self.later.get(bar.ts_event)
        if later is not None:
            self.target(0.9 if later > bar.close else 0)
