"""Statistics of a moving window; the twins are in ``lanner.indicators.windows``."""

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
    take,
    window_state,
)
from lanner.kernels.jit import kernel
from lanner.kernels.moving import running_sum


def extreme_state(period: int) -> Array:
    """Return a fresh state: ``[2]`` values since the gap; three buffers for the windows, each for n and a block."""
    block = max(BLOCK, period)
    state = np.zeros(HEAD + 3 * (period + block))
    state[0], state[1] = period, block
    return state


@kernel
def highest(state: Array, x: Array, out: Array) -> None:
    """Give the highest of the last values."""
    _extreme(state, x, out, 1.0)


@kernel
def lowest(state: Array, x: Array, out: Array) -> None:
    """Give the lowest of the last values: the highest of the negated ones, negated."""
    _extreme(state, x, out, -1.0)


@kernel
def _extreme(state: Array, x: Array, out: Array, sign: float) -> None:
    n, block, seen = int(state[0]), int(state[1]), int(state[2])
    room = n + block
    buffer = state[HEAD : HEAD + room]
    one, two = state[HEAD + room : HEAD + 2 * room], state[HEAD + 2 * room :]
    for begin in range(0, x.size, block):
        values, piece = x[begin : begin + block], out[begin : begin + block]
        count = values.size
        gaps = _take_signed(buffer[n : n + count], values, sign)
        _slide_maximum(buffer[: n + count], one, two, n, piece)
        for index in range(count):
            piece[index] = piece[index] * sign + 0.0  # of the two zeros always the positive one
        if gaps > 0 or seen < n:
            for index in range(count):
                seen = min(seen + 1, n) if values[index] - values[index] == 0.0 else 0
                if seen < n:
                    piece[index] = math.nan
        slide(buffer, n, count)
    state[2] = seen


@kernel
def _take_signed(room: Array, values: Array, sign: float) -> int:
    """Copy values times the sign, gaps as what is never highest; tell how many gaps there are."""
    gaps = 0
    for index in range(values.size):
        value = values[index]
        gap = value - value != 0.0
        gaps += 1 if gap else 0
        room[index] = -math.inf if gap else value * sign
    return gaps


@kernel
def _slide_maximum(values: Array, one: Array, two: Array, n: int, out: Array) -> None:
    """Write the highest of each window of n: windows of 1, 2, 4 … values, the last two overlapping."""
    width = 1
    now, after, spare = values, one, two
    while 2 * width <= n:
        _larger(now, now[width:], after[: values.size - 2 * width + 1])
        now = after
        after, spare = spare, after
        width *= 2
    _larger(now[1:], now[1 + n - width :], out)


@kernel
def _larger(one: Array, other: Array, out: Array) -> None:
    for index in range(out.size):
        a, b = one[index], other[index]
        out[index] = a if a > b else b


def total_state(period: int) -> Array:
    """Return a fresh state of ``total``."""
    return window_state(period)


@kernel
def total(state: Array, x: Array, out: Array) -> None:
    """Add up the last values."""
    n, block = int(state[0]), int(state[1])
    buffer = state[HEAD:]
    for begin in range(0, x.size, block):
        count = min(block, x.size - begin)
        take(buffer, n, x[begin : begin + count])
        running_sum(state, buffer, out[begin : begin + count])
        slide(buffer, n, count)


def moments_state(period: int) -> Array:
    """Return a fresh state: values since the gap, steps until the centre moves, centre, sum, squares, their peak."""
    return window_state(period)


@kernel
def moments(state: Array, x: Array, mean: Array, variance: Array) -> None:
    """Write mean and variance (÷ n) of the last values."""
    n, block = int(state[0]), int(state[1])
    buffer = state[HEAD:]
    for begin in range(0, x.size, block):
        count = min(block, x.size - begin)
        take(buffer, n, x[begin : begin + count])
        _moments_of_block(state, buffer, mean[begin : begin + count], variance[begin : begin + count])
        slide(buffer, n, count)


@kernel
def _moments_of_block(state: Array, buffer: Array, mean: Array, variance: Array) -> None:
    n = int(state[0])
    seen, left = int(state[2]), int(state[3])
    centre, distances, squares, peak = state[4], state[5], state[6], state[7]
    room = buffer[n:]
    for index in range(mean.size):
        value = room[index]
        if value - value != 0.0:
            seen = left = 0
            mean[index] = variance[index] = math.nan
            continue
        if left == 0:
            seen = min(seen + 1, n)
            if seen < n:
                mean[index] = variance[index] = math.nan
                continue
            centre = value
            distances, squares = _around(buffer[index + 1 : index + n + 1], centre)
            peak = squares
            left = n
        else:
            old, new = buffer[index] - centre, value - centre
            left -= 1
            distances += new - old
            squares += new * new - old * old
            if squares > peak:
                peak = squares
        offset = distances / n
        spread = squares / n
        around = spread - offset * offset
        if around <= 1e-9 * spread or squares <= 1e-9 * peak:
            centre = value
            distances, squares = _around(buffer[index + 1 : index + n + 1], centre)
            peak = squares
            left = n
            offset = distances / n
            around = squares / n - offset * offset
            if around < 0.0:
                around = 0.0
        variance[index] = around
        mean[index] = centre + offset
    state[2], state[3] = seen, left
    state[4], state[5], state[6], state[7] = centre, distances, squares, peak


@kernel
def _around(values: Array, centre: float) -> tuple[float, float]:
    """Return the sums of distances and of squared distances to a centre."""
    distances = squares = 0.0
    for index in range(values.size):
        distance = values[index] - centre
        distances += distance
        squares += distance * distance
    return distances, squares


def deviation_state(period: int, factor: float) -> Array:
    """Return a fresh state; the variance is multiplied by ``factor``."""
    return composed_state((factor,), (moments_state(period), scratch()))


@kernel
def deviation(state: Array, x: Array, out: Array) -> None:
    """Give the root of the variance of the last values."""
    factor, mean = state[0], part(state, 1)
    for begin in range(0, x.size, BLOCK):
        piece = out[begin : begin + BLOCK]
        moments(part(state, 0), x[begin : begin + BLOCK], mean[: piece.size], piece)
        for index in range(piece.size):
            piece[index] = math.sqrt(piece[index] * factor)


def zscore_state(period: int) -> Array:
    """Return a fresh state."""
    return composed_state((), (moments_state(period), scratch()))


@kernel
def zscore(state: Array, x: Array, out: Array) -> None:
    """Give the distance to the mean of the last values in standard deviations."""
    mean = part(state, 1)
    for begin in range(0, x.size, BLOCK):
        values, piece = x[begin : begin + BLOCK], out[begin : begin + BLOCK]
        moments(part(state, 0), values, mean[: piece.size], piece)
        for index in range(piece.size):
            sigma = math.sqrt(piece[index])
            piece[index] = (values[index] - mean[index]) / sigma if sigma != 0.0 else 0.0


def bollinger_state(period: int, width: float) -> Array:
    """Return a fresh state."""
    return composed_state((width,), (moments_state(period),))


@kernel
def bollinger(state: Array, x: Array, middle: Array, upper: Array, lower: Array) -> None:
    """Give the mean of the last values and bands around it."""
    width = state[0]
    for begin in range(0, x.size, BLOCK):
        centre, above = middle[begin : begin + BLOCK], upper[begin : begin + BLOCK]
        below = lower[begin : begin + BLOCK]
        moments(part(state, 0), x[begin : begin + BLOCK], centre, above)
        for index in range(centre.size):
            band = width * math.sqrt(above[index])
            above[index] = centre[index] + band
            below[index] = centre[index] - band


def shift_state(period: int) -> Array:
    """Return a fresh state: before the first value there is NaN."""
    state = window_state(period)
    state[HEAD:] = math.nan
    return state


@kernel
def shift(state: Array, x: Array, out: Array) -> None:
    """Give the value of so many steps ago."""
    n, block = int(state[0]), int(state[1])
    buffer = state[HEAD:]
    for begin in range(0, x.size, block):
        count = min(block, x.size - begin)
        take(buffer, n, x[begin : begin + count])
        piece = out[begin : begin + count]
        for index in range(count):
            piece[index] = buffer[index]
        slide(buffer, n, count)


def roc_state(period: int) -> Array:
    """Return a fresh state: ``[2]`` values since the gap."""
    return window_state(period)


@kernel
def roc(state: Array, x: Array, out: Array) -> None:
    """Give the change in per cent against so many steps ago."""
    n, block = int(state[0]), int(state[1])
    buffer = state[HEAD:]
    seen = int(state[2])
    for begin in range(0, x.size, block):
        count = min(block, x.size - begin)
        values, piece = x[begin : begin + count], out[begin : begin + count]
        take(buffer, n, values)
        for index in range(count):
            value, old = values[index], buffer[index]
            if value - value != 0.0:
                seen = 0
                piece[index] = math.nan
            elif seen < n:
                seen += 1
                piece[index] = math.nan
            else:
                piece[index] = (value / old - 1.0) * 100.0 if old != 0.0 else 0.0
        slide(buffer, n, count)
    state[2] = seen
