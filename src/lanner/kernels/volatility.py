"""Estimators of volatility; the twins are in ``lanner.indicators.volatility``."""

from __future__ import annotations

import math

from lanner.kernels.history import BLOCK, Array, composed_state, part, scratch
from lanner.kernels.jit import kernel
from lanner.kernels.logarithm import log
from lanner.kernels.windows import moments, moments_state, total, total_state


def volatility_state(period: int, factor: float) -> Array:
    """Return a fresh state: what the variance is multiplied by, the last value."""
    return composed_state((factor, math.nan), (moments_state(period), scratch()))


@kernel
def volatility(state: Array, x: Array, out: Array) -> None:
    """Give the deviation of logarithmic changes."""
    factor, last = state[0], state[1]
    for begin in range(0, x.size, BLOCK):
        values, piece = x[begin : begin + BLOCK], out[begin : begin + BLOCK]
        changes = part(state, 1)[: values.size]
        for index in range(values.size):
            value = values[index]
            changes[index] = log_ratio(value, last)
            last = value if value - value == 0.0 else math.nan
        # The changes are no longer needed once they are in the window, so the means may take their place.
        moments(part(state, 0), changes, changes, piece)
        for index in range(values.size):
            piece[index] = math.sqrt(piece[index] * factor)
    state[1] = last


@kernel
def log_ratio(a: float, b: float) -> float:
    """Return ln(a / b) of two prices, NaN where one is not above zero."""
    return log(a / b) if a > 0.0 and b > 0.0 else math.nan


def range_volatility_state(period: int, factor: float) -> Array:
    """Return a fresh state of an average of terms: what the sum is multiplied by."""
    return composed_state((factor,), (total_state(period), scratch()))


@kernel
def parkinson(state: Array, high: Array, low: Array, out: Array) -> None:
    """Give the volatility that highs and lows tell."""
    for begin in range(0, out.size, BLOCK):
        piece = out[begin : begin + BLOCK]
        terms = part(state, 1)[: piece.size]
        for index in range(piece.size):
            reach = log_ratio(high[begin + index], low[begin + index])
            terms[index] = reach * reach
        _average(state, terms, piece)


@kernel
def garman_klass(state: Array, first: Array, high: Array, low: Array, close: Array, out: Array) -> None:
    """Give the volatility that all four prices tell."""
    share = 2.0 * log(2.0) - 1.0
    for begin in range(0, out.size, BLOCK):
        piece = out[begin : begin + BLOCK]
        terms = part(state, 1)[: piece.size]
        for index in range(piece.size):
            bar = begin + index
            reach = log_ratio(high[bar], low[bar])
            change = log_ratio(close[bar], first[bar])
            terms[index] = 0.5 * (reach * reach) - share * (change * change)
        _average(state, terms, piece)


@kernel
def _average(state: Array, terms: Array, out: Array) -> None:
    total(part(state, 0), terms, out)
    factor = state[0]
    for index in range(out.size):
        out[index] = _root(out[index] * factor)


@kernel
def _root(value: float) -> float:
    return 0.0 if value < 0.0 else math.sqrt(value)


def yang_zhang_state(period: int, share: float, per_year: float) -> Array:
    """Return a fresh state: period, k, bars a year, the last close."""
    windows = (moments_state(period), moments_state(period), total_state(period))
    rooms = (scratch(), scratch(), scratch(), scratch())
    return composed_state((period, share, per_year, math.nan), (*windows, *rooms))


@kernel
def yang_zhang(state: Array, first: Array, high: Array, low: Array, close: Array, out: Array) -> None:
    """Give the volatility of jumps and of moves inside the bars."""
    n, share, per_year, last = state[0], state[1], state[2], state[3]
    spread = n / (n - 1.0)
    for begin in range(0, out.size, BLOCK):
        piece = out[begin : begin + BLOCK]
        count = piece.size
        jumps, moves = part(state, 3)[:count], part(state, 4)[:count]
        terms, means = part(state, 5)[:count], part(state, 6)[:count]
        for index in range(count):
            bar = begin + index
            o, h, l, c = first[bar], high[bar], low[bar], close[bar]  # noqa: E741 - as in the formula
            jump = log_ratio(o, last)
            last = c if c - c == 0.0 else math.nan
            jumps[index] = jump
            moves[index] = log_ratio(c, o) + 0.0 * jump
            above, below = log_ratio(h, c) * log_ratio(h, o), log_ratio(l, c) * log_ratio(l, o)
            terms[index] = above + below + 0.0 * jump
        moments(part(state, 0), jumps, means, jumps)
        moments(part(state, 1), moves, means, moves)
        total(part(state, 2), terms, means)
        for index in range(count):
            variance = jumps[index] * spread + share * (moves[index] * spread)
            variance += (1.0 - share) * (means[index] / n)
            piece[index] = _root(variance * per_year)
    state[3] = last
