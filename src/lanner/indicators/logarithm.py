"""A natural logarithm that gives the same bits everywhere.

``math.log`` belongs to the C library, numpy's and a compiler's vectorised ones are others again, and they differ in
the last bit. This one is made of multiplications, additions and one division only, so the streaming form, the
kernels and every platform agree. It is within 2 units in the last place of the exact value.
"""

from __future__ import annotations

import math

SQRT_HALF = 0.7071067811865476
LN2_HIGH = 0.6931471803691238
"""The first 32 bits of ln 2: multiplied by an exponent it is exact."""
LN2_LOW = 1.9082149292705877e-10
"""The rest."""


def log(x: float) -> float:
    """Return the natural logarithm of a finite number above 0, NaN of anything else.

    x = m · 2ᵉ with m around 1; ln m = 2 · artanh(s) = 2s + 2s³/3 + 2s⁵/5 + … with s = (m − 1) / (m + 1), |s| < 0.172.
    """
    if not 0.0 < x < math.inf:
        return math.nan
    m, e = math.frexp(x)
    if m < SQRT_HALF:
        m *= 2.0
        e -= 1
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    r = 2.0 / 21.0
    r = r * z + 2.0 / 19.0
    r = r * z + 2.0 / 17.0
    r = r * z + 2.0 / 15.0
    r = r * z + 2.0 / 13.0
    r = r * z + 2.0 / 11.0
    r = r * z + 2.0 / 9.0
    r = r * z + 2.0 / 7.0
    r = r * z + 2.0 / 5.0
    r = r * z + 2.0 / 3.0
    half = 0.5 * f * f
    # ln(1 + f) = f − (f²/2 − s · (f²/2 + z · r)): the large part f stays exact.
    rest = half - s * (half + z * r)
    return e * LN2_HIGH + (f - (rest - e * LN2_LOW))
