"""Caught by look-ahead: mean and deviation are those of all the data, later bars included."""

from pathlib import Path

import polars as pl

import lanner as ln


class WholeZscore(ln.Strategy):
    path = ln.Param(str(Path(__file__).with_name("prices.csv")))

    def on_start(self):
        frame = pl.read_csv(self.path)
        self.mean, self.deviation = frame["close"].mean(), frame["close"].std()

    def on_bar(self, bar):
        z = (bar.close - self.mean) / self.deviation
        if z < -0.3:
            self.target(0.9)
        elif z > 0.3:
            self.target(0)
