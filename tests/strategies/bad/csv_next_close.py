"""Caught by look-ahead: buys when the next row of a price file is higher."""

from pathlib import Path

import polars as pl

import lanner as ln


class NextClose(ln.Strategy):
    path = ln.Param(str(Path(__file__).with_name("prices.csv")))

    def on_start(self):
        frame = pl.read_csv(self.path)
        self.closes = frame["close"].to_list()
        self.row = {ts: row for row, ts in enumerate(frame["ts_event"].to_list())}

    def on_bar(self, bar):
        row = self.row.get(bar.ts_event)
        if row is None or row + 1 >= len(self.closes):
            return
        self.target(0.9 if self.closes[row + 1] > bar.close else 0)
