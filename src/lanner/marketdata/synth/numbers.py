"""Random numbers and functions that come out the same, to the last bit, on every machine.

NumPy's ``exp`` and ``log`` may differ in the last place between processors, and the streams of its
distributions may change between releases. So only ``Generator.random`` is drawn from, and the functions
here are built from additions, multiplications, divisions and square roots, which IEEE 754 rounds
exactly. A seed therefore names one data set, whose content hash can be compared anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LN2_HI = 0.693147180369123816490
_LN2_LO = 1.90821492927058770002e-10
_LN2 = 0.6931471805599453
_SQRT_HALF = 0.7071067811865476


def stream(seed: int, *path: int) -> np.random.Generator:
    """Return the independent generator of one part of a data set, named by small numbers."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=path)))


def exp(x: Floats) -> Floats:
    """Return e to the power of each element (relative error below 1e-11, for |x| < 700)."""
    k = np.rint(x / _LN2)
    r = (x - k * _LN2_HI) - k * _LN2_LO
    total = np.ones_like(r)
    for divisor in range(10, 0, -1):
        total = 1.0 + total * r / divisor
    scaled: Floats = np.ldexp(total, k.astype(np.int32))
    return scaled


def log(x: Floats) -> Floats:
    """Return the natural logarithm of each element (absolute error below 1e-11), for x > 0."""
    mantissa, exponent = np.frexp(x)
    small = mantissa < _SQRT_HALF
    mantissa = np.where(small, mantissa * 2.0, mantissa)
    power = exponent - small
    s = (mantissa - 1.0) / (mantissa + 1.0)
    square = s * s
    series = np.zeros_like(s)
    for odd in range(13, 0, -2):
        series = series * square + 1.0 / odd
    return power * _LN2 + 2.0 * s * series


def uniform(rng: np.random.Generator, count: int) -> Floats:
    """Draw numbers from the open interval (0, 1): never 0, so a logarithm of one is finite."""
    return rng.random(count) + 2.0**-54


def normal(rng: np.random.Generator, count: int) -> Floats:
    """Draw standard normal numbers by inverting the distribution function.

    Source: M. J. Wichura, "Algorithm AS 241: The percentage points of the normal distribution", Applied
    Statistics 37 (1988), routine PPND7 (about 1 part in 10^7).
    """
    p = uniform(rng, count)
    q = p - 0.5
    centre = 0.180625 - q * q
    value: Floats = q * _ratio(
        centre,
        (3.3871327179, 50.434271938, 159.29113202, 59.109374720),
        (1.0, 17.895169469, 78.757757664, 67.187563600),
    )
    outer = np.flatnonzero(np.abs(q) > 0.425)
    if len(outer):
        near = np.minimum(p[outer], np.maximum(1.0 - p[outer], 2.0**-54))
        r = np.sqrt(-log(near))
        middle = _ratio(
            r - 1.6,
            (1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103),
            (1.0, 0.73700164250, 0.12021132975),
        )
        far = _ratio(
            r - 5.0,
            (6.6579051150, 3.0812263860, 0.42868294337, 0.017337203997),
            (1.0, 0.24197894225, 0.012258202635),
        )
        tail = np.where(r <= 5.0, middle, far)
        value[outer] = np.where(q[outer] < 0.0, -tail, tail)
    return value


def interpolate(x: Floats, grid: Floats) -> Floats:
    """Return values between equally spaced points: ``x`` counts in steps, from 0 to ``len(grid) - 1``."""
    left = np.minimum(x.astype(np.int64), len(grid) - 2)
    share = x - left
    between: Floats = grid[left] * (1.0 - share) + grid[left + 1] * share
    return between


def _ratio(x: Floats, above: tuple[float, ...], below: tuple[float, ...]) -> Floats:
    return _polynomial(x, above) / _polynomial(x, below)


def _polynomial(x: Floats, coefficients: tuple[float, ...]) -> Floats:
    total = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total
