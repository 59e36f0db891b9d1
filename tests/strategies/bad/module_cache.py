"""Caught by state: a cache of the module keeps what an earlier run computed."""

import lanner as ln

HIGHEST = {"px": 0.0}


class ModuleCache(ln.Strategy):
    def on_bar(self, bar):
        HIGHEST["px"] = max(HIGHEST["px"], bar.high)
        self.target(0.9 if bar.close < 0.97 * HIGHEST["px"] else 0)
