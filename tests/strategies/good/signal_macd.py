"""Good: a signal of lines of an indicator."""

import lanner as ln


@ln.signal("1h", stop="4%", take="6%")
def macd_turn(bars, fast=8, slow=17):
    """Be long while the histogram is positive and rising volume agrees."""
    hist = bars.macd(fast, slow, 6).hist
    return (hist > 0) & (bars.volume > 0.5 * bars.volume.sma(10))
