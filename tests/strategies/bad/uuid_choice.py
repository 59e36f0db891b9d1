"""Caught by determinism: chooses by a fresh UUID."""

import uuid

import lanner as ln


class Uuid(ln.Strategy):
    def on_bar(self, bar):
        if uuid.uuid4().int % 11 == 0:
            self.target(0.0 if self.position.is_long else 0.9)
