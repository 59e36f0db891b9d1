"""Indicators: one definition each, streaming; the array form gives the same bits."""

from lanner.indicators.base import BarIndicator, BarLike, Indicator, Line, PairIndicator
from lanner.indicators.momentum import MACD, RSI, StochRSI
from lanner.indicators.moving import EMA, HMA, RMA, SMA, WMA
from lanner.indicators.pairs import Beta, Correlation
from lanner.indicators.ranges import ATR, CCI, Donchian, Keltner, Stochastic, TrueRange, WilliamsR
from lanner.indicators.trend import ADX, Ichimoku, ParabolicSAR
from lanner.indicators.volatility import GarmanKlass, Parkinson, Volatility, YangZhang
from lanner.indicators.volume import OBV, VWAP, AnchoredVWAP, SessionVWAP
from lanner.indicators.windows import ROC, Bollinger, Highest, Lowest, Shift, StdDev, Sum, ZScore

__all__ = [
    "ADX",
    "ATR",
    "CCI",
    "EMA",
    "HMA",
    "MACD",
    "OBV",
    "RMA",
    "ROC",
    "RSI",
    "SMA",
    "VWAP",
    "WMA",
    "AnchoredVWAP",
    "BarIndicator",
    "BarLike",
    "Beta",
    "Bollinger",
    "Correlation",
    "Donchian",
    "GarmanKlass",
    "Highest",
    "Ichimoku",
    "Indicator",
    "Keltner",
    "Line",
    "Lowest",
    "PairIndicator",
    "ParabolicSAR",
    "Parkinson",
    "SessionVWAP",
    "Shift",
    "StdDev",
    "StochRSI",
    "Stochastic",
    "Sum",
    "TrueRange",
    "Volatility",
    "WilliamsR",
    "YangZhang",
    "ZScore",
]
