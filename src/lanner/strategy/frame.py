"""``bars``, as a signal function sees them."""

from __future__ import annotations

from typing import Any

from lanner.core.errors import StrategyError
from lanner.indicators import (
    ADX,
    ATR,
    CCI,
    OBV,
    VWAP,
    AnchoredVWAP,
    Donchian,
    GarmanKlass,
    Ichimoku,
    Keltner,
    ParabolicSAR,
    Parkinson,
    SessionVWAP,
    Stochastic,
    TrueRange,
    WilliamsR,
    YangZhang,
)
from lanner.indicators.base import BarIndicator, Lines
from lanner.indicators.talib import arranged, spec_of, talib_kind
from lanner.strategy.expression import Declares, Expr, declare, lines_of


class BarFrame(Declares):
    """The bars of a signal function: fields, indicators of whole bars, and indicators of the close."""

    __slots__ = ()

    def _bars(self, kind: type[Lines], *params: object) -> Expr:
        return Expr(self._graph, declare(self._graph, kind, params))

    def _bar_lines(self, kind: type[Lines], *params: object) -> Any:
        return lines_of(self._graph, declare(self._graph, kind, params), kind.lines)

    def _field(self, name: str) -> Expr:
        return Expr(self._graph, self._graph.field(name))

    @property
    def open(self) -> Expr:
        """Return the first price."""
        return self._field("open")

    @property
    def high(self) -> Expr:
        """Return the highest price."""
        return self._field("high")

    @property
    def low(self) -> Expr:
        """Return the lowest price."""
        return self._field("low")

    @property
    def close(self) -> Expr:
        """Return the last price."""
        return self._field("close")

    @property
    def volume(self) -> Expr:
        """Return the volume in base currency."""
        return self._field("volume")

    @property
    def typical(self) -> Expr:
        """Return (high + low + close) / 3."""
        return (self.high + self.low + self.close) / 3.0

    def of(self, field: str) -> Expr:
        """Return a field by name."""
        if field not in ("open", "high", "low", "close", "volume"):
            raise StrategyError(
                "unknown bar field", expected="open, high, low, close, volume", found=repr(field)
            )
        return self._field(field)

    __getitem__ = of

    def atr(self, period: int = 14) -> Expr:
        """Return the average true range."""
        return self._bars(ATR, period)

    def true_range(self) -> Expr:
        """Return the true range."""
        return self._bars(TrueRange)

    def donchian(self, period: int = 20) -> Any:
        """Return the channel of highs and lows with the lines ``middle``, ``upper`` and ``lower``."""
        return self._bar_lines(Donchian, period)

    def keltner(self, period: int = 20, width: float = 2.0, atr_period: int = 10) -> Any:
        """Return the bands of the average true range with the lines ``middle``, ``upper`` and ``lower``."""
        return self._bar_lines(Keltner, period, width, atr_period)

    def stochastic(self, period: int = 14, smooth: int = 3, signal: int = 3) -> Any:
        """Return the stochastic oscillator with the lines ``k`` and ``d``, 0 to 100."""
        return self._bar_lines(Stochastic, period, smooth, signal)

    def williams_r(self, period: int = 14) -> Expr:
        """Return Williams %R, −100 to 0."""
        return self._bars(WilliamsR, period)

    def cci(self, period: int = 20) -> Expr:
        """Return the commodity channel index."""
        return self._bars(CCI, period)

    def adx(self, period: int = 14) -> Any:
        """Return the directional index with the lines ``adx``, ``plus_di`` and ``minus_di``."""
        return self._bar_lines(ADX, period)

    def parabolic_sar(self, start: float = 0.02, step: float = 0.02, maximum: float = 0.2) -> Any:
        """Return the trailing level with the lines ``sar`` and ``trend`` (1 or −1)."""
        return self._bar_lines(ParabolicSAR, start, step, maximum)

    def ichimoku(self, fast: int = 9, medium: int = 26, slow: int = 52, displacement: int = 26) -> Any:
        """Return the cloud with the lines ``conversion``, ``base``, ``span_a``, ``span_b`` and ``lagging``."""
        return self._bar_lines(Ichimoku, fast, medium, slow, displacement)

    def obv(self) -> Expr:
        """Return the on-balance volume."""
        return self._bars(OBV)

    def vwap(self, reset_daily: bool = False) -> Expr:
        """Return the volume-weighted average price since the start, or since midnight UTC."""
        return self._bars(VWAP, reset_daily)

    def session_vwap(self, session: str = "1d", start_hour: int = 0) -> Expr:
        """Return the volume-weighted average price since the session began."""
        return self._bars(SessionVWAP, session, start_hour)

    def anchored_vwap(self, since: str | int) -> Expr:
        """Return the volume-weighted average price since a date or time (UTC)."""
        return self._bars(AnchoredVWAP, since)

    def parkinson(self, period: int = 20, per_year: float = 1.0) -> Expr:
        """Return the volatility that highs and lows tell, annualised with the number of bars in a year."""
        return self._bars(Parkinson, period, per_year)

    def garman_klass(self, period: int = 20, per_year: float = 1.0) -> Expr:
        """Return the volatility that all four prices tell, annualised with the number of bars in a year."""
        return self._bars(GarmanKlass, period, per_year)

    def yang_zhang(self, period: int = 20, per_year: float = 1.0) -> Expr:
        """Return the volatility of jumps and moves, annualised with the number of bars in a year."""
        return self._bars(YangZhang, period, per_year)

    def talib(self, name: str, other: Any = None, **params: Any) -> Any:
        """Return a function of TA-Lib, e.g. ``talib("AROON", period=25)``, of the fields that it reads."""
        kind = talib_kind(name)
        if other is None and issubclass(kind, BarIndicator):
            return self._bar_lines(kind, *arranged(spec_of(name), params))
        return super().talib(name, other, **params)

    def __repr__(self) -> str:
        return "bars"
