"""A moving-average cross as a rule: true is long, false is flat."""

import lanner as ln


@ln.signal("1h")
def ma_signal(bars, fast=20, slow=100):
    return bars.close.sma(fast) > bars.close.sma(slow)
