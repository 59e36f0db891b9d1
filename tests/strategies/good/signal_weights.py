"""Good: a signal with weights on both sides."""

import lanner as ln


@ln.signal("1h", allow_short=True)
def weights(bars, n=20, limit=1.5):
    """Lean against a stretched price."""
    z = bars.close.zscore(n)
    return ln.where(abs(z) > limit, -z / 4, 0).clip(-1, 1)
