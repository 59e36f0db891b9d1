"""Caught by determinism: throws a coin that nobody seeded."""

import random

import lanner as ln


class Coin(ln.Strategy):
    def on_bar(self, bar):
        if random.random() < 0.1:
            self.target(0.0 if self.position.is_long else 0.9)
