"""Caught by vector: overrides the handler of a signal, so it trades other bars than the signal says."""

import lanner as ln


@ln.signal("1h")
def base(bars, fast=5, slow=20):
    return bars.close.sma(fast) > bars.close.sma(slow)


class Delayed(base):
    name = "delayed"

    def on_bar(self, bar):
        if bar.close > bar.open:
            super().on_bar(bar)


del base
