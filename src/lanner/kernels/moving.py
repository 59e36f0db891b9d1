"""Moving averages; the twins are in ``lanner.indicators.moving``.

Runs without a gap are computed without asking: a NaN or infinity stays in the sums, so one look at the end of a run
tells whether it has to be repeated with care.
"""

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


def sma_state(period: int) -> Array:
    """Return a fresh state: ``[2]`` values since the gap, ``[3]`` steps until the sum is renewed, ``[4]`` the sum."""
    return window_state(period)


@kernel
def sma(state: Array, x: Array, out: Array) -> None:
    """Average the last values."""
    n, block = int(state[0]), int(state[1])
    buffer = state[HEAD:]
    for begin in range(0, x.size, block):
        count = min(block, x.size - begin)
        take(buffer, n, x[begin : begin + count])
        piece = out[begin : begin + count]
        running_sum(state, buffer, piece)
        for index in range(count):
            piece[index] = piece[index] / n
        slide(buffer, n, count)


@kernel
def running_sum(state: Array, buffer: Array, out: Array) -> None:
    """Write the sum of the window that ends at each value; added up afresh once per window length."""
    n = int(state[0])
    seen, left, total = int(state[2]), int(state[3]), state[4]
    index, careful = 0, 0
    while index < out.size:
        if left > 0:
            run = min(left, out.size - index)
            stop = index + run
            after = _roll(buffer[n + index : n + stop], buffer[index:stop], out[index:stop], total)
            if after - after == 0.0:
                index, left, total = stop, left - run, after
                continue
            done, total = _roll_with_care(
                buffer[n + index : n + stop], buffer[index:stop], out[index:stop], total
            )
            index += done
            left -= done
        elif seen >= n - 1 and index >= careful and index + 4 * (n + 1) <= out.size:
            if _four_windows(buffer[index:], n, out[index:]):
                index += 4 * (n + 1)
                seen = n
                total = out[index - 1]
                continue
            careful = index + 4 * (n + 1)
        value = buffer[n + index]
        if value - value != 0.0:
            seen = left = 0
            out[index] = math.nan
        else:
            seen = min(seen + 1, n)
            if seen == n:
                left = n
                total = _add_up(buffer[index + 1 : index + n + 1])
                out[index] = total
            else:
                out[index] = math.nan
        index += 1
    state[2], state[3], state[4] = seen, left, total


@kernel
def _roll(new: Array, old: Array, out: Array, total: float) -> float:
    for index in range(out.size):
        total += new[index] - old[index]
        out[index] = total
    return total


@kernel
def _roll_with_care(new: Array, old: Array, out: Array, total: float) -> tuple[int, float]:
    """Stop before the first step whose sum is not finite."""
    for index in range(out.size):
        after = total + (new[index] - old[index])
        if after - after != 0.0:
            return index, total
        total = after
        out[index] = total
    return out.size, total


@kernel
def _add_up(values: Array) -> float:
    total = 0.0
    for index in range(values.size):
        total += values[index]
    return total


@kernel
def _four_windows(buffer: Array, n: int, out: Array) -> bool:
    """Compute four renewals of the sum with the steps after each side by side: they do not depend on each other."""
    w = n + 1
    old0, old1 = buffer[1:w], buffer[w + 1 : 2 * w]
    old2, old3 = buffer[2 * w + 1 : 3 * w], buffer[3 * w + 1 : 4 * w]
    new0, new1 = buffer[w : n + w], buffer[2 * w : n + 2 * w]
    new2, new3 = buffer[3 * w : n + 3 * w], buffer[4 * w : n + 4 * w]
    out0, out1 = out[1:w], out[w + 1 : 2 * w]
    out2, out3 = out[2 * w + 1 : 3 * w], out[3 * w + 1 : 4 * w]
    a = b = c = d = 0.0
    for index in range(n):
        a += old0[index]
        b += old1[index]
        c += old2[index]
        d += old3[index]
    out[0], out[w], out[2 * w], out[3 * w] = a, b, c, d
    for index in range(n):
        a += new0[index] - old0[index]
        b += new1[index] - old1[index]
        c += new2[index] - old2[index]
        d += new3[index] - old3[index]
        out0[index], out1[index], out2[index], out3[index] = a, b, c, d
    return a - a == 0.0 and b - b == 0.0 and c - c == 0.0 and d - d == 0.0


def ema_state(period: int, alpha: float) -> Array:
    """Return a fresh state: period, alpha, last value, values collected for the seed, their sum."""
    return np.array([period, alpha, math.nan, 0.0, 0.0])


@kernel
def ema(state: Array, x: Array, out: Array) -> None:
    """Average with exponentially falling weights."""
    alpha = state[1]
    for begin in range(0, x.size, BLOCK):
        values, piece = x[begin : begin + BLOCK], out[begin : begin + BLOCK]
        _settle(state, values, piece, _decay(values, piece, alpha, state[2]))


@kernel
def _decay(x: Array, out: Array, alpha: float, last: float) -> float:
    for index in range(x.size):
        last = last + alpha * (x[index] - last)
        out[index] = last
    return last


@kernel
def _decay_with_care(state: Array, x: Array, out: Array) -> None:
    n, alpha, last, count, total = state[0], state[1], state[2], state[3], state[4]
    for index in range(x.size):
        value = x[index]
        after = last + alpha * (value - last)
        if after - after == 0.0:
            last = after
        elif value - value != 0.0:
            count = total = 0.0
            last = math.nan
        else:
            count += 1.0
            total += value
            if count == n:
                last = total / n
                count = total = 0.0
        out[index] = last
    state[2], state[3], state[4] = last, count, total


@kernel
def ema_four(
    one: Array,
    two: Array,
    three: Array,
    four: Array,
    x: Array,
    out_one: Array,
    out_two: Array,
    out_three: Array,
    out_four: Array,
) -> None:
    """Compute four averages of one series side by side: each step waits for the one before, four wait together."""
    for begin in range(0, x.size, BLOCK):
        end = begin + BLOCK
        values = x[begin:end]
        a, b, c, d = out_one[begin:end], out_two[begin:end], out_three[begin:end], out_four[begin:end]
        e, f, g, h = one[2], two[2], three[2], four[2]
        alpha, beta, gamma, delta = one[1], two[1], three[1], four[1]
        for index in range(values.size):
            value = values[index]
            e = e + alpha * (value - e)
            f = f + beta * (value - f)
            g = g + gamma * (value - g)
            h = h + delta * (value - h)
            a[index], b[index], c[index], d[index] = e, f, g, h
        _settle(one, values, a, e)
        _settle(two, values, b, f)
        _settle(three, values, c, g)
        _settle(four, values, d, h)


@kernel
def _settle(state: Array, x: Array, out: Array, after: float) -> None:
    """Keep the last value of a run, or repeat the run with care."""
    if after - after == 0.0:
        state[2] = after
    else:
        _decay_with_care(state, x, out)


def wma_state(period: int) -> Array:
    """Return a fresh state: values since the gap, steps until the sums are renewed, the sum, the weighted sum."""
    return window_state(period)


@kernel
def wma(state: Array, x: Array, out: Array) -> None:
    """Average the last values with weights 1 … n."""
    n, block = int(state[0]), int(state[1])
    buffer = state[HEAD:]
    divisor = float(n * (n + 1))
    for begin in range(0, x.size, block):
        count = min(block, x.size - begin)
        take(buffer, n, x[begin : begin + count])
        piece = out[begin : begin + count]
        _weigh(state, buffer, piece)
        for index in range(count):
            piece[index] = piece[index] * 2.0 / divisor
        slide(buffer, n, count)


@kernel
def _weigh(state: Array, buffer: Array, out: Array) -> None:
    """Write the weighted sum of the window that ends at each value; added up afresh once per window length."""
    n = int(state[0])
    seen, left, total, weighted = int(state[2]), int(state[3]), state[4], state[5]
    index = 0
    while index < out.size:
        if left > 0:
            run = min(left, out.size - index)
            stop = index + run
            new, old = buffer[n + index : n + stop], buffer[index:stop]
            after, weighted_after = _roll_weights(new, old, out[index:stop], float(n), total, weighted)
            if after - after == 0.0 and weighted_after - weighted_after == 0.0:
                index, left, total, weighted = stop, left - run, after, weighted_after
                continue
            done, total, weighted = _roll_weights_with_care(
                new, old, out[index:stop], float(n), total, weighted
            )
            index += done
            left -= done
        value = buffer[n + index]
        out[index] = math.nan
        if value - value != 0.0:
            seen = left = 0
        else:
            seen = min(seen + 1, n)
            if seen == n:
                left = n
                total, weighted = _add_up_weights(buffer[index + 1 : index + n + 1])
                out[index] = weighted
        index += 1
    state[2], state[3], state[4], state[5] = seen, left, total, weighted


@kernel
def _roll_weights(
    new: Array, old: Array, out: Array, n: float, total: float, weighted: float
) -> tuple[float, float]:
    for index in range(out.size):
        weighted += n * new[index] - total
        total += new[index] - old[index]
        out[index] = weighted
    return total, weighted


@kernel
def _roll_weights_with_care(
    new: Array, old: Array, out: Array, n: float, total: float, weighted: float
) -> tuple[int, float, float]:
    """Stop before the first step whose sums are not finite."""
    for index in range(out.size):
        weighted_after = weighted + (n * new[index] - total)
        after = total + (new[index] - old[index])
        if weighted_after - weighted_after != 0.0 or after - after != 0.0:
            return index, total, weighted
        total, weighted = after, weighted_after
        out[index] = weighted
    return out.size, total, weighted


@kernel
def _add_up_weights(values: Array) -> tuple[float, float]:
    total = weighted = 0.0
    for index in range(values.size):
        total += values[index]
        weighted += (index + 1) * values[index]
    return total, weighted


def hma_state(period: int) -> Array:
    """Return a fresh state."""
    averages = (wma_state(period // 2), wma_state(period), wma_state(math.isqrt(period)))
    return composed_state((), (*averages, scratch(), scratch()))


@kernel
def hma(state: Array, x: Array, out: Array) -> None:
    """Average without much lag: a short average of twice the half-length one less the whole-length one."""
    half, whole = part(state, 3), part(state, 4)
    for begin in range(0, x.size, BLOCK):
        values, piece = x[begin : begin + BLOCK], out[begin : begin + BLOCK]
        count = values.size
        wma(part(state, 0), values, half[:count])
        wma(part(state, 1), values, whole[:count])
        for index in range(count):
            half[index] = 2.0 * half[index] - whole[index]
        wma(part(state, 2), half[:count], piece)
