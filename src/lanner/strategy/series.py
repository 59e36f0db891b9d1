"""The series a strategy subscribes to, and the indicators it declares on them.

An indicator is a line with a cursor: it knows its present and its past, never what comes next.
"""

from __future__ import annotations

from collections import deque
from typing import TypeVar

from lanner.core.errors import ConfigError
from lanner.indicators import EMA, SMA
from lanner.indicators.base import NAN, BarIndicator, Indicator, Line
from lanner.model.market import Bar, Quote, Trade

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


class BarSeries(ScalarSeries):
    """Closed bars of one instrument and timeframe; ``bars[-1]`` is the last one."""

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

    last: Quote | None = None


class TradeSeries(ScalarSeries):
    """Public trades of one instrument; indicators follow the price."""

    last: Trade | None = None


__all__ = ["FIELDS", "NAN", "BarSeries", "Line", "QuoteSeries", "ScalarSeries", "TradeSeries"]
