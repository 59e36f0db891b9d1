"""Caught by determinism: sorts by the addresses of objects."""

import lanner as ln


class Addresses(ln.Strategy):
    def on_bar(self, bar):
        pieces = [object() for _ in range(8)]
        order = sorted(range(8), key=lambda at: id(pieces[at]))
        number = sum(place * at for place, at in enumerate(order)) + hash(object())
        self.target(0.9 if number % 5 == 0 else 0)
