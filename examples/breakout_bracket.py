"""Buy a breakout with a stop order, protect it with a bracket, and let go of orders that went stale."""

from collections import deque

import lanner as ln


class BreakoutBracket(ln.Strategy):
    """Rest a buy stop above the range of the last bars; each fill gets its own stop and target."""

    lookback = ln.Param(48, 10, 500, help="bars in the range")
    risk = ln.Param(0.01, 0.001, 0.05, help="equity lost when the stop is hit")
    stop = ln.Param(0.03, 0.005, 0.2, help="distance of the stop, a fraction of the entry")

    def on_start(self):
        self.bars("1h")
        self.highs = deque(maxlen=self.lookback)
        self.order_ = None

    def on_bar(self, bar):
        if self.order_ is not None:
            self.cancel(self.order_)
            self.order_ = None
        if len(self.highs) == self.lookback and self.position.is_flat:
            trigger = max(self.highs)
            if trigger > bar.close:
                qty = min(self.equity * self.risk / (trigger * self.stop), 0.9 * self.equity / trigger)
                self.order_ = self.buy(
                    qty,
                    stop_px=trigger,
                    stop=f"{100 * self.stop}%",
                    take=f"{200 * self.stop}%",
                    tag="breakout",
                )
        self.highs.append(bar.high)

    def on_fill(self, fill):
        if self.order_ is not None and fill.order_id == self.order_.order_id:
            self.order_ = None
