"""Caught by determinism: chooses by where an object lies in memory."""

import lanner as ln


class Addresses(ln.Strategy):
    def on_bar(self, bar):
        self.target(0.9 if (id(bar) >> 4) % 7 < 3 else 0)
