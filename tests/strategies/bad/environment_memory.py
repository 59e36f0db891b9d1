"""Caught by state: keeps a number in the environment of the process."""

import os

import lanner as ln


class Environment(ln.Strategy):
    def on_start(self):
        self.level = float(os.environ.get("LANNER_TEST_LEVEL", "0"))
        self.highest = 0.0

    def on_bar(self, bar):
        self.highest = max(self.highest, bar.close)
        self.target(0.9 if bar.close > 0.98 * max(self.level, 1.0) else 0)
        os.environ["LANNER_TEST_LEVEL"] = str(self.highest)

    def on_stop(self):
        os.environ["LANNER_TEST_LEVEL"] = str(self.highest)
