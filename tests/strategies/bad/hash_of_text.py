"""Caught by determinism: chooses by hash(), which is salted in every process."""

import lanner as ln


class HashOfText(ln.Strategy):
    def on_bar(self, bar):
        day = str(bar.ts_event // 86_400_000_000_000)
        self.target(0.9 if hash(day) % 3 == 0 else 0)
