"""Good: keeps a window of its own and waits until it is full."""

from collections import deque

import lanner as ln


class OwnWindow(ln.Strategy):
    size = ln.Param(15, 2, 60)

    def on_start(self):
        self.window = deque(maxlen=self.size)

    def on_bar(self, bar):
        self.window.append(bar.close)
        if len(self.window) == self.size:
            mean = sum(self.window) / self.size
            self.target(0.9 if bar.close > mean else 0)
