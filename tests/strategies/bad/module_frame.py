"""Caught by look-ahead: a frame at module level is loaded once and holds all bars."""

from pathlib import Path

import polars as pl

import lanner as ln

FRAME = pl.read_csv(Path(__file__).with_name("prices.csv"))
CLOSES = FRAME["close"].to_list()
ROWS = {ts: row for row, ts in enumerate(FRAME["ts_event"].to_list())}


class ModuleFrame(ln.Strategy):
    def on_bar(self, bar):
        row = ROWS.get(bar.ts_event, len(CLOSES))
        later = CLOSES[row + 1 : row + 4]
        if later:
            self.target(0.9 if later[-1] > bar.close else 0)
