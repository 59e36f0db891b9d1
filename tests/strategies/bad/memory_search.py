"""Caught by look-ahead: searches the program's memory for a frame of prices."""

import gc

import polars as pl

import lanner as ln


class MemorySearch(ln.Strategy):
    def on_start(self):
        self.later = {}
        for thing in gc.get_objects():
            if type(thing) is pl.DataFrame and "ts_open" in thing.columns and thing.height:
                rows = thing.select("ts_event", pl.col("close").shift(-1))
                self.later = dict(rows.iter_rows())

    def on_bar(self, bar):
        later = self.later.get(bar.ts_event)
        if later is not None:
            self.target(0.9 if later > bar.close else 0)
