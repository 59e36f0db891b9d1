"""Momentum of one series: RSI, its stochastic, and MACD."""

from __future__ import annotations

from lanner.core.errors import ConfigError
from lanner.indicators.base import NAN, Indicator, Line, check_period
from lanner.indicators.moving import EMA, SMA
from lanner.indicators.windows import Highest, Lowest


class RSI(Indicator):
    """Relative strength index (Wilder): 100 · gain / (gain + loss), both smoothed with α = 1 / n.

    Seeded with the simple average of the first n changes, as TA-Lib, so the first value comes at input n + 1.
    100 without a loss, 0 without a gain; 50 where the price has not moved at all (TA-Lib says 0 there, which would
    read as oversold).
    """

    __slots__ = ("_alpha", "_count", "_gain", "_last", "_loss", "period", "warmup")

    def __init__(self, period: int = 14) -> None:
        super().__init__()
        self.period = check_period("rsi", period)
        self.warmup = period + 1
        self._alpha = 1.0 / period
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
        gain, loss = (change, 0.0) if change > 0 else (0.0, -change)
        if self._count < self.period:
            self._collect(gain, loss)
            if self._count < self.period:
                return
        else:
            self._gain += self._alpha * (gain - self._gain)
            self._loss += self._alpha * (loss - self._loss)
        moved = self._gain + self._loss
        self.value = 100.0 * self._gain / moved if moved else 50.0

    def _collect(self, gain: float, loss: float) -> None:
        """Gather the first changes for the seed."""
        self._count += 1
        self._gain += gain
        self._loss += loss
        if self._count == self.period:
            self._gain /= self.period
            self._loss /= self.period


class StochRSI(Indicator):
    """Where the RSI lies in its own range of the last ``stoch`` values, 0 to 100, smoothed (Chande, Kroll).

    Lines: ``k`` (the indicator itself), the simple average of the raw value over ``smooth`` inputs (1 gives TA-Lib's
    fast form), and ``d``, the average of k over ``signal`` inputs. The warm-up is period + stoch + smooth + signal − 2.
    50 where the RSI of the window does not move.
    """

    __slots__ = ("_highest", "_lowest", "_raw", "_rsi", "d", "periods", "warmup")
    lines = ("k", "d")

    def __init__(self, period: int = 14, stoch: int = 14, smooth: int = 3, signal: int = 3) -> None:
        super().__init__()
        self._rsi = RSI(check_period("stoch_rsi", period))
        self._highest = Highest(check_period("stoch_rsi", stoch))
        self._lowest = Lowest(stoch)
        self._raw = SMA(check_period("stoch_rsi", smooth))
        self.d = SMA(check_period("stoch_rsi", signal))
        self.periods = (period, stoch, smooth, signal)
        self.warmup = period + stoch + smooth + signal - 2

    @property
    def k(self) -> Line:
        """Return the smoothed oscillator."""
        return self

    def update(self, x: float) -> None:
        """Take the next value."""
        self._rsi.update(x)
        rsi = self._rsi.value
        self._highest.update(rsi)
        self._lowest.update(rsi)
        low = self._lowest.value
        reach = self._highest.value - low
        self._raw.update(50.0 if reach == 0.0 else (rsi - low) / reach * 100.0)
        self.prev = self.value
        self.value = self._raw.value
        self.d.update(self.value)


class MACD(Indicator):
    """Difference of a fast and a slow EMA, the EMA of that difference, and what lies between (Appel).

    Lines: ``macd`` (the indicator itself), ``signal`` and ``hist`` = macd − signal. Seeding follows TA-Lib: both
    averages have their first value at input ``slow`` (so the fast one starts slow − fast inputs later), the signal
    at input slow + signal − 1, which is the warm-up. TA-Lib hides ``macd`` until then, here it is shown from the
    start.
    """

    __slots__ = ("_fast", "_signal", "_skip", "_slow", "hist", "periods", "signal", "warmup")
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
        self.periods = (fast, slow, signal)
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
