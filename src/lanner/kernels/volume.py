"""Prices weighed with volume; the twins are in ``lanner.indicators.volume``."""

from __future__ import annotations

import math

import numpy as np

from lanner.kernels.history import Array
from lanner.kernels.jit import kernel


def obv_state() -> Array:
    """Return a fresh state: last close, sum."""
    return np.array([math.nan, 0.0])


@kernel
def obv(state: Array, close: Array, volume: Array, out: Array) -> None:
    """Add the volume of bars that close higher, subtract that of bars that close lower."""
    last, total = state[0], state[1]
    for index in range(out.size):
        price, size = close[index], volume[index]
        if (price + size) * 0.0 != 0.0:
            out[index] = math.nan
            continue
        if price > last or last != last:
            total += size
        elif price < last:
            total -= size
        last = price
        out[index] = total
    state[0], state[1] = last, total


def vwap_state(length: int, offset: int) -> Array:
    """Return a fresh state: session, sum of price times volume, sum of volume; whole numbers in their own bits.

    Nanoseconds do not fit a float exactly, so three places hold int64 bits: ``[0]`` the session's length (0: one
    session), ``[1]`` its offset, ``[2]`` the number of the present one. Then ``[3]`` the sum of price · volume and
    ``[4]`` that of the volume.
    """
    state = np.zeros(5)
    state.view(np.int64)[:3] = length, offset, -1
    return state


@kernel
def vwap(
    state: Array, ts_open: Array, high: Array, low: Array, close: Array, volume: Array, out: Array
) -> None:
    """Average the typical price with volume as its weight, since the session began."""
    whole = state.view(np.int64)
    length, offset, session = whole[0], whole[1], whole[2]
    amount, total = state[3], state[4]
    for index in range(out.size):
        if length > 0:
            now = (ts_open[index] - offset) // length
            if now != session:
                session = now
                amount = total = 0.0
        size = volume[index]
        typical = (high[index] + low[index] + close[index]) / 3.0
        if (typical + size) * 0.0 != 0.0:
            out[index] = math.nan
            continue
        amount += typical * size
        total += size
        out[index] = amount / total if total != 0.0 else typical
    whole[2] = session
    state[3], state[4] = amount, total


def anchored_vwap_state(since_ns: int) -> Array:
    """Return a fresh state: the moment in its own bits, Σ price · volume, Σ volume."""
    state = np.zeros(3)
    state.view(np.int64)[0] = since_ns
    return state


@kernel
def anchored_vwap(
    state: Array, ts_open: Array, high: Array, low: Array, close: Array, volume: Array, out: Array
) -> None:
    """Average the typical price with volume as its weight, since a moment."""
    since = state.view(np.int64)[0]
    amount, total = state[1], state[2]
    for index in range(out.size):
        size = volume[index]
        typical = (high[index] + low[index] + close[index]) / 3.0
        if (typical + size) * 0.0 != 0.0 or ts_open[index] < since:
            out[index] = math.nan
            continue
        amount += typical * size
        total += size
        out[index] = amount / total if total != 0.0 else typical
    state[1], state[2] = amount, total
