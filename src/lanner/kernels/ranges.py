"""Ranges of bars and places in them; the twins are in ``lanner.indicators.ranges``."""

from __future__ import annotations

import math

import numpy as np

from lanner.kernels.history import (
    BLOCK,
    HEAD,
    Array,
    composed_state,
    part,
    scratch,
    slide,
    window_state,
)
from lanner.kernels.jit import kernel
from lanner.kernels.momentum import place_in_range
from lanner.kernels.moving import ema, ema_state, sma, sma_state
from lanner.kernels.windows import extreme_state, highest, lowest


def true_range_state() -> Array:
    """Return a fresh state: the last close."""
    return np.array([math.nan])


@kernel
def true_range(state: Array, high: Array, low: Array, close: Array, out: Array) -> None:
    """Give the range of each bar and the close before it."""
    last = state[0]
    for index in range(out.size):
        above = high[index] if high[index] > last else last
        below = low[index] if low[index] < last else last
        out[index] = (above - below) + 0.0 * (high[index] + low[index] + last)
        last = close[index]
    state[0] = last


def atr_state(period: int) -> Array:
    """Return a fresh state: period, last close, average, true ranges collected for the seed, their sum."""
    return np.array([period, math.nan, math.nan, 0.0, 0.0])


@kernel
def atr(state: Array, high: Array, low: Array, close: Array, out: Array) -> None:
    """Give Wilder's average of the true range."""
    true_range(state[1:2], high, low, close, out)
    n, value, count, total = state[0], state[2], state[3], state[4]
    alpha = 1.0 / n
    for index in range(out.size):
        reach = out[index]
        if reach - reach != 0.0:
            count = total = 0.0
            value = math.nan
        elif count == n:
            value += alpha * (reach - value)
        else:
            count += 1.0
            total += reach
            if count == n:
                value = total / n
        out[index] = value
    state[2], state[3], state[4] = value, count, total


def donchian_state(period: int) -> Array:
    """Return a fresh state."""
    return composed_state((), (extreme_state(period), extreme_state(period)))


@kernel
def donchian(state: Array, high: Array, low: Array, middle: Array, upper: Array, lower: Array) -> None:
    """Give the channel of highs and lows."""
    highest(part(state, 0), high, upper)
    lowest(part(state, 1), low, lower)
    for index in range(middle.size):
        middle[index] = (upper[index] + lower[index]) / 2.0


def keltner_state(period: int, width: float, atr_period: int) -> Array:
    """Return a fresh state."""
    return composed_state((width,), (ema_state(period, 2.0 / (period + 1)), atr_state(atr_period)))


@kernel
def keltner(
    state: Array, high: Array, low: Array, close: Array, middle: Array, upper: Array, lower: Array
) -> None:
    """Give an average of the close and bands of the average true range around it."""
    width = state[0]
    ema(part(state, 0), close, middle)
    atr(part(state, 1), high, low, close, upper)
    for index in range(middle.size):
        band = width * upper[index]
        upper[index] = middle[index] + band
        lower[index] = middle[index] - band


def stochastic_state(period: int, smooth: int, signal: int) -> Array:
    """Return a fresh state."""
    extremes = (extreme_state(period), extreme_state(period))
    return composed_state((), (*extremes, sma_state(smooth), sma_state(signal), scratch(), scratch()))


@kernel
def stochastic(state: Array, high: Array, low: Array, close: Array, k: Array, d: Array) -> None:
    """Give the place of the close in the range of the last bars, smoothed once and twice."""
    for begin in range(0, close.size, BLOCK):
        values = close[begin : begin + BLOCK]
        stop = begin + values.size
        above, below = part(state, 4)[: values.size], part(state, 5)[: values.size]
        highest(part(state, 0), high[begin:stop], above)
        lowest(part(state, 1), low[begin:stop], below)
        place_in_range(values, above, below, above)
        sma(part(state, 2), above, k[begin:stop])
        sma(part(state, 3), k[begin:stop], d[begin:stop])


def williams_r_state(period: int) -> Array:
    """Return a fresh state."""
    return composed_state((), (extreme_state(period), extreme_state(period), scratch(), scratch()))


@kernel
def williams_r(state: Array, high: Array, low: Array, close: Array, out: Array) -> None:
    """Give the place of the close below the highest high, 0 to −100."""
    for begin in range(0, close.size, BLOCK):
        values, piece = close[begin : begin + BLOCK], out[begin : begin + BLOCK]
        stop = begin + values.size
        above, below = part(state, 2)[: values.size], part(state, 3)[: values.size]
        highest(part(state, 0), high[begin:stop], above)
        lowest(part(state, 1), low[begin:stop], below)
        for index in range(values.size):
            reach = above[index] - below[index]
            value = -50.0 if reach == 0.0 else (above[index] - values[index]) / reach * -100.0
            piece[index] = value if value - value == 0.0 else math.nan


def cci_state(period: int) -> Array:
    """Return a fresh state: ``[2]`` values since the gap."""
    return window_state(period)


@kernel
def cci(state: Array, high: Array, low: Array, close: Array, out: Array) -> None:
    """Give the distance of the typical price to its mean in mean deviations."""
    n, block = int(state[0]), int(state[1])
    buffer = state[HEAD:]
    for begin in range(0, close.size, block):
        count = min(block, close.size - begin)
        stop = begin + count
        room, piece = buffer[n : n + count], out[begin:stop]
        _typical(high[begin:stop], low[begin:stop], close[begin:stop], room)
        index = 0
        while index + 4 <= count:
            _four_distances(buffer[index + 1 :], n, piece[index : index + 4])
            index += 4
        while index < count:
            piece[index] = _distance(buffer[index + 1 : index + n + 1])
            index += 1
        seen = int(state[2])
        for index in range(count):
            seen = min(seen + 1, n) if room[index] - room[index] == 0.0 else 0
            if seen < n:
                piece[index] = math.nan
        state[2] = seen
        slide(buffer, n, count)


@kernel
def _typical(high: Array, low: Array, close: Array, out: Array) -> None:
    for index in range(out.size):
        out[index] = (high[index] + low[index] + close[index]) / 3.0


@kernel
def _distance(window: Array) -> float:
    n, last = window.size, window[window.size - 1]
    total = spread = 0.0
    for index in range(n):
        total += window[index] - last
    mean = total / n
    for index in range(n):
        spread += abs(window[index] - last - mean)
    scale = 0.015 * (spread / n)
    return -mean / scale if scale != 0.0 else 0.0


@kernel
def _four_distances(buffer: Array, n: int, out: Array) -> None:
    """Compute four windows that begin one after the other side by side."""
    w0, w1, w2, w3 = buffer[0:n], buffer[1 : n + 1], buffer[2 : n + 2], buffer[3 : n + 3]
    p0, p1, p2, p3 = buffer[n - 1], buffer[n], buffer[n + 1], buffer[n + 2]
    a = b = c = d = 0.0
    for index in range(n):
        a += w0[index] - p0
        b += w1[index] - p1
        c += w2[index] - p2
        d += w3[index] - p3
    m0, m1, m2, m3 = a / n, b / n, c / n, d / n
    a = b = c = d = 0.0
    for index in range(n):
        a += abs(w0[index] - p0 - m0)
        b += abs(w1[index] - p1 - m1)
        c += abs(w2[index] - p2 - m2)
        d += abs(w3[index] - p3 - m3)
    a, b, c, d = 0.015 * (a / n), 0.015 * (b / n), 0.015 * (c / n), 0.015 * (d / n)
    out[0] = -m0 / a if a != 0.0 else 0.0
    out[1] = -m1 / b if b != 0.0 else 0.0
    out[2] = -m2 / c if c != 0.0 else 0.0
    out[3] = -m3 / d if d != 0.0 else 0.0
