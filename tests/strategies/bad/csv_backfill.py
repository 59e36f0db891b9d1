"""Caught by look-ahead: gaps between weekly closes are filled from behind."""

from pathlib import Path

import polars as pl

import lanner as ln


class Backfill(ln.Strategy):
    path = ln.Param(str(Path(__file__).with_name("prices.csv")))

    def on_start(self):
        frame = pl.read_csv(self.path)
        weekly = frame.with_row_index("row").with_columns(
            pl.when(pl.col("row") % 24 == 23)
            .then(pl.col("close"))
            .alias("weekly")
            .fill_null(strategy="backward")
        )
        self.weekly = dict(weekly.select("ts_event", "weekly").iter_rows())

    def on_bar(self, bar):
        close = self.weekly.get(bar.ts_event)
        if close is not None:
            self.target(0.9 if close > bar.close else 0)
