"""Good: computes with numpy over the bars that were."""

import numpy as np

import lanner as ln


class NumpyWindow(ln.Strategy):
    def on_start(self):
        self.series = self.bars()

    def on_bar(self, bar):
        if len(self.series) < 30:
            return
        closes = np.array([self.series[at].close for at in range(-30, 0)])
        slope = np.polyfit(np.arange(30), closes, 1)[0]
        self.target(0.9 if slope > 0 else 0)
