"""Bars and random rules of signals, for tests that compare two ways to compute them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import lanner as ln

Array = np.ndarray[Any, np.dtype[Any]]
Make = Callable[[Any], Any]
"""Writes a part of a rule over ``bars``."""

FIELDS = ("open", "high", "low", "close", "volume")


def columns(rows: int, seed: int) -> dict[str, Array]:
    """Return bars that look like bars."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(size=rows) * 0.01))
    open_ = np.concatenate([[100.0], close[:-1]])
    return {
        "ts_open": np.arange(rows, dtype=np.int64) * 3_600_000_000_000,
        "open": open_,
        "high": np.maximum(open_, close) + rng.random(rows),
        "low": np.minimum(open_, close) - rng.random(rows),
        "close": close,
        "volume": rng.random(rows),
    }


def same_bits(one: Array, other: Array) -> bool:
    """Tell whether two columns of numbers are equal to the last bit and the sign of zero; NaN is NaN."""
    both_nan = np.isnan(one) & np.isnan(other)
    return one.shape == other.shape and bool(np.all((one.view(np.int64) == other.view(np.int64)) | both_nan))


HOLES = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e308, 100.0)


@st.composite
def odd_columns(draw: st.DrawFn) -> dict[str, Array]:
    """Draw bars with holes: NaN, infinities, zeros, repeated values."""
    rows = draw(st.integers(1, 160))
    bars = columns(rows, draw(st.integers(0, 10_000)))
    for name in FIELDS:
        for _ in range(draw(st.integers(0, 3))):
            start, length = draw(st.integers(0, rows - 1)), draw(st.sampled_from((1, 1, 3, 20)))
            bars[name][start : start + length] = draw(st.sampled_from(HOLES))
    if draw(st.booleans()):
        bars["close"] = np.round(bars["close"])
    return bars


PERIODS = st.integers(1, 12)
CONSTANTS = st.sampled_from((0, 1, -1, 2, 0.5, -0.0, 100, 99.5, 3.0, 1e300, True, False))

UNARY: tuple[Callable[[Any], Any], ...] = (
    lambda x: -x,
    abs,
    lambda x: x.sign(),
    lambda x: x.log(),
    lambda x: x.exp(),
    lambda x: x.sqrt(),
    np.log1p,
    np.tanh,
    np.floor,
    np.ceil,
    lambda x: x.prev,
    lambda x: x.clip(-1, 1),
)

BINARY: tuple[Callable[[Any, Any], Any], ...] = (
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: x / y,
    lambda x, y: x // y,
    lambda x, y: x % y,
    lambda x, y: x**y,
    lambda x, y: y - x,
    lambda x, y: y / x,
    lambda x, y: y**x,
    lambda x, y: x.maximum(y),
    lambda x, y: x.minimum(y),
    lambda x, y: np.maximum(y, x),
    lambda x, y: x.fillna(y),
)

COMPARE: tuple[Callable[[Any, Any], Any], ...] = (
    lambda x, y: x > y,
    lambda x, y: x >= y,
    lambda x, y: x < y,
    lambda x, y: x <= y,
    lambda x, y: x == y,
    lambda x, y: x != y,
    lambda x, y: x.crossed_above(y),
    lambda x, y: x.crossed_below(y),
)

JOIN: tuple[Callable[[Any, Any], Any], ...] = (
    lambda x, y: x & y,
    lambda x, y: x | y,
    lambda x, y: x ^ y,
    lambda x, y: x.until(y),
    lambda x, y: x == y,
)

OF_NUMBERS: tuple[Callable[[Any, int], Any], ...] = (
    lambda x, n: x.sma(n),
    lambda x, n: x.ema(n),
    lambda x, n: x.rma(n),
    lambda x, n: x.wma(n),
    lambda x, n: x.rsi(n),
    lambda x, n: x.macd(n, n + 3, 4).macd,
    lambda x, n: x.macd(n, n + 3, 4).signal,
    lambda x, n: x.macd(n, n + 3, 4).hist,
    lambda x, n: x.bollinger(n).upper,
    lambda x, n: x.bollinger(n, 1.5).lower,
    lambda x, n: x.highest(n),
    lambda x, n: x.lowest(n),
    lambda x, n: x.sum(n),
    lambda x, n: x.stddev(n),
    lambda x, n: x.stddev(n + 1, sample=True),
    lambda x, n: x.zscore(n + 1),
    lambda x, n: x.roc(n),
    lambda x, n: x.shift(n - 1),
    lambda x, n: x.diff(n),
    lambda x, n: x.pct_change(n),
    lambda x, n: x.rolling(n).mean(),
    lambda x, n: x.hma(n + 1),
    lambda x, n: x.stoch_rsi(n, n, 2, 2).d,
    lambda x, n: x.volatility(n + 1),
    lambda x, n: x.correlation(x.shift(1), n + 2),
    lambda x, n: x.beta(x.highest(2), n + 2, changes=False),
)

OF_BARS: tuple[Callable[[Any, int], Any], ...] = (
    lambda b, n: b.atr(n),
    lambda b, n: b.true_range() * n,
    lambda b, n: b.donchian(n).upper,
    lambda b, n: b.donchian(n).middle - b.donchian(n).lower,
    lambda b, n: b.stochastic(n, 2, 3).d,
    lambda b, n: b.stochastic(n, 2, 3).k,
    lambda b, n: b.williams_r(n),
    lambda b, n: b.cci(n + 1),
    lambda b, n: b.adx(n + 1).adx,
    lambda b, n: b.adx(n + 1).plus_di,
    lambda b, n: b.obv() - n,
    lambda b, n: b.vwap() - n,
    lambda b, n: b.vwap(reset_daily=True) + n,
    lambda b, n: b.keltner(n, 1.5, n).upper,
    lambda b, n: b.parabolic_sar() - n,
    lambda b, n: b.ichimoku(n, n + 2, n + 4, 3).span_b - b.ichimoku(n, n + 2, n + 4, 3),
    lambda b, n: b.session_vwap("4h", 1) - n,
    lambda b, n: b.yang_zhang(n + 1),
    lambda b, n: b.parkinson(n) / b.garman_klass(n),
)


def fields() -> st.SearchStrategy[Make]:
    """Draw a column of the bars."""
    return st.sampled_from(FIELDS).map(lambda name: lambda b: b[name])


def numbers(depth: int) -> st.SearchStrategy[Make]:
    """Draw an expression that is a number."""
    leaf = fields()
    if depth == 0:
        return leaf
    x, y, test = numbers(depth - 1), operands(depth - 1), conditions(depth - 1)
    return st.one_of(
        leaf,
        st.builds(lambda f, p: lambda b: f(p(b)), st.sampled_from(UNARY), x),
        st.builds(lambda f, p, q: lambda b: f(p(b), q(b)), st.sampled_from(BINARY), x, y),
        st.builds(lambda f, p, n: lambda b: f(p(b), n), st.sampled_from(OF_NUMBERS), x, PERIODS),
        st.builds(lambda f, n: lambda b: f(b, n), st.sampled_from(OF_BARS), PERIODS),
        st.builds(lambda t, p, q: lambda b: ln.where(t(b), p(b), q(b)), test, y, y),
        st.builds(lambda f, t, q: lambda b: f(t(b), q(b)), st.sampled_from(BINARY[:-1]), test, y),
        st.builds(lambda f, t, n: lambda b: f(t(b), n), st.sampled_from(OF_NUMBERS[:-1]), test, PERIODS),
        st.builds(lambda f, t: lambda b: f(t(b)), st.sampled_from(UNARY[:-2]), test),
    )


def operands(depth: int) -> st.SearchStrategy[Make]:
    """Draw what may stand beside an expression: another one, a condition, or a constant."""
    fixed = CONSTANTS.map(lambda value: lambda b: value)
    return st.one_of(numbers(depth), fixed, conditions(depth)) if depth else st.one_of(fields(), fixed)


def conditions(depth: int) -> st.SearchStrategy[Make]:
    """Draw an expression that is true or false."""
    plain = st.builds(
        lambda f, p, q: lambda b: f(p(b), q(b)), st.sampled_from(COMPARE), fields(), operands(0)
    )
    if depth == 0:
        return plain
    x, test = numbers(depth - 1), conditions(depth - 1)
    return st.one_of(
        plain,
        st.builds(lambda f, p, q: lambda b: f(p(b), q(b)), st.sampled_from(COMPARE), x, operands(depth - 1)),
        st.builds(lambda f, p, q: lambda b: f(p(b), q(b)), st.sampled_from(JOIN), test, test),
        st.builds(lambda t: lambda b: ~t(b), test),
        st.builds(lambda t, n: lambda b: t(b).shift(n), test, PERIODS),
        st.builds(lambda p: lambda b: p(b).isnan(), x),
        st.builds(lambda p: lambda b: p(b).rising, x),
        st.builds(lambda t, p, q: lambda b: ln.where(t(b), p(b), q(b)), test, test, test),
    )
