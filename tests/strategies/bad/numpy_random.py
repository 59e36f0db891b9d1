"""Caught by determinism: draws from a generator that is seeded by the operating system."""

import numpy as np

import lanner as ln


class NumpyCoin(ln.Strategy):
    def on_start(self):
        self.dice = np.random.default_rng()

    def on_bar(self, bar):
        if self.dice.random() < 0.1:
            self.target(0.0 if self.position.is_long else 0.9)
