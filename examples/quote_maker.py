"""Quotes and limit orders: rest one order on each side of the mid price and follow it."""

import lanner as ln


class QuoteMaker(ln.Strategy):
    """Make a market with a fixed distance, leaning against the inventory."""

    half_spread_bps = ln.Param(3.0, 0.5, 100.0)
    size = ln.Param(0.05, 0.001, 10.0, help="base units an order")
    limit = ln.Param(0.25, 0.01, 100.0, help="largest inventory, base units")

    def on_start(self):
        self.quotes()
        self.bid = self.ask = None
        self.set_timer("requote", every="1m")

    def on_timer(self, timer):
        mid = self.price()
        if mid != mid:  # no quote yet
            return
        self.cancel_all()
        held = float(self.position.qty)
        mid *= 1 - 1e-4 * self.half_spread_bps * held / self.limit
        edge = 1e-4 * self.half_spread_bps
        if held + self.size <= self.limit:
            self.buy(self.size, mid * (1 - edge), post_only=True, tag="bid")
        if held >= self.size:
            self.sell(self.size, mid * (1 + edge), post_only=True, tag="ask")
