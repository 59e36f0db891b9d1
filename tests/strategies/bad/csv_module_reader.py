"""Caught by look-ahead: the csv module reads the file line by line; the next line decides."""

import csv
from itertools import pairwise
from pathlib import Path

import lanner as ln


class Reader(ln.Strategy):
    def on_start(self):
        with Path(__file__).with_name("prices.csv").open() as lines:
            rows = list(csv.DictReader(lines))
        self.later = {int(row["ts_event"]): float(after["close"]) for row, after in pairwise(rows)}

    def on_bar(self, bar):
        later = self.later.get(bar.ts_event)
        if later is not None:
            self.target(0.9 if later > bar.close else 0)
