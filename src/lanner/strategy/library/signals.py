"""Four classic rules as signal functions: bare of stops and targets, and therefore quick to search over thousands."""

from __future__ import annotations

from lanner.strategy.frame import BarFrame
from lanner.strategy.vector import signal


@signal("1h")
def ma_cross(bars: BarFrame, fast: int = 10, slow: int = 30) -> object:
    """Long while the fast average is above the slow one."""
    return bars.close.sma(fast) > bars.close.sma(slow)


@signal("1h")
def rsi_bounds(bars: BarFrame, period: int = 14, oversold: float = 30.0, overbought: float = 70.0) -> object:
    """Long from below the lower bound of the RSI until it is above the upper one."""
    strength = bars.close.rsi(period)
    return (strength < oversold).until(strength > overbought)


@signal("1h")
def macd_cross(bars: BarFrame, fast: int = 12, slow: int = 26, signal: int = 9) -> object:
    """Long while the MACD is above its signal line."""
    lines = bars.close.macd(fast, slow, signal)
    return lines.macd > lines.signal


@signal("1h")
def bollinger_bands(bars: BarFrame, period: int = 20, width: float = 2.0) -> object:
    """Long from below the lower band until the close is above the upper one."""
    bands = bars.close.bollinger(period, width)
    return (bars.close < bands.lower).until(bars.close > bands.upper)
