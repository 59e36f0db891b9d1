"""Indicators: one definition each, streaming; the array form is the same code run over a series."""

from lanner.indicators.base import BarIndicator, BarLike, Indicator, Line
from lanner.indicators.momentum import MACD, RSI
from lanner.indicators.moving import EMA, RMA, SMA, WMA
from lanner.indicators.ranges import ATR, CCI, Donchian, Stochastic, TrueRange, WilliamsR
from lanner.indicators.trend import ADX
from lanner.indicators.volume import OBV, VWAP
from lanner.indicators.windows import ROC, Bollinger, Highest, Lowest, Shift, StdDev, Sum, ZScore

__all__ = [
    "ADX",
    "ATR",
    "CCI",
    "EMA",
    "MACD",
    "OBV",
    "RMA",
    "ROC",
    "RSI",
    "SMA",
    "VWAP",
    "WMA",
    "BarIndicator",
    "BarLike",
    "Bollinger",
    "Donchian",
    "Highest",
    "Indicator",
    "Line",
    "Lowest",
    "Shift",
    "StdDev",
    "Stochastic",
    "Sum",
    "TrueRange",
    "WilliamsR",
    "ZScore",
]
