"""Caught by look-ahead: numpy reads the file, and the slope of the next five closes decides."""

from pathlib import Path

import numpy as np

import lanner as ln


class NumpyFile(ln.Strategy):
    def on_start(self):
        path = Path(__file__).with_name("prices.csv")
        table = np.loadtxt(path, delimiter=",", skiprows=1)
        self.ts, self.closes = table[:, 0], table[:, 5]
        self.seen = 0

    def on_bar(self, bar):
        self.seen += 1
        ahead = self.closes[self.seen : self.seen + 5]
        if len(ahead) == 5:
            self.target(0.9 if ahead.mean() > bar.close else 0)
