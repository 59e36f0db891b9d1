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
    centre_x, centre_y = state[4], state[5]
    sum_x, sum_y, sum_xx, sum_yy, sum_xy = state[6], state[7], state[8], state[9], state[10]
    peak_x, peak_y = state[11], state[12]
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
            few = True
        else:
            left -= 1
            old_x, old_y = xs[index] - centre_x, ys[index] - centre_y
            far_x, far_y = x - centre_x, y - centre_y
            sum_x += far_x - old_x
            sum_y += far_y - old_y
            sum_xx += far_x * far_x - old_x * old_x
            sum_yy += far_y * far_y - old_y * old_y
            sum_xy += far_x * far_y - old_x * old_y
            peak_x = sum_xx if sum_xx > peak_x else peak_x
            peak_y = sum_yy if sum_yy > peak_y else peak_y
            offset_x, offset_y = sum_x / n, sum_y / n
            spread_x, spread_y = sum_xx / n, sum_yy / n
            few = (
                spread_x - offset_x * offset_x <= 1e-9 * spread_x
                or spread_y - offset_y * offset_y <= 1e-9 * spread_y
                or sum_xx <= 1e-9 * peak_x
                or sum_yy <= 1e-9 * peak_y
            )
        if few:
            centre_x, centre_y, left = x, y, n
            sum_x, sum_y, sum_xx, sum_yy, sum_xy = _around(
                xs[index + 1 : index + n + 1], ys[index + 1 : index + n + 1]
            )
            peak_x, peak_y = sum_xx, sum_yy
        out[index] = _value(n, sum_x, sum_y, sum_xx, sum_yy, sum_xy, scaled)
    state[2], state[3], state[4], state[5] = seen, left, centre_x, centre_y
    state[6], state[7], state[8], state[9], state[10] = sum_x, sum_y, sum_xx, sum_yy, sum_xy
    state[11], state[12] = peak_x, peak_y


@kernel
def _around(xs: Array, ys: Array) -> tuple[float, float, float, float, float]:
    """Return the sums of distances to the newest pair, of their squares and of their products."""
    x, y = xs[xs.size - 1], ys[ys.size - 1]
    sum_x = sum_y = sum_xx = sum_yy = sum_xy = 0.0
    for index in range(xs.size):
        far_x, far_y = xs[index] - x, ys[index] - y
        sum_x += far_x
        sum_y += far_y
        sum_xx += far_x * far_x
        sum_yy += far_y * far_y
        sum_xy += far_x * far_y
    return sum_x, sum_y, sum_xx, sum_yy, sum_xy


@kernel
def _value(
    n: int, sum_x: float, sum_y: float, sum_xx: float, sum_yy: float, sum_xy: float, scaled: bool
) -> float:
    offset_x, offset_y = sum_x / n, sum_y / n
    variance_x = sum_xx / n - offset_x * offset_x
    variance_y = sum_yy / n - offset_y * offset_y
    covariance = sum_xy / n - offset_x * offset_y
    if not scaled:
        return covariance / variance_y if variance_y > 0.0 else 0.0
    if variance_x > 0.0 and variance_y > 0.0:
        value = covariance / (math.sqrt(variance_x) * math.sqrt(variance_y))
        return 1.0 if value > 1.0 else -1.0 if value < -1.0 else value
    return 0.0
