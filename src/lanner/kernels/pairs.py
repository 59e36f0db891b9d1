"""Two series seen together; the twins are in ``lanner.indicators.pairs``."""

from __future__ import annotations

import math

import numpy as np

from lanner.kernels.history import BLOCK, Array, slide, take
from lanner.kernels.jit import kernel

SUMS = 14
"""Where the buffers begin; before them stand period, room, count, countdown, two centres, five sums, two peaks."""


def pair_state(period: int) -> Array:
    """Return a fresh state."""
    state = np.zeros(SUMS + 2 * (period + BLOCK))
    state[0] = period
    return state


@kernel
def correlation(state: Array, x: Array, y: Array, out: Array) -> None:
    """Give the correlation of the last pairs."""
    _run(state, x, y, out, True)


@kernel
def beta(state: Array, x: Array, y: Array, out: Array) -> None:
    """Give the slope of the first series on the second over the last pairs."""
    _run(state, x, y, out, False)


@kernel
def _run(state: Array, x: Array, y: Array, out: Array, scaled: bool) -> None:
    n = int(state[0])
    xs, ys = state[SUMS : SUMS + n + BLOCK], state[SUMS + n + BLOCK :]
    for begin in range(0, x.size, BLOCK):
        values = x[begin : begin + BLOCK]
        take(xs, n, values)
        take(ys, n, y[begin : begin + BLOCK])
        _block(state, xs, ys, out[begin : begin + BLOCK], scaled)
        slide(xs, n, values.size)
        slide(ys, n, values.size)


@kernel
def _block(state: Array, xs: Array, ys: Array, out: Array, scaled: bool) -> None:
    n = int(state[0])
    seen, left = int(state[2]), int(state[3])
    new_xs, new_ys = xs[n:], ys[n:]
    for index in range(out.size):
        x, y = new_xs[index], new_ys[index]
        if x - x != 0.0 or y - y != 0.0:
            seen = left = 0
            out[index] = math.nan
            continue
        if left == 0:
            seen = min(seen + 1, n)
            if seen < n:
                out[index] = math.nan
                continue
            _recentre(state, xs[index + 1 : index + n + 1], ys[index + 1 : index + n + 1])
            left = n
            out[index] = _value(state, n, scaled)
        else:
            _replace(state, x, y, xs[index], ys[index])
            left -= 1
            if _few_digits(state, n):
                _recentre(state, xs[index + 1 : index + n + 1], ys[index + 1 : index + n + 1])
                left = n
            out[index] = _value(state, n, scaled)
    state[2], state[3] = seen, left


@kernel
def _replace(state: Array, x: Array, y: Array, first_x: float, first_y: float) -> None:
    old_x, old_y = first_x - state[4], first_y - state[5]
    new_x, new_y = x - state[4], y - state[5]
    state[6] += new_x - old_x
    state[7] += new_y - old_y
    state[8] += new_x * new_x - old_x * old_x
    state[9] += new_y * new_y - old_y * old_y
    state[10] += new_x * new_y - old_x * old_y
    if state[8] > state[11]:
        state[11] = state[8]
    if state[9] > state[12]:
        state[12] = state[9]


@kernel
def _few_digits(state: Array, n: int) -> bool:
    offset_x, offset_y = state[6] / n, state[7] / n
    spread_x, spread_y = state[8] / n, state[9] / n
    few: bool = (
        spread_x - offset_x * offset_x <= 1e-9 * spread_x
        or spread_y - offset_y * offset_y <= 1e-9 * spread_y
        or state[8] <= 1e-9 * state[11]
        or state[9] <= 1e-9 * state[12]
    )
    return few


@kernel
def _recentre(state: Array, xs: Array, ys: Array) -> None:
    x, y = xs[xs.size - 1], ys[ys.size - 1]
    sum_x = sum_y = sum_xx = sum_yy = sum_xy = 0.0
    for index in range(xs.size):
        far_x, far_y = xs[index] - x, ys[index] - y
        sum_x += far_x
        sum_y += far_y
        sum_xx += far_x * far_x
        sum_yy += far_y * far_y
        sum_xy += far_x * far_y
    state[4], state[5], state[6], state[7] = x, y, sum_x, sum_y
    state[8], state[9], state[10] = sum_xx, sum_yy, sum_xy
    state[11], state[12] = sum_xx, sum_yy


@kernel
def _value(state: Array, n: int, scaled: bool) -> float:
    offset_x, offset_y = state[6] / n, state[7] / n
    variance_x = state[8] / n - offset_x * offset_x
    variance_y = state[9] / n - offset_y * offset_y
    covariance = state[10] / n - offset_x * offset_y
    if not scaled:
        return covariance / variance_y if variance_y > 0.0 else 0.0
    if variance_x > 0.0 and variance_y > 0.0:
        value = covariance / (math.sqrt(variance_x) * math.sqrt(variance_y))
        return 1.0 if value > 1.0 else -1.0 if value < -1.0 else value
    return 0.0
