"""Markets with and without anything to find in them, and a family of moving-average crosses that searches them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FAST = (2, 3, 5, 8, 12, 16, 20)
SLOW = (10, 15, 20, 25, 30, 40, 50, 60, 80, 100)
PAIRS = tuple((fast, slow) for fast in FAST for slow in SLOW if fast < slow)
WARM_UP = max(SLOW)


def white_noise(bars: int, rng: np.random.Generator) -> Floats:
    """Return market returns of 1 % per bar that nothing foretells."""
    return rng.normal(0.0, 0.01, bars)


def trending(bars: int, rng: np.random.Generator, share: float) -> Floats:
    """Return noise with a hidden trend, an AR(1) with a half-life of 35 bars that carries `share` of the variance."""
    memory = 0.98
    shocks = rng.normal(0.0, 1.0, bars)
    hidden = np.empty(bars)
    level = rng.normal() / np.sqrt(1.0 - memory**2)
    for bar in range(bars):
        level = memory * level + shocks[bar]
        hidden[bar] = level
    hidden *= np.sqrt((1.0 - memory**2) * share)
    return np.asarray(0.01 * (hidden + np.sqrt(1.0 - share) * rng.normal(0.0, 1.0, bars)))


def cross_returns(market: Floats, *, long_only: bool = False) -> Floats:
    """Return per-bar returns, bars × pairs: long above, short or flat below, as of the close before; no costs."""
    price = np.cumsum(market)
    padded = np.concatenate(([0.0], np.cumsum(price)))
    average = {n: (padded[n:] - padded[:-n])[-(market.size - WARM_UP) :] / n for n in {*FAST, *SLOW}}
    held = np.stack([np.sign(average[fast] - average[slow]) for fast, slow in PAIRS], axis=1)
    if long_only:
        held = np.maximum(held, 0.0)
    return np.asarray(held[:-1] * market[WARM_UP + 1 :, None])
