"""Caught by look-ahead: the threshold that would have earned most in the whole file is used from its first bar on."""

from itertools import pairwise
from pathlib import Path

import polars as pl

import lanner as ln


class Fitted(ln.Strategy):
    path = ln.Param(str(Path(__file__).with_name("prices.csv")))

    def on_start(self):
        frame = pl.read_csv(self.path)
        closes = frame["close"].to_list()
        moves = [after / before - 1 for before, after in pairwise(closes)]
        gains = {}
        for threshold in (-0.01, -0.005, 0.0, 0.005, 0.01):
            pairs = pairwise(moves)
            gains[threshold] = sum(after for before, after in pairs if before > threshold)
        self.threshold = max(gains, key=gains.get)
        self.last = None

    def on_bar(self, bar):
        if self.last is not None:
            self.target(0.9 if bar.close / self.last - 1 > self.threshold else 0)
        self.last = bar.close
