"""Good: a numpy generator with a seed of the run."""

import numpy as np

import lanner as ln


class SeededNumpy(ln.Strategy):
    def on_start(self):
        self.dice = np.random.default_rng(self.rng.next_u64())

    def on_bar(self, bar):
        if self.dice.random() < 0.08:
            self.target(0.0 if self.position.is_long else 0.9)
