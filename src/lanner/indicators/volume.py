"""Indicators that weigh prices with volume."""

from __future__ import annotations

from lanner.indicators.base import NAN, BarIndicator, BarLike
from lanner.model.timeframes import DAY_NS


class OBV(BarIndicator):
    """On-balance volume (Granville): add the volume of a bar that closes higher, subtract that of one closing lower.

    Starts with the volume of the first bar, as TA-Lib (others start at 0; only differences mean anything). A bar
    with a gap gives NaN and is left out; the sum goes on.
    """

    __slots__ = ("_close", "_sum")

    def __init__(self) -> None:
        super().__init__()
        self._close = NAN
        self._sum = 0.0

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        self.prev = self.value
        close, volume = bar.close, bar.volume
        if (close + volume) * 0.0 != 0.0:
            self.value = NAN
            return
        last, self._close = self._close, close
        if close > last or last != last:
            self._sum += volume
        elif close < last:
            self._sum -= volume
        self.value = self._sum


class VWAP(BarIndicator):
    """Volume-weighted average price since the start: Σ typical · volume / Σ volume.

    The typical price is (high + low + close) / 3; it stands in while no volume has been traded. With ``reset_daily``
    the sums start again with the first bar that opens on a new UTC day. A bar with a gap gives NaN and is left out.
    """

    __slots__ = ("_amount", "_day", "_volume", "reset_daily")

    def __init__(self, reset_daily: bool = False) -> None:
        super().__init__()
        self.reset_daily = reset_daily
        self._amount = self._volume = 0.0
        self._day = -1

    def update_bar(self, bar: BarLike) -> None:
        """Take the next bar."""
        self.prev = self.value
        if self.reset_daily:
            day = bar.ts_open // DAY_NS
            if day != self._day:
                self._day = day
                self._amount = self._volume = 0.0
        volume = bar.volume
        typical = (bar.high + bar.low + bar.close) / 3.0
        if (typical + volume) * 0.0 != 0.0:
            self.value = NAN
            return
        self._amount += typical * volume
        self._volume += volume
        self.value = self._amount / self._volume if self._volume else typical
