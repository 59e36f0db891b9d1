"""Momentum of one series; the twins are in ``lanner.indicators.momentum``."""

from __future__ import annotations

import math

import numpy as np

from lanner.kernels.history import BLOCK, Array, composed_state, part, scratch
from lanner.kernels.jit import kernel
from lanner.kernels.moving import ema, ema_state, sma, sma_state
from lanner.kernels.windows import extreme_state, highest, lowest


def rsi_state(period: int) -> Array:
    """Return a fresh state: period, last value, average gain, average loss, changes collected for the seed."""
    return np.array([period, math.nan, 0.0, 0.0, 0.0])


@kernel
def rsi(state: Array, x: Array, out: Array) -> None:
    """Give the share of the average gain in the average gain and loss, 0 to 100."""
    n, last, gain, loss, count = state[0], state[1], state[2], state[3], state[4]
    alpha = 1.0 / n
    for index in range(x.size):
        change = x[index] - last
        last = x[index]
        if change - change != 0.0:
            gain = loss = count = 0.0
            out[index] = math.nan
            continue
        up = change if change > 0.0 else 0.0
        down = 0.0 if change > 0.0 else -change
        if count < n:
            gain += up
            loss += down
            count += 1.0
            if count < n:
                out[index] = math.nan
                continue
            gain /= n
            loss /= n
        else:
            gain += alpha * (up - gain)
            loss += alpha * (down - loss)
        moved = gain + loss
        out[index] = 100.0 * gain / moved if moved != 0.0 else 50.0
    state[1], state[2], state[3], state[4] = last, gain, loss, count


def stoch_rsi_state(period: int, stoch: int, smooth: int, signal: int) -> Array:
    """Return a fresh state."""
    ranges = (rsi_state(period), extreme_state(stoch), extreme_state(stoch))
    rooms = (scratch(), scratch(), scratch())
    return composed_state((), (*ranges, sma_state(smooth), sma_state(signal), *rooms))


@kernel
def stoch_rsi(state: Array, x: Array, k: Array, d: Array) -> None:
    """Give the place of the RSI in its own range, smoothed once and twice."""
    for begin in range(0, x.size, BLOCK):
        values = x[begin : begin + BLOCK]
        count = values.size
        strength, above, below = part(state, 5)[:count], part(state, 6)[:count], part(state, 7)[:count]
        rsi(part(state, 0), values, strength)
        highest(part(state, 1), strength, above)
        lowest(part(state, 2), strength, below)
        place_in_range(strength, above, below, above)
        sma(part(state, 3), above, k[begin : begin + count])
        sma(part(state, 4), k[begin : begin + count], d[begin : begin + count])


@kernel
def place_in_range(x: Array, high: Array, low: Array, out: Array) -> None:
    """Give where values lie between two others, 0 to 100; 50 where these are equal."""
    for index in range(x.size):
        reach = high[index] - low[index]
        out[index] = 50.0 if reach == 0.0 else (x[index] - low[index]) / reach * 100.0


def macd_state(fast: int, slow: int, signal: int) -> Array:
    """Return a fresh state: how many values the fast average waits, and how many it still has to."""
    averages = (ema_state(fast, 2.0 / (fast + 1)), ema_state(slow, 2.0 / (slow + 1)))
    return composed_state(
        (slow - fast, slow - fast), (*averages, ema_state(signal, 2.0 / (signal + 1)), scratch())
    )


@kernel
def macd(state: Array, x: Array, line: Array, signal: Array, hist: Array) -> None:
    """Give the difference of two averages, its average, and what lies between."""
    skip = state[1]
    late = part(state, 3)
    for begin in range(0, x.size, BLOCK):
        values, between = x[begin : begin + BLOCK], hist[begin : begin + BLOCK]
        count = values.size
        for index in range(count):
            value = values[index]
            if value - value != 0.0:
                skip = state[0]
                late[index] = value
            elif skip > 0.0:
                skip -= 1.0
                late[index] = math.nan  # the fast average starts so much later that both begin together
            else:
                late[index] = value
        difference, average = line[begin : begin + count], signal[begin : begin + count]
        ema(part(state, 0), late[:count], between)
        ema(part(state, 1), values, average)
        for index in range(count):
            difference[index] = between[index] - average[index]
        ema(part(state, 2), difference, average)
        for index in range(count):
            between[index] = difference[index] - average[index]
    state[1] = skip
