"""Good: leaves by a table of profits over time."""

import lanner as ln


class RoiTable(ln.Strategy):
    stop_loss = "3%"
    roi = {0: "2%", 240: "1%", 720: "0.5%"}  # noqa: RUF012 - a constant

    def on_start(self):
        self.k = self.bars().stochastic(10, 3, 3)

    def on_bar(self, bar):
        if self.k.crossed_above(25) and not self.position.is_long:
            self.target(0.9)
