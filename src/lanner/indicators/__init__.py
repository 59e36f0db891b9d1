"""Indicators: one definition each."""

from lanner.indicators.base import BarIndicator, Indicator, Line
from lanner.indicators.moving import EMA, SMA

__all__ = ["EMA", "SMA", "BarIndicator", "Indicator", "Line"]
