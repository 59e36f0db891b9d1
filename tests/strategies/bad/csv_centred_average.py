"""Caught by look-ahead: a centred moving average knows the second half of its window in advance."""

from pathlib import Path

import polars as pl

import lanner as ln


class Centred(ln.Strategy):
    path = ln.Param(str(Path(__file__).with_name("prices.csv")))

    def on_start(self):
        frame = pl.read_csv(self.path)
        smooth = frame.with_columns(pl.col("close").rolling_mean(21, center=True).alias("smooth"))
        self.smooth = dict(smooth.select("ts_event", "smooth").iter_rows())

    def on_bar(self, bar):
        smooth = self.smooth.get(bar.ts_event)
        if smooth is not None:
            self.target(0.9 if bar.close < smooth else 0)
