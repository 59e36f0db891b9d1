"""Caught by state: the signal is another rule each time it is built."""

import lanner as ln

CALLS = []


@ln.signal("1h")
def two_minds(bars, n=10):
    CALLS.append(n)
    return bars.close > bars.close.sma(n + 3 * len(CALLS))
