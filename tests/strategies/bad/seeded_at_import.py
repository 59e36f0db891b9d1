"""Caught by state: seeds the global dice when the file is loaded, so only the first run is what it seems."""

import random

import lanner as ln

random.seed(7)


class SeededAtImport(ln.Strategy):
    def on_bar(self, bar):
        if random.random() < 0.1:
            self.target(0.0 if self.position.is_long else 0.9)
