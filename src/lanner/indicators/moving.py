"""Moving averages."""

from __future__ import annotations

from collections import deque

from lanner.indicators.base import NAN, Indicator, check_period


class SMA(Indicator):
    """Average the last ``period`` values: (x₁ + … + xₙ) / n.

    The running sum is recomputed from the window once per window length, so that rounding errors do not
    pile up over millions of bars and the array form (run from the same start) agrees bit for bit.
    """

    __slots__ = ("_count", "_sum", "_window", "period", "warmup")

    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = self.warmup = check_period("sma", period)
        self._window: deque[float] = deque(maxlen=period)
        self._sum = 0.0
        self._count = 0

    def update(self, x: float) -> None:
        """Take the next value."""
        self.prev = self.value
        window, period = self._window, self.period
        if len(window) == period:
            self._sum += x - window[0]
            window.append(x)
            self._count += 1
            if self._count >= period:
                self._count = 0
                self._sum = sum(window)
            self.value = self._sum / period
            return
        window.append(x)
        self._sum += x
        if len(window) == period:
            self.value = self._sum / period


class EMA(Indicator):
    """Average with exponentially falling weights: e += α · (x − e), α = 2 / (n + 1).

    Seeded with the simple average of the first ``period`` values, as TA-Lib does; NaN before.
    """

    __slots__ = ("_count", "_sum", "alpha", "period", "warmup")

    def __init__(self, period: int, alpha: float | None = None) -> None:
        super().__init__()
        self.period = self.warmup = check_period("ema", period)
        self.alpha = 2.0 / (period + 1) if alpha is None else alpha
        self._count = 0
        self._sum = 0.0

    def update(self, x: float) -> None:
        """Take the next value."""
        last = self.value
        self.prev = last
        if last == last:
            self.value = last + self.alpha * (x - last)
            return
        self._count += 1
        self._sum += x
        self.value = self._sum / self.period if self._count >= self.period else NAN
