"""Caught by run: divides by a difference that is zero sooner or later."""

import lanner as ln


class Divides(ln.Strategy):
    def on_start(self):
        self.count = 0

    def on_bar(self, bar):
        self.count += 1
        if bar.close / (40 - self.count) > 0:
            self.target(0.9)
