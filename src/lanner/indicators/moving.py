"""Moving averages."""

from __future__ import annotations

from collections import deque
from math import isqrt

from lanner.core.errors import ConfigError
from lanner.indicators.base import NAN, Indicator, check_period


class SMA(Indicator):
    """Average the last ``period`` values: (x₁ + … + xₙ) / n; the first value comes at input n.

    The running sum is recomputed from the window once per window length, so that rounding errors do not pile up
    over millions of bars.
    """

    __slots__ = ("_left", "_sum", "_window", "period", "warmup")

    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = self.warmup = check_period("sma", period)
        self._window: deque[float] = deque(maxlen=period)
        self._sum = 0.0
        self._left = 0

    def update(self, x: float) -> None:
        """Take the next value."""
        self.prev = self.value
        left = self._left
        if left:
            window = self._window
            total = self._sum + (x - window[0])
            if total - total == 0.0:
                window.append(x)
                self._sum = total
                self._left = left - 1
                self.value = total / self.period
                return
        self._renew(x)

    def _renew(self, x: float) -> None:
        """Fill the window, or add it up afresh."""
        window = self._window
        if x - x != 0.0:
            window.clear()
            self._left = 0
            self.value = NAN
            return
        window.append(x)
        if len(window) == self.period:
            self._left = self.period
            total = 0.0  # the built-in sum() rounds differently from one Python version to the next
            for old in window:
                total += old
            self._sum = total
            self.value = total / self.period


class EMA(Indicator):
    """Average with exponentially falling weights: e += α · (x − e), α = 2 / (n + 1).

    Seeded with the simple average of the first ``period`` values, as TA-Lib does (others start at the first value),
    so the first value comes at input n.
    """

    __slots__ = ("_count", "_sum", "alpha", "period", "warmup")

    def __init__(self, period: int, alpha: float | None = None) -> None:
        super().__init__()
        self.period = self.warmup = check_period("ema", period)
        if alpha is not None and not 0 < alpha <= 1:
            raise ConfigError("ema: bad alpha", expected="a number above 0 and up to 1", found=alpha)
        self.alpha = 2.0 / (period + 1) if alpha is None else alpha
        self._count = 0
        self._sum = 0.0

    def update(self, x: float) -> None:
        """Take the next value."""
        last = self.value
        self.prev = last
        value = last + self.alpha * (x - last)
        if value - value == 0.0:
            self.value = value
            return
        self._seed(x)

    def _seed(self, x: float) -> None:
        """Collect the first values, also again after a gap."""
        if x - x != 0.0:
            self._count = 0
            self._sum = 0.0
            self.value = NAN
            return
        self._count += 1
        self._sum += x
        if self._count == self.period:
            self.value = self._sum / self.period
            self._count = 0
            self._sum = 0.0


class RMA(EMA):
    """Smooth as Wilder does: an exponential average with α = 1 / n, seeded with the simple average."""

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(check_period("rma", period), 1.0 / period)


class WMA(Indicator):
    """Average the last ``period`` values with weights 1, 2, …, n (the newest weighs most); first value at input n."""

    __slots__ = ("_left", "_sum", "_weighted", "_window", "period", "warmup")

    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = self.warmup = check_period("wma", period)
        self._window: deque[float] = deque(maxlen=period)
        self._sum = 0.0
        self._weighted = 0.0
        self._left = 0

    def update(self, x: float) -> None:
        """Take the next value."""
        self.prev = self.value
        left = self._left
        if left:
            window, n = self._window, self.period
            weighted = self._weighted + (n * x - self._sum)
            total = self._sum + (x - window[0])
            if weighted - weighted == 0.0 and total - total == 0.0:
                window.append(x)
                self._weighted = weighted
                self._sum = total
                self._left = left - 1
                self.value = weighted * 2.0 / (n * (n + 1))
                return
        self._renew(x)

    def _renew(self, x: float) -> None:
        """Fill the window, or add it up afresh."""
        window, n = self._window, self.period
        if x - x != 0.0:
            window.clear()
            self._left = 0
            self.value = NAN
            return
        window.append(x)
        if len(window) == n:
            total = weighted = 0.0
            for weight, old in enumerate(window, 1):
                total += old
                weighted += weight * old
            self._sum, self._weighted = total, weighted
            self._left = n
            self.value = weighted * 2.0 / (n * (n + 1))


class HMA(Indicator):
    """Hull's average: the WMA over √n of 2 · WMA(n / 2) − WMA(n), both lengths rounded down (Hull).

    The first value comes at input n + ⌊√n⌋ − 1.
    """

    __slots__ = ("_half", "_smooth", "_whole", "period", "warmup")

    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = check_period("hma", period, 2)
        self._half = WMA(period // 2)
        self._whole = WMA(period)
        self._smooth = WMA(isqrt(period))
        self.warmup = period + isqrt(period) - 1

    def update(self, x: float) -> None:
        """Take the next value."""
        half, whole, smooth = self._half, self._whole, self._smooth
        half.update(x)
        whole.update(x)
        smooth.update(2.0 * half.value - whole.value)
        self.prev = self.value
        self.value = smooth.value
