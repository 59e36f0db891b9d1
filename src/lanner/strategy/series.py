"""The series a strategy subscribes to, and the indicators it declares on them.

An indicator is a line with a cursor: it knows its present and its past, never what comes next.
"""

from __future__ import annotations

from collections import deque
from typing import TypeVar

from lanner.core.errors import ConfigError
from lanner.indicators import (
    ADX,
    ATR,
    CCI,
    EMA,
    MACD,
    OBV,
    RMA,
    ROC,
    RSI,
    SMA,
    VWAP,
    WMA,
    Bollinger,
    Donchian,
    Highest,
    Lowest,
    StdDev,
    Stochastic,
    Sum,
    TrueRange,
    WilliamsR,
    ZScore,
)
from lanner.indicators.base import NAN, BarIndicator, Indicator, Line
from lanner.model.market import Bar

I = TypeVar("I", bound=Indicator)  # noqa: E741
B = TypeVar("B", bound=BarIndicator)

FIELDS = ("open", "high", "low", "close", "volume")


class ScalarSeries:
    """A series of one number per step, on which indicators can be declared."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.indicators: list[Indicator] = []
        self.warmup = 0

    def add(self, indicator: I) -> I:
        """Attach an indicator; it is updated before the handler runs."""
        self.indicators.append(indicator)
        self.warmup = max(self.warmup, indicator.warmup)
        return indicator

    def sma(self, period: int) -> SMA:
        """Declare a simple moving average."""
        return self.add(SMA(period))

    def ema(self, period: int) -> EMA:
        """Declare an exponential moving average."""
        return self.add(EMA(period))

    def rma(self, period: int) -> RMA:
        """Declare Wilder's moving average."""
        return self.add(RMA(period))

    def wma(self, period: int) -> WMA:
        """Declare a linearly weighted moving average."""
        return self.add(WMA(period))

    def rsi(self, period: int = 14) -> RSI:
        """Declare a relative strength index, 0 to 100."""
        return self.add(RSI(period))

    def macd(self, fast: int = 12, slow: int = 26, signal: int = 9) -> MACD:
        """Declare a MACD with the lines ``macd``, ``signal`` and ``hist``."""
        return self.add(MACD(fast, slow, signal))

    def bollinger(self, period: int = 20, width: float = 2.0) -> Bollinger:
        """Declare Bollinger bands with the lines ``middle``, ``upper`` and ``lower``."""
        return self.add(Bollinger(period, width))

    def highest(self, period: int) -> Highest:
        """Declare the highest of the last values (on bars: of the closes)."""
        return self.add(Highest(period))

    def lowest(self, period: int) -> Lowest:
        """Declare the lowest of the last values (on bars: of the closes)."""
        return self.add(Lowest(period))

    def sum(self, period: int) -> Sum:
        """Declare the sum of the last values."""
        return self.add(Sum(period))

    def stddev(self, period: int, sample: bool = False) -> StdDev:
        """Declare a standard deviation of the last values: the population's, or the sample's."""
        return self.add(StdDev(period, sample))

    def zscore(self, period: int) -> ZScore:
        """Declare the distance to the mean in standard deviations."""
        return self.add(ZScore(period))

    def roc(self, period: int = 12) -> ROC:
        """Declare a rate of change in per cent."""
        return self.add(ROC(period))


class BarSeries(ScalarSeries):
    """Closed bars of one instrument and timeframe; ``bars[-1]`` is the last one.

    Indicators of one number follow the close; ``bars.of("high")`` is the series of another field.
    """

    def __init__(self, series: str, history: deque[Bar]) -> None:
        super().__init__(series)
        self.series = series
        self.history = history
        self.bar_indicators: list[BarIndicator] = []
        self.fields: dict[str, ScalarSeries] = {}

    def of(self, field: str) -> ScalarSeries:
        """Return the series of another field (open, high, low, volume) to declare indicators on."""
        if field == "close":
            return self
        if field not in FIELDS:
            raise ConfigError("unknown bar field", expected=", ".join(FIELDS), found=repr(field))
        if field not in self.fields:
            self.fields[field] = ScalarSeries(f"{self.series}.{field}")
        return self.fields[field]

    def add_bars(self, indicator: B) -> B:
        """Attach an indicator that needs whole bars."""
        self.bar_indicators.append(indicator)
        self.warmup = max(self.warmup, indicator.warmup)
        return indicator

    def atr(self, period: int = 14) -> ATR:
        """Declare an average true range."""
        return self.add_bars(ATR(period))

    def true_range(self) -> TrueRange:
        """Declare the true range."""
        return self.add_bars(TrueRange())

    def donchian(self, period: int = 20) -> Donchian:
        """Declare a channel of highs and lows with the lines ``middle``, ``upper`` and ``lower``."""
        return self.add_bars(Donchian(period))

    def stochastic(self, period: int = 14, smooth: int = 3, signal: int = 3) -> Stochastic:
        """Declare a stochastic oscillator with the lines ``k`` and ``d``, 0 to 100."""
        return self.add_bars(Stochastic(period, smooth, signal))

    def williams_r(self, period: int = 14) -> WilliamsR:
        """Declare Williams %R, −100 to 0."""
        return self.add_bars(WilliamsR(period))

    def cci(self, period: int = 20) -> CCI:
        """Declare a commodity channel index."""
        return self.add_bars(CCI(period))

    def adx(self, period: int = 14) -> ADX:
        """Declare a directional index with the lines ``adx``, ``plus_di`` and ``minus_di``."""
        return self.add_bars(ADX(period))

    def obv(self) -> OBV:
        """Declare the on-balance volume."""
        return self.add_bars(OBV())

    def vwap(self, reset_daily: bool = False) -> VWAP:
        """Declare the volume-weighted average price since the start, or since midnight UTC."""
        return self.add_bars(VWAP(reset_daily))

    @property
    def bars_to_warm(self) -> int:
        """Return how many bars are needed before every indicator has a value."""
        return max([self.warmup, *(field.warmup for field in self.fields.values())], default=0)

    def __getitem__(self, index: int) -> Bar:
        try:
            return self.history[index]
        except IndexError:
            raise IndexError(
                f"{self.series}: bar {index} asked for, {len(self.history)} known (the last "
                f"{self.history.maxlen} are kept)"
            ) from None

    def __len__(self) -> int:
        return len(self.history)


class QuoteSeries(ScalarSeries):
    """Best bid and ask of one instrument; indicators follow the mid price."""


class TradeSeries(ScalarSeries):
    """Public trades of one instrument; indicators follow the price."""


__all__ = ["FIELDS", "NAN", "BarSeries", "Line", "QuoteSeries", "ScalarSeries", "TradeSeries"]
