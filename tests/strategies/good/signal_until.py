"""Good: a signal with an entry and an exit rule, and a stop."""

import lanner as ln


@ln.signal("1h", stop="3%")
def rsi_until(bars, n=7):
    """Enter oversold, leave overbought."""
    rsi = bars.rsi(n)
    return (rsi < 35).until(rsi > 60)
