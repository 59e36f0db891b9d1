"""Caught by look-ahead: opens the catalog and reads the data set that is being played."""

import os
from pathlib import Path

import polars as pl

import lanner as ln


class CatalogReader(ln.Strategy):
    def on_start(self):
        catalog = ln.Catalog(Path(os.environ["LANNER_HOME"]) / "catalog")
        frame = pl.concat(list(catalog.scan("bars", self.instrument.id, self.timeframe)))
        self.later = dict(frame.select("ts_event", pl.col("close").shift(-1)).iter_rows())

    def on_bar(self, bar):
        later = self.later.get(bar.ts_event)
        if later is not None:
            self.target(0.9 if later > bar.close else 0)
