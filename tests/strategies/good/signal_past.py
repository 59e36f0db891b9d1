"""Good: a signal that looks back with shift, rolling and pct_change."""

import lanner as ln


@ln.signal("1h")
def past(bars, n=6):
    """Buy after a rise of n bars that stayed above its own low."""
    rise = bars.close.pct_change(n) > 0.002
    return rise & (bars.low > bars.low.rolling(n).min().shift(1))
