"""Momentum of one series: RSI and MACD."""

from __future__ import annotations

from lanner.core.errors import ConfigError
from lanner.indicators.base import NAN, Indicator, Line, check_period
from lanner.indicators.moving import EMA


class RSI(Indicator):
    """Relative strength index (Wilder): 100 · gain / (gain + loss), both smoothed with α = 1 / n.

    Seeded with the simple average of the first n changes, as TA-Lib, so the first value comes at input n + 1.
    100 without a loss, 0 without a gain; 50 where the price has not moved at all (TA-Lib says 0 there, which would
    read as oversold).
    """

    __slots__ = ("_count", "_gain", "_last", "_loss", "period", "warmup")

    def __init__(self, period: int = 14) -> None:
        super().__init__()
        self.period = check_period("rsi", period)
        self.warmup = period + 1
        self._last = NAN
        self._gain = self._loss = 0.0
        self._count = 0

    def update(self, x: float) -> None:
        """Take the next value."""
        self.prev = self.value
        change = x - self._last
        self._last = x
        if change - change != 0.0:
            self._count = 0
            self._gain = self._loss = 0.0
            self.value = NAN
            return
        n = self.period
        if self._count < n:
            self._count += 1
            if change > 0:
                self._gain += change / n
            else:
                self._loss -= change / n
            if self._count < n:
                return
        elif change > 0:
            self._gain = (self._gain * (n - 1) + change) / n
            self._loss = self._loss * (n - 1) / n
        else:
            self._gain = self._gain * (n - 1) / n
            self._loss = (self._loss * (n - 1) - change) / n
        moved = self._gain + self._loss
        self.value = 100.0 * self._gain / moved if moved else 50.0


class MACD(Indicator):
    """Difference of a fast and a slow EMA, the EMA of that difference, and what lies between (Appel).

    Lines: ``macd`` (the indicator itself), ``signal`` and ``hist`` = macd − signal. Seeding follows TA-Lib: both
    averages have their first value at input ``slow`` (so the fast one starts slow − fast inputs later), the signal
    at input slow + signal − 1, which is the warm-up. TA-Lib hides ``macd`` until then, here it is shown from the
    start.
    """

    __slots__ = ("_fast", "_signal", "_skip", "_slow", "hist", "signal", "warmup")
    lines = ("macd", "signal", "hist")

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        super().__init__()
        check_period("macd", fast)
        check_period("macd", slow)
        if fast >= slow:
            raise ConfigError("macd: bad periods", expected="fast < slow", found=f"fast={fast}, slow={slow}")
        self._fast = EMA(fast)
        self._slow = EMA(slow)
        self._signal = EMA(check_period("macd", signal))
        self._skip = slow - fast
        self.warmup = slow + signal - 1
        self.signal = Line()
        self.hist = Line()

    @property
    def macd(self) -> Line:
        """Return the difference line."""
        return self

    def update(self, x: float) -> None:
        """Take the next value."""
        if x - x != 0.0:
            self._skip = self._slow.period - self._fast.period
        self._slow.update(x)
        if self._skip > 0 and x - x == 0.0:
            self._skip -= 1
        else:
            self._fast.update(x)
        self.prev = self.value
        self.value = value = self._fast.value - self._slow.value
        self._signal.update(value)
        signal, hist = self.signal, self.hist
        signal.prev, hist.prev = signal.value, hist.value
        signal.value = self._signal.value
        hist.value = value - signal.value
