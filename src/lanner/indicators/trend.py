"""Strength, direction and turning points of a trend from whole bars."""

from __future__ import annotations

from lanner.core.errors import ConfigError
from lanner.indicators.base import NAN, BarIndicator, BarLike, Line, check_period, check_positive
from lanner.indicators.ranges import true_range
from lanner.indicators.windows import Highest, Lowest, Shift


class ADX(BarIndicator):
    """Average directional index with its two directional indicators (Wilder).

    +DM is the rise of the high where it is larger than the fall of the low (and positive), −DM the mirror image.
    ``plus_di`` and ``minus_di`` are 100 · smoothed DM / smoothed true range, with Wilder sums s ← s − s/n + new,
    seeded as TA-Lib does with the plain sum of the first n − 1 bars that have a predecessor, so their first value
    comes at bar n + 1. DX = 100 · |+DI − −DI| / (+DI + −DI); ``adx`` (the indicator itself) is its Wilder average,
    seeded with the mean of the first n, so it comes at bar 2n, which is the warm-up. Where nothing moves DX keeps
    its last value (0 at the start), as TA-Lib.
    """

    __slots__ = (
        "_alpha",
        "_close",
        "_count",
        "_dx",
        "_dx_sum",
        "_high",
        "_low",
        "_minus",
        "_plus",
        "_reach",
        "minus_di",
        "period",
        "plus_di",
        "warmup",
    )
    fields = ("high", "low", "close")
    lines = ("adx", "plus_di", "minus_di")

    def __init__(self, period: int = 14) -> None:
        super().__init__()
        self.period = check_period("adx", period, 2)
        self.warmup = 2 * period
        self._alpha = 1.0 / period
        self.plus_di = Line()
        self.minus_di = Line()
        self._high = self._low = self._close = NAN
        self._count = 0
        self._plus = self._minus = self._reach = self._dx = self._dx_sum = 0.0

    @property
    def adx(self) -> Line:
        """Return the strength line."""
        return self

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        high, low, close = bar.high, bar.low, bar.close
        reach = true_range(high, low, self._close)
        up, down = high - self._high, self._low - low
        self._high, self._low, self._close = high, low, close
        self.prev = self.value
        if (reach + up + down) * 0.0 != 0.0:
            self._restart()
            self._push(NAN, NAN)
            self.value = NAN
            return
        self._count += 1
        n, count = self.period, self._count
        fade = (n - 1) / n if count >= n else 1.0
        self._plus = self._plus * fade + (up if up > down and up > 0 else 0.0)
        self._minus = self._minus * fade + (down if down > up and down > 0 else 0.0)
        self._reach = self._reach * fade + reach
        if count >= n:
            self._measure(count)

    def _measure(self, count: int) -> None:
        """Turn the Wilder sums into the three lines."""
        n, total = self.period, self._reach
        plus, minus = (100.0 * self._plus / total, 100.0 * self._minus / total) if total else (0.0, 0.0)
        self._push(plus, minus)
        if plus + minus:
            self._dx = 100.0 * abs(plus - minus) / (plus + minus)
        if count >= 2 * n:
            self.value += self._alpha * (self._dx - self.value)
        else:
            self._dx_sum += self._dx
            if count == 2 * n - 1:
                self.value = self._dx_sum / n

    def _push(self, plus: float, minus: float) -> None:
        self.plus_di.push(plus)
        self.minus_di.push(minus)

    def _restart(self) -> None:
        self._count = 0
        self._plus = self._minus = self._reach = self._dx = self._dx_sum = 0.0


class ParabolicSAR(BarIndicator):
    """Parabolic stop and reverse (Wilder): a trailing level that speeds up with each new extreme of the trend.

    s += a · (extreme − s), held beyond the two last lows (highs); ``a`` begins at ``start``, grows by ``step`` with
    each new extreme up to ``maximum``. A bar that touches the level turns the trend; the level jumps to the extreme.
    As TA-Lib, the first trend is down where the low of bar 2 fell further than its high rose, else up; the first
    value comes at bar 2. Lines: ``sar`` (the indicator itself) and ``trend``, 1 or −1, as it is after the bar.
    """

    __slots__ = ("_extreme", "_high", "_low", "_next", "_pace", "paces", "trend")
    fields = ("high", "low")
    lines = ("sar", "trend")
    warmup = 2

    def __init__(self, start: float = 0.02, step: float = 0.02, maximum: float = 0.2) -> None:
        super().__init__()
        self.paces = (
            check_positive("parabolic_sar", "start", start),
            check_positive("parabolic_sar", "step", step),
            check_positive("parabolic_sar", "maximum", maximum),
        )
        if start > maximum:
            raise ConfigError("parabolic_sar: bad start", expected=f"at most {maximum:g}", found=start)
        self.trend = Line()
        self._high = self._low = NAN
        self._extreme = self._next = self._pace = 0.0

    @property
    def sar(self) -> Line:
        """Return the level."""
        return self

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        high, low, last_high, last_low = bar.high, bar.low, self._high, self._low
        self.prev = self.value
        trend = self.trend.value
        if (high + low) * 0.0 != 0.0:
            self._high = self._low = self.value = NAN
            self.trend.push(NAN)
            return
        self._high, self._low = high, low
        if last_high != last_high:
            self.value = NAN
            self.trend.push(NAN)
            return
        if trend != trend:
            fall = last_low - low
            trend = -1.0 if fall > high - last_high and fall > 0.0 else 1.0
            self._pace = self.paces[0]
            self._extreme, self._next = (high, last_low) if trend > 0.0 else (low, last_high)
            last_high, last_low = high, low  # there is no third bar yet to hold the level to
        if trend > 0.0:
            self._rise(high, low, last_high, last_low)
        else:
            self._fall(high, low, last_high, last_low)

    def _rise(self, high: float, low: float, last_high: float, last_low: float) -> None:
        """Go on in an upward trend, or turn."""
        level = self._next
        if low <= level:
            self.value = level = _at_least(self._extreme, last_high, high)
            self._pace, self._extreme = self.paces[0], low
            self._next = _at_least(level + self._pace * (low - level), last_high, high)
            self.trend.push(-1.0)
            return
        self.value = level
        if high > self._extreme:
            self._extreme = high
            self._faster()
        self._next = _at_most(level + self._pace * (self._extreme - level), last_low, low)
        self.trend.push(1.0)

    def _fall(self, high: float, low: float, last_high: float, last_low: float) -> None:
        """Go on in a downward trend, or turn."""
        level = self._next
        if high >= level:
            self.value = level = _at_most(self._extreme, last_low, low)
            self._pace, self._extreme = self.paces[0], high
            self._next = _at_most(level + self._pace * (high - level), last_low, low)
            self.trend.push(1.0)
            return
        self.value = level
        if low < self._extreme:
            self._extreme = low
            self._faster()
        self._next = _at_least(level + self._pace * (self._extreme - level), last_high, high)
        self.trend.push(-1.0)

    def _faster(self) -> None:
        _, step, maximum = self.paces
        pace = self._pace + step
        self._pace = maximum if pace > maximum else pace


class Ichimoku(BarIndicator):
    """Ichimoku cloud (Hosoda): five lines made of the middles of channels of highs and lows.

    Lines: ``conversion`` (the indicator itself) and ``base``, half-way between the highest high and the lowest low of
    ``fast`` and ``medium`` bars; ``span_a`` (their middle) and ``span_b`` (half-way of ``slow`` bars) as they stand
    under the present bar, so computed ``displacement`` bars ago (0: not displaced); ``lagging``, the close, which
    charts draw ``displacement`` bars back: compare it with the prices there.
    """

    __slots__ = (
        "_channels",
        "_seen",
        "_span_a",
        "_span_b",
        "base",
        "lagging",
        "periods",
        "span_a",
        "span_b",
        "warmup",
    )
    fields = ("high", "low", "close")
    lines = ("conversion", "base", "span_a", "span_b", "lagging")

    def __init__(self, fast: int = 9, medium: int = 26, slow: int = 52, displacement: int = 26) -> None:
        super().__init__()
        periods = tuple(check_period("ichimoku", period) for period in (fast, medium, slow))
        check_period("ichimoku displacement", displacement, 0)
        self._channels = [(Highest(period), Lowest(period)) for period in periods]
        self.periods = (fast, medium, slow, displacement)
        self._seen = 0
        self._span_a = Shift(displacement) if displacement else None
        self._span_b = Shift(displacement) if displacement else None
        self.base, self.span_a, self.span_b, self.lagging = Line(), Line(), Line(), Line()
        self.warmup = max(periods) + displacement

    @property
    def conversion(self) -> Line:
        """Return the fast line."""
        return self

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        middles = []
        for highest, lowest in self._channels:
            highest.update(bar.high)
            lowest.update(bar.low)
            middles.append((highest.value + lowest.value) / 2.0)
        conversion, base, span_b = middles
        span_a = (conversion + base) / 2.0
        self._seen = self._seen + 1 if (bar.high + bar.low) * 0.0 == 0.0 else 0
        if self._span_a is not None and self._span_b is not None:
            self._span_a.update(span_a)
            self._span_b.update(span_b)
            span_a, span_b = self._span_a.value, self._span_b.value
            if self._seen <= self.periods[3]:  # what was there before a gap is not shown after it
                span_a = span_b = NAN
        self.prev = self.value
        self.value = conversion
        self.base.push(base)
        self.span_a.push(span_a)
        self.span_b.push(span_b)
        self.lagging.push(bar.close if bar.close - bar.close == 0.0 else NAN)


def _at_least(value: float, one: float, other: float) -> float:
    if value < one:
        value = one
    return other if value < other else value


def _at_most(value: float, one: float, other: float) -> float:
    if value > one:
        value = one
    return other if value > other else value
