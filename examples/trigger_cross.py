"""A cross of averages on quotes as declared triggers: Python runs only when one fires."""

import lanner as ln


class TriggerCross(ln.TriggerStrategy):
    on = "quotes"
    fast = ln.Param(500, 2, help="fast average, in quotes")
    slow = ln.Param(5_000, 3, help="slow average, in quotes")

    def triggers(self, quotes):
        fast, slow = quotes.mid.ema(self.fast), quotes.mid.ema(self.slow)
        return {"up": fast.crossed_above(slow), "down": fast.crossed_below(slow), "gap": fast - slow}

    def on_trigger(self, name, quote):
        self.log(f"{name}: the averages are {self.seen['gap']:+.4f} apart")
        self.target(0.9 if name == "up" else 0.0)
