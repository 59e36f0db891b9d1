"""``bars``, as a signal function sees them."""

from __future__ import annotations

from lanner.core.errors import StrategyError
from lanner.indicators import ADX, ATR, CCI, OBV, VWAP, Donchian, Stochastic, TrueRange, WilliamsR
from lanner.indicators.base import Lines
from lanner.strategy.expression import AdxExpr, BandsExpr, Declares, Expr, StochasticExpr, declare


class BarFrame(Declares):
    """The bars of a signal function: fields, indicators of whole bars, and indicators of the close."""

    __slots__ = ()

    def _bars(self, kind: type[Lines], *params: object) -> Expr:
        return Expr(self._graph, declare(self._graph, kind, params))

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

    def donchian(self, period: int = 20) -> BandsExpr:
        """Return the channel of highs and lows with the lines ``middle``, ``upper`` and ``lower``."""
        return BandsExpr(self._graph, declare(self._graph, Donchian, (period,)))

    def stochastic(self, period: int = 14, smooth: int = 3, signal: int = 3) -> StochasticExpr:
        """Return the stochastic oscillator with the lines ``k`` and ``d``, 0 to 100."""
        return StochasticExpr(self._graph, declare(self._graph, Stochastic, (period, smooth, signal)))

    def williams_r(self, period: int = 14) -> Expr:
        """Return Williams %R, −100 to 0."""
        return self._bars(WilliamsR, period)

    def cci(self, period: int = 20) -> Expr:
        """Return the commodity channel index."""
        return self._bars(CCI, period)

    def adx(self, period: int = 14) -> AdxExpr:
        """Return the directional index with the lines ``adx``, ``plus_di`` and ``minus_di``."""
        return AdxExpr(self._graph, declare(self._graph, ADX, (period,)))

    def obv(self) -> Expr:
        """Return the on-balance volume."""
        return self._bars(OBV)

    def vwap(self, reset_daily: bool = False) -> Expr:
        """Return the volume-weighted average price since the start, or since midnight UTC."""
        return self._bars(VWAP, reset_daily)

    def __repr__(self) -> str:
        return "bars"
