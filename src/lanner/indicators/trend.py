"""Strength and direction of a trend from whole bars."""

from __future__ import annotations

from lanner.indicators.base import NAN, BarIndicator, BarLike, Line, check_period
from lanner.indicators.ranges import true_range


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
    lines = ("adx", "plus_di", "minus_di")

    def __init__(self, period: int = 14) -> None:
        super().__init__()
        self.period = check_period("adx", period, 2)
        self.warmup = 2 * period
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
            self.value = (self.value * (n - 1) + self._dx) / n
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
