"""Caught by determinism: uses the number of the process as a seed."""

import os

import lanner as ln


class ProcessId(ln.Strategy):
    def on_start(self):
        self.shift = os.getpid() * 2_654_435_761 % 101

    def on_bar(self, bar):
        hour = bar.ts_event // 3_600_000_000_000
        self.target(0.9 if (hour * 37 + self.shift * hour) % 101 < 40 else 0)
