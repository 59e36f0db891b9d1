"""Caught by look-ahead: divides by the highest price of the whole file."""

from pathlib import Path

import polars as pl

import lanner as ln


class WholeMaximum(ln.Strategy):
    path = ln.Param(str(Path(__file__).with_name("prices.csv")))

    def on_start(self):
        frame = pl.read_csv(self.path)
        self.top = frame["high"].max()
        self.bottom = frame["low"].min()

    def on_bar(self, bar):
        place = (bar.close - self.bottom) / (self.top - self.bottom)
        if place < 0.3:
            self.target(0.9)
        elif place > 0.5:
            self.target(0)
