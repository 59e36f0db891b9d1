"""Trends of whole bars; the twins are in ``lanner.indicators.trend``."""

from __future__ import annotations

import math

import numpy as np

from lanner.kernels.history import BLOCK, Array, composed_state, part, scratch
from lanner.kernels.jit import kernel
from lanner.kernels.windows import extreme_state, highest, lowest, shift, shift_state


def adx_state(period: int) -> Array:
    """Return a fresh state.

    ``[0]`` period, last high, low and close, ``[4]`` count, Wilder sums of +DM, −DM and true range, ``[8]`` the last
    DX, the sum of DX for the seed, the last ADX.
    """
    return np.array([period, math.nan, math.nan, math.nan, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, math.nan])


@kernel
def adx(
    state: Array, high: Array, low: Array, close: Array, strength: Array, plus_di: Array, minus_di: Array
) -> None:
    """Give the strength of a trend and the two directional indicators."""
    n, last_high, last_low, last_close = state[0], state[1], state[2], state[3]
    count, plus, minus, reach = state[4], state[5], state[6], state[7]
    dx, dx_sum, value = state[8], state[9], state[10]
    alpha, slow_fade = 1.0 / n, (n - 1.0) / n
    for index in range(strength.size):
        above = high[index] if high[index] > last_close else last_close
        below = low[index] if low[index] < last_close else last_close
        span = (above - below) + 0.0 * (high[index] + low[index] + last_close)
        up, down = high[index] - last_high, last_low - low[index]
        last_high, last_low, last_close = high[index], low[index], close[index]
        if (span + up + down) * 0.0 != 0.0:
            count = plus = minus = reach = dx = dx_sum = 0.0
            value = math.nan
            strength[index] = plus_di[index] = minus_di[index] = math.nan
            continue
        count += 1.0
        fade = slow_fade if count >= n else 1.0
        plus = plus * fade + (up if up > down and up > 0.0 else 0.0)
        minus = minus * fade + (down if down > up and down > 0.0 else 0.0)
        reach = reach * fade + span
        if count < n:
            strength[index] = plus_di[index] = minus_di[index] = math.nan
            continue
        plus_share = 100.0 * plus / reach if reach != 0.0 else 0.0
        minus_share = 100.0 * minus / reach if reach != 0.0 else 0.0
        plus_di[index], minus_di[index] = plus_share, minus_share
        if plus_share + minus_share != 0.0:
            dx = 100.0 * abs(plus_share - minus_share) / (plus_share + minus_share)
        if count >= 2.0 * n:
            value += alpha * (dx - value)
        else:
            dx_sum += dx
            if count == 2.0 * n - 1.0:
                value = dx_sum / n
        strength[index] = value
    state[1], state[2], state[3] = last_high, last_low, last_close
    state[4], state[5], state[6], state[7] = count, plus, minus, reach
    state[8], state[9], state[10] = dx, dx_sum, value


def parabolic_sar_state(start: float, step: float, maximum: float) -> Array:
    """Return a fresh state: the three paces, last high and low, trend, extreme, next level, present pace."""
    return np.array([start, step, maximum, math.nan, math.nan, math.nan, 0.0, 0.0, 0.0])


@kernel
def parabolic_sar(state: Array, high: Array, low: Array, level: Array, direction: Array) -> None:
    """Give the level that follows a trend, and the trend."""
    start, step, maximum = state[0], state[1], state[2]
    last_high, last_low, trend = state[3], state[4], state[5]
    extreme, following, pace = state[6], state[7], state[8]
    for index in range(level.size):
        top, bottom = high[index], low[index]
        before_high, before_low = last_high, last_low
        if (top + bottom) * 0.0 != 0.0:
            last_high = last_low = trend = math.nan
            level[index] = direction[index] = math.nan
            continue
        last_high, last_low = top, bottom
        if before_high - before_high != 0.0:
            trend = math.nan
            level[index] = direction[index] = math.nan
            continue
        if trend - trend != 0.0:
            fall = before_low - bottom
            trend = -1.0 if fall > top - before_high and fall > 0.0 else 1.0
            pace = start
            extreme = top if trend > 0.0 else bottom
            following = before_low if trend > 0.0 else before_high
            before_high, before_low = top, bottom
        if trend > 0.0:
            if bottom <= following:
                now = _at_least(extreme, before_high, top)
                pace, extreme, trend = start, bottom, -1.0
                following = _at_least(now + pace * (bottom - now), before_high, top)
            else:
                now = following
                if top > extreme:
                    extreme = top
                    pace = _faster(pace, step, maximum)
                following = _at_most(now + pace * (extreme - now), before_low, bottom)
        elif top >= following:
            now = _at_most(extreme, before_low, bottom)
            pace, extreme, trend = start, top, 1.0
            following = _at_most(now + pace * (top - now), before_low, bottom)
        else:
            now = following
            if bottom < extreme:
                extreme = bottom
                pace = _faster(pace, step, maximum)
            following = _at_least(now + pace * (extreme - now), before_high, top)
        level[index], direction[index] = now, trend
    state[3], state[4], state[5] = last_high, last_low, trend
    state[6], state[7], state[8] = extreme, following, pace


@kernel
def _at_least(value: float, one: float, other: float) -> float:
    if value < one:
        value = one
    return other if value < other else value


@kernel
def _at_most(value: float, one: float, other: float) -> float:
    if value > one:
        value = one
    return other if value > other else value


@kernel
def _faster(pace: float, step: float, maximum: float) -> float:
    pace += step
    return maximum if pace > maximum else pace


def ichimoku_state(fast: int, medium: int, slow: int, displacement: int) -> Array:
    """Return a fresh state: by how many bars the spans are displaced, bars since the gap."""
    ranges = [extreme_state(period) for period in (fast, medium, slow) for _ in range(2)]
    shifts = [shift_state(max(displacement, 1)) for _ in range(2)]
    return composed_state((displacement, 0.0), (*ranges, *shifts, scratch(), scratch()))


@kernel
def ichimoku(
    state: Array,
    high: Array,
    low: Array,
    close: Array,
    conversion: Array,
    base: Array,
    span_a: Array,
    span_b: Array,
    lagging: Array,
) -> None:
    """Give the five lines of the cloud."""
    for begin in range(0, close.size, BLOCK):
        values = close[begin : begin + BLOCK]
        count, stop = values.size, begin + values.size
        one, two = part(state, 8)[:count], part(state, 9)[:count]
        a, b = span_a[begin:stop], span_b[begin:stop]
        _middle(state, 0, high[begin:stop], low[begin:stop], two, conversion[begin:stop])
        _middle(state, 2, high[begin:stop], low[begin:stop], two, base[begin:stop])
        _middle(state, 4, high[begin:stop], low[begin:stop], one, two)
        for index in range(count):
            one[index] = (conversion[begin + index] + base[begin + index]) / 2.0
            value = values[index]
            lagging[begin + index] = value if value - value == 0.0 else math.nan
        if state[0] > 0.0:
            shift(part(state, 6), one, a)
            shift(part(state, 7), two, b)
            seen = state[1]
            for index in range(count):
                bar = begin + index
                seen = seen + 1.0 if (high[bar] + low[bar]) * 0.0 == 0.0 else 0.0
                if seen <= state[0]:
                    a[index] = b[index] = math.nan
            state[1] = seen
        else:
            for index in range(count):
                a[index], b[index] = one[index], two[index]


@kernel
def _middle(state: Array, index: int, high: Array, low: Array, room: Array, out: Array) -> None:
    """Write what lies half-way between the highest high and the lowest low."""
    highest(part(state, index), high, room)
    lowest(part(state, index + 1), low, out)
    for place in range(out.size):
        out[place] = (room[place] + out[place]) / 2.0
