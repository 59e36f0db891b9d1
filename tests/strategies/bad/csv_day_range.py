"""Caught by look-ahead: the high of the day is joined to its first hour."""

from pathlib import Path

import polars as pl

import lanner as ln


class DayRange(ln.Strategy):
    path = ln.Param(str(Path(__file__).with_name("prices.csv")))

    def on_start(self):
        frame = pl.read_csv(self.path)
        day = frame.with_columns((pl.col("ts_open") // 86_400_000_000_000).alias("day"))
        high = day.group_by("day").agg(pl.col("high").max())
        self.high = dict(high.iter_rows())

    def on_bar(self, bar):
        high = self.high.get(bar.ts_open // 86_400_000_000_000, 0.0)
        self.target(0.9 if bar.close < 0.99 * high else 0)
