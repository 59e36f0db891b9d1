"""The series a strategy subscribes to, and the indicators it declares on them.

An indicator is a line with a cursor: it knows its present and its past, never what comes next.
"""

from __future__ import annotations

from collections import deque
from typing import Any, TypeVar

from lanner.core.errors import ConfigError
from lanner.indicators import (
    ADX,
    ATR,
    CCI,
    EMA,
    HMA,
    MACD,
    OBV,
    RMA,
    ROC,
    RSI,
    SMA,
    VWAP,
    WMA,
    AnchoredVWAP,
    Beta,
    Bollinger,
    Correlation,
    Donchian,
    GarmanKlass,
    Highest,
    Ichimoku,
    Keltner,
    Lowest,
    ParabolicSAR,
    Parkinson,
    SessionVWAP,
    StdDev,
    Stochastic,
    StochRSI,
    Sum,
    TrueRange,
    Volatility,
    WilliamsR,
    YangZhang,
    ZScore,
)
from lanner.indicators.base import NAN, BarIndicator, Indicator, Line, Lines, PairIndicator
from lanner.indicators.talib import arranged, spec_of, talib_kind
from lanner.model.market import Bar
from lanner.strategy.pairing import FIELDS, FieldPair, Meeting, Side, checked_field

I = TypeVar("I", bound=Indicator)  # noqa: E741
B = TypeVar("B", bound=BarIndicator)
P = TypeVar("P", bound=PairIndicator)


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

    def hma(self, period: int) -> HMA:
        """Declare Hull's moving average."""
        return self.add(HMA(period))

    def rsi(self, period: int = 14) -> RSI:
        """Declare a relative strength index, 0 to 100."""
        return self.add(RSI(period))

    def stoch_rsi(self, period: int = 14, stoch: int = 14, smooth: int = 3, signal: int = 3) -> StochRSI:
        """Declare the place of the RSI in its own range with the lines ``k`` and ``d``, 0 to 100."""
        return self.add(StochRSI(period, stoch, smooth, signal))

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

    def volatility(self, period: int = 20, per_year: float = 1.0) -> Volatility:
        """Declare the standard deviation of logarithmic changes, annualised with the number of steps in a year."""
        return self.add(Volatility(period, per_year))

    def talib(self, name: str, other: Any = None, **params: Any) -> Lines:
        """Declare a function of TA-Lib, e.g. ``talib("KAMA", period=10)``; it follows what the series follows."""
        indicator: Any = talib_kind(name)(*arranged(spec_of(name), params))
        if other is None and isinstance(indicator, Indicator):
            return self.add(indicator)
        raise ConfigError(
            f"talib: {name} cannot be declared here",
            expected="a function of one number per step" if other is None else "no second series",
            fix=f'Declare it on bars: self.bars("1h").talib("{name}").',
        )


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
        if checked_field(field) not in self.fields:
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

    def keltner(self, period: int = 20, width: float = 2.0, atr_period: int = 10) -> Keltner:
        """Declare bands of the average true range with the lines ``middle``, ``upper`` and ``lower``."""
        return self.add_bars(Keltner(period, width, atr_period))

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

    def parabolic_sar(self, start: float = 0.02, step: float = 0.02, maximum: float = 0.2) -> ParabolicSAR:
        """Declare a trailing level with the lines ``sar`` and ``trend`` (1 or −1)."""
        return self.add_bars(ParabolicSAR(start, step, maximum))

    def ichimoku(self, fast: int = 9, medium: int = 26, slow: int = 52, displacement: int = 26) -> Ichimoku:
        """Declare a cloud with the lines ``conversion``, ``base``, ``span_a``, ``span_b`` and ``lagging``."""
        return self.add_bars(Ichimoku(fast, medium, slow, displacement))

    def obv(self) -> OBV:
        """Declare the on-balance volume."""
        return self.add_bars(OBV())

    def vwap(self, reset_daily: bool = False) -> VWAP:
        """Declare the volume-weighted average price since the start, or since midnight UTC."""
        return self.add_bars(VWAP(reset_daily))

    def session_vwap(self, session: str = "1d", start_hour: int = 0) -> SessionVWAP:
        """Declare the volume-weighted average price since the session began."""
        return self.add_bars(SessionVWAP(session, start_hour))

    def anchored_vwap(self, since: str | int) -> AnchoredVWAP:
        """Declare the volume-weighted average price since a date or time (UTC)."""
        return self.add_bars(AnchoredVWAP(since))

    def parkinson(self, period: int = 20, per_year: float = 1.0) -> Parkinson:
        """Declare the volatility that highs and lows tell, annualised with the number of bars in a year."""
        return self.add_bars(Parkinson(period, per_year))

    def garman_klass(self, period: int = 20, per_year: float = 1.0) -> GarmanKlass:
        """Declare the volatility that all four prices tell, annualised with the number of bars in a year."""
        return self.add_bars(GarmanKlass(period, per_year))

    def yang_zhang(self, period: int = 20, per_year: float = 1.0) -> YangZhang:
        """Declare the volatility of jumps and moves, annualised with the number of bars in a year."""
        return self.add_bars(YangZhang(period, per_year))

    def correlation(self, other: BarSeries | str, period: int = 30, changes: bool = True) -> Correlation:
        """Declare the correlation with the closes of other bars, or with another field of these.

        Of relative changes from bar to bar; of the prices themselves without ``changes``. Bars of two instruments are
        paired by their opening time; the value moves when the second of a pair has come.
        """
        return self._pair(Correlation(period), other, changes)

    def beta(self, other: BarSeries | str, period: int = 30, changes: bool = True) -> Beta:
        """Declare the slope on the closes of other bars, or on another field of these; see ``correlation``."""
        return self._pair(Beta(period), other, changes)

    def talib(self, name: str, other: Any = None, **params: Any) -> Lines:
        """Declare a function of TA-Lib, e.g. ``talib("AROON", period=25)``, on the fields that it reads.

        Those of two series compare the close with ``other``: the closes of other bars, or a field of these.
        """
        indicator: Any = talib_kind(name)(*arranged(spec_of(name), params))
        if other is None and isinstance(indicator, BarIndicator):
            return self.add_bars(indicator)
        if isinstance(indicator, PairIndicator):
            if other is None:
                raise ConfigError(f"talib: {name} needs a second series", expected="other bars or a field")
            return self._pair(indicator, other, changes=False)
        return super().talib(name, other, **params)

    def _pair(self, indicator: P, other: BarSeries | str, changes: bool) -> P:
        if isinstance(other, str):
            self.add_bars(FieldPair(indicator, ("close", checked_field(other)), changes))
            return indicator
        if other is self:
            raise ConfigError("a series cannot be compared with itself", expected="another series or a field")
        meeting = Meeting(indicator, changes)
        self.add_bars(Side(meeting, 0))
        other.add_bars(Side(meeting, 1))
        return indicator

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
