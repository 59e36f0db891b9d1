"""Good: a signal function."""

import lanner as ln


@ln.signal("1h")
def average(bars, fast=5, slow=20):
    """Be long while the fast average is above the slow one."""
    return bars.close.sma(fast) > bars.close.sma(slow)
