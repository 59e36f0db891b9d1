"""Caught by stability: every odd number buys what every even number sells."""

import lanner as ln


class Peak(ln.Strategy):
    lucky = ln.Param(10, 2, 40)

    def on_start(self):
        self.line = self.bars().sma(50)

    def on_bar(self, bar):
        side = 0.9 if self.lucky % 2 else -0.9
        if not self.position.is_long and not self.position.is_short:
            self.target(side)
