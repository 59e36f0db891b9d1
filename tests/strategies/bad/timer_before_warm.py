"""Caught by warm-up: a timer trades on an average that has no value yet."""

import lanner as ln


class TimerTooEarly(ln.Strategy):
    def on_start(self):
        self.average = self.bars().sma(100)
        self.set_timer("tick", every="1d")

    def on_timer(self, timer):
        if self.price() > 0:
            self.target(0.0 if self.price() < self.average.value or self.position.is_long else 0.9)
