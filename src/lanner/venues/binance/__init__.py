"""Binance: spot and USD-M perpetuals, a codec each."""

from lanner.venues.binance.spec import BINANCE_SPOT, BINANCE_USDM

__all__ = ["BINANCE_SPOT", "BINANCE_USDM"]
