"""Estimators of volatility: the standard deviation of relative price changes.

All of them give √(variance of one bar · ``per_year``). With ``per_year`` 1, the default, that is the volatility of one
bar; with the number of bars in a year it is annualised. Crypto trades always: 8,760 for hours, 365 for days. Values
are fractions: 0.5 is 50 %. Logarithms are those of ``lanner.indicators.logarithm``.
"""

from __future__ import annotations

from math import sqrt

from lanner.indicators.base import NAN, BarIndicator, BarLike, Indicator, check_period, check_positive
from lanner.indicators.logarithm import log
from lanner.indicators.windows import Moments, Sum

LN2 = log(2.0)


class Volatility(Indicator):
    """Standard deviation (of the sample, ÷ n − 1) of the last n logarithmic changes; first value at input n + 1."""

    __slots__ = ("_changes", "_last", "factor", "period", "warmup")

    def __init__(self, period: int = 20, per_year: float = 1.0) -> None:
        super().__init__()
        self.period = check_period("volatility", period, 2)
        self.factor = period / (period - 1) * check_positive("volatility", "per_year", per_year)
        self._changes = Moments("volatility", period)
        self._last = NAN
        self.warmup = period + 1

    def update(self, x: float) -> None:
        """Take the next value."""
        self.prev = self.value
        last = self._last
        self._last = x if x - x == 0.0 else NAN
        self._changes.advance(log_ratio(x, last))
        self.value = sqrt(self._changes.variance * self.factor)


class _RangeVolatility(BarIndicator):
    """Take the root of the average of a term per bar."""

    __slots__ = ("_terms", "factor", "period", "warmup")

    def __init__(self, name: str, period: int, per_year: float) -> None:
        super().__init__()
        self.period = self.warmup = check_period(name, period)
        self.factor = check_positive(name, "per_year", per_year) / period
        self._terms = Sum(period)

    def _add(self, term: float) -> None:
        terms = self._terms
        terms.update(term)
        self.prev = self.value
        self.value = _root(terms.value * self.factor)


class Parkinson(_RangeVolatility):
    """Volatility from highs and lows: the mean of ln(high / low)² / (4 ln 2) (Parkinson 1980); first value at bar n."""

    __slots__ = ()
    fields = ("high", "low")

    def __init__(self, period: int = 20, per_year: float = 1.0) -> None:
        super().__init__("parkinson", period, per_year)
        self.factor /= 4.0 * LN2

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        reach = log_ratio(bar.high, bar.low)
        self._add(reach * reach)


class GarmanKlass(_RangeVolatility):
    """Volatility from all four prices: the mean of ½ ln(high / low)² − (2 ln 2 − 1) ln(close / open)².

    (Garman and Klass 1980.) First value at bar n.
    """

    __slots__ = ()
    fields = ("open", "high", "low", "close")

    def __init__(self, period: int = 20, per_year: float = 1.0) -> None:
        super().__init__("garman_klass", period, per_year)

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        reach = log_ratio(bar.high, bar.low)
        change = log_ratio(bar.close, bar.open)
        self._add(0.5 * (reach * reach) - (2.0 * LN2 - 1.0) * (change * change))


class YangZhang(BarIndicator):
    """Volatility that counts jumps between bars and is not misled by a trend (Yang and Zhang 2000).

    Variance of ln(open / previous close) + k · variance of ln(close / open) + (1 − k) · mean of
    ln(high / close) · ln(high / open) + ln(low / close) · ln(low / open), with variances of the sample and
    k = 0.34 / (1.34 + (n + 1) / (n − 1)). First value at bar n + 1.
    """

    __slots__ = ("_close", "_jumps", "_moves", "_terms", "per_year", "period", "share", "warmup")
    fields = ("open", "high", "low", "close")

    def __init__(self, period: int = 20, per_year: float = 1.0) -> None:
        super().__init__()
        self.period = check_period("yang_zhang", period, 2)
        self.per_year = check_positive("yang_zhang", "per_year", per_year)
        self.share = 0.34 / (1.34 + (period + 1) / (period - 1))
        self._jumps = Moments("yang_zhang", period)
        self._moves = Moments("yang_zhang", period)
        self._terms = Sum(period)
        self._close = NAN
        self.warmup = period + 1

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        self.prev = self.value
        first, close, last = bar.open, bar.close, self._close
        self._close = close if close - close == 0.0 else NAN
        jump = log_ratio(first, last)
        move = log_ratio(close, first)
        above = log_ratio(bar.high, close) * log_ratio(bar.high, first)
        below = log_ratio(bar.low, close) * log_ratio(bar.low, first)
        self._jumps.advance(jump)
        self._moves.advance(move + 0.0 * jump)
        self._terms.update(above + below + 0.0 * jump)
        spread = self.period / (self.period - 1)
        jumps, moves = self._jumps.variance * spread, self._moves.variance * spread
        mean = self._terms.value / self.period
        self.value = _root((jumps + self.share * moves + (1.0 - self.share) * mean) * self.per_year)


def log_ratio(a: float, b: float) -> float:
    """Return ln(a / b) of two prices, NaN where one is not above zero."""
    return log(a / b) if a > 0.0 and b > 0.0 else NAN


def _root(value: float) -> float:
    """Return the square root; what rounding pushed below zero counts as zero."""
    return 0.0 if value < 0.0 else sqrt(value)
