"""The natural logarithm of ``lanner.indicators.logarithm``, operation by operation."""

from __future__ import annotations

import math

from lanner.kernels.jit import kernel

SQRT_HALF = 0.7071067811865476
LN2_HIGH = 0.6931471803691238
LN2_LOW = 1.9082149292705877e-10


@kernel
def log(x: float) -> float:
    """Return the natural logarithm of a finite number above 0, NaN of anything else."""
    if not 0.0 < x < math.inf:
        return math.nan
    if SQRT_HALF <= x < 1.0:
        m, e = x, 0.0
    elif 1.0 <= x < 2.0 * SQRT_HALF:
        m, e = x, 0.0  # what frexp gives, doubled once because half of it is below the root
    else:
        m, exponent = math.frexp(x)
        e = float(exponent)
        if m < SQRT_HALF:
            m *= 2.0
            e -= 1.0
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
    rest = half - s * (half + z * r)
    return e * LN2_HIGH + (f - (rest - e * LN2_LOW))
