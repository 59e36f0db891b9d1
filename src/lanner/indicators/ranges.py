"""Where the close lies in the range of its bars, and how wide that range is."""

from __future__ import annotations

from collections import deque

from lanner.indicators.base import NAN, BarIndicator, BarLike, Line, check_period, check_positive
from lanner.indicators.moving import EMA, SMA
from lanner.indicators.windows import Highest, Lowest


class TrueRange(BarIndicator):
    """Give max(high − low, |high − previous close|, |low − previous close|); first value at bar 2, as TA-Lib."""

    __slots__ = ("_close",)
    fields = ("high", "low", "close")
    warmup = 2

    def __init__(self) -> None:
        super().__init__()
        self._close = NAN

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        self.prev = self.value
        close, self._close = self._close, bar.close
        self.value = true_range(bar.high, bar.low, close)


class ATR(BarIndicator):
    """Average true range (Wilder): the true range smoothed with α = 1 / n.

    Seeded with the simple average of the first n true ranges, as TA-Lib; the first bar has none, so the first value
    comes at bar n + 1.
    """

    __slots__ = ("_alpha", "_close", "_count", "_sum", "period", "warmup")
    fields = ("high", "low", "close")

    def __init__(self, period: int = 14) -> None:
        super().__init__()
        self.period = check_period("atr", period)
        self.warmup = period + 1
        self._alpha = 1.0 / period
        self._close = NAN
        self._count = 0
        self._sum = 0.0

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        self.prev = self.value
        close, self._close = self._close, bar.close
        reach = true_range(bar.high, bar.low, close)
        if reach - reach != 0.0:
            self._count = 0
            self._sum = 0.0
            self.value = NAN
        elif self._count == self.period:
            self.value += self._alpha * (reach - self.value)
        else:
            self._count += 1
            self._sum += reach
            if self._count == self.period:
                self.value = self._sum / self.period


class Donchian(BarIndicator):
    """Channel of the highest high and the lowest low of the last n bars, the present bar included (Donchian).

    Lines: ``upper``, ``lower`` and ``middle`` (the indicator itself) = (upper + lower) / 2; first values at bar n.
    A breakout compares the close with the channel of the bar before: ``bar.close > channel.upper.prev``.
    """

    __slots__ = ("lower", "period", "upper", "warmup")
    fields = ("high", "low")
    lines = ("middle", "upper", "lower")

    def __init__(self, period: int = 20) -> None:
        super().__init__()
        self.period = self.warmup = check_period("donchian", period)
        self.upper = Highest(period)
        self.lower = Lowest(period)

    @property
    def middle(self) -> Line:
        """Return the line half-way between the bands."""
        return self

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        self.upper.update(bar.high)
        self.lower.update(bar.low)
        self.prev = self.value
        self.value = (self.upper.value + self.lower.value) / 2.0


class Keltner(BarIndicator):
    """Bands of ``width`` average true ranges around the exponential average of the close (Keltner, Raschke).

    Lines: ``middle`` (the indicator itself), ``upper`` and ``lower``. The warm-up is the longer of ``period`` and
    ``atr_period`` + 1; ``middle`` has its first value at bar ``period``.
    """

    __slots__ = ("_atr", "_middle", "lower", "periods", "upper", "warmup", "width")
    fields = ("high", "low", "close")
    lines = ("middle", "upper", "lower")

    def __init__(self, period: int = 20, width: float = 2.0, atr_period: int = 10) -> None:
        super().__init__()
        self._middle = EMA(check_period("keltner", period))
        self._atr = ATR(check_period("keltner", atr_period))
        self.width = check_positive("keltner", "width", width)
        self.periods = (period, atr_period)
        self.warmup = max(period, atr_period + 1)
        self.upper = Line()
        self.lower = Line()

    @property
    def middle(self) -> Line:
        """Return the average line."""
        return self

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        self._middle.update(bar.close)
        self._atr.update_bar(bar)
        self.prev = self.value
        self.value = middle = self._middle.value
        band = self.width * self._atr.value
        self.upper.push(middle + band)
        self.lower.push(middle - band)


class Stochastic(BarIndicator):
    """Stochastic oscillator (Lane): (close − lowest low) / (highest high − lowest low) · 100, smoothed.

    Lines: ``k`` (the indicator itself), the simple average of the raw value over ``smooth`` bars (1 gives the fast
    oscillator), and ``d``, the average of k over ``signal`` bars. The warm-up is period + smooth + signal − 2.
    50 where the range of the window is zero (TA-Lib says 0, which would read as oversold).
    """

    __slots__ = ("_highest", "_lowest", "_raw", "d", "periods", "warmup")
    fields = ("high", "low", "close")
    lines = ("k", "d")

    def __init__(self, period: int = 14, smooth: int = 3, signal: int = 3) -> None:
        super().__init__()
        self._highest = Highest(check_period("stochastic", period))
        self._lowest = Lowest(period)
        self._raw = SMA(check_period("stochastic", smooth))
        self.d = SMA(check_period("stochastic", signal))
        self.periods = (period, smooth, signal)
        self.warmup = period + smooth + signal - 2

    @property
    def k(self) -> Line:
        """Return the smoothed oscillator."""
        return self

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        highest, lowest = self._highest, self._lowest
        highest.update(bar.high)
        lowest.update(bar.low)
        low = lowest.value
        reach = highest.value - low
        self._raw.update(50.0 if reach == 0.0 else (bar.close - low) / reach * 100.0)
        self.prev = self.value
        self.value = self._raw.value
        self.d.update(self.value)


class WilliamsR(BarIndicator):
    """Williams %R: (highest high − close) / (highest high − lowest low) · (−100); first value at bar n.

    −50 where the range of the window is zero (TA-Lib says 0, which would read as overbought).
    """

    __slots__ = ("_highest", "_lowest", "period", "warmup")
    fields = ("high", "low", "close")

    def __init__(self, period: int = 14) -> None:
        super().__init__()
        self.period = self.warmup = check_period("williams_r", period)
        self._highest = Highest(period)
        self._lowest = Lowest(period)

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        highest, lowest = self._highest, self._lowest
        highest.update(bar.high)
        lowest.update(bar.low)
        high = highest.value
        reach = high - lowest.value
        self.prev = self.value
        value = -50.0 if reach == 0.0 else (high - bar.close) / reach * -100.0
        self.value = value if value - value == 0.0 else NAN


class CCI(BarIndicator):
    """Commodity channel index (Lambert): (typical − mean) / (0.015 · mean absolute deviation); first value at bar n.

    The typical price is (high + low + close) / 3. 0 where all typical prices of the window are equal.
    """

    __slots__ = ("_window", "period", "warmup")
    fields = ("high", "low", "close")

    def __init__(self, period: int = 20) -> None:
        super().__init__()
        self.period = self.warmup = check_period("cci", period, 2)
        self._window: deque[float] = deque(maxlen=period)

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        self.prev = self.value
        window = self._window
        typical = (bar.high + bar.low + bar.close) / 3.0
        if typical - typical != 0.0:
            window.clear()
            self.value = NAN
            return
        window.append(typical)
        n = self.period
        if len(window) == n:
            # Distances to the newest value are exactly 0 in a flat window, where a rounded mean would not be.
            total = spread = 0.0
            for old in window:
                total += old - typical
            mean = total / n
            for old in window:
                spread += abs(old - typical - mean)
            scale = 0.015 * (spread / n)
            self.value = -mean / scale if scale else 0.0


def true_range(high: float, low: float, close: float) -> float:
    """Return the true range of a bar after a close; NaN when any of the three is not finite."""
    above = high if high > close else close
    below = low if low < close else close
    return (above - below) + 0.0 * (high + low + close)
