"""Caught by determinism: asks the operating system for random bytes."""

import os

import lanner as ln


class Entropy(ln.Strategy):
    def on_bar(self, bar):
        if os.urandom(1)[0] < 25:
            self.target(0.0 if self.position.is_long else 0.9)
