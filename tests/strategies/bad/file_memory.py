"""Caught by state: writes the last price into a file and starts from it the next time."""

from pathlib import Path

import lanner as ln

NOTE = Path(__file__).with_name("memory.txt")


class FileMemory(ln.Strategy):
    def on_start(self):
        self.level = float(NOTE.read_text()) if NOTE.exists() else 0.0
        self.last = 0.0

    def on_bar(self, bar):
        self.last = bar.close
        self.target(0.9 if bar.close > self.level else 0)

    def on_stop(self):
        NOTE.write_text(str(self.last))
