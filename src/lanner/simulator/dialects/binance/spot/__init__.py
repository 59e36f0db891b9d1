"""Binance spot as the simulated venue speaks it."""

from lanner.simulator.dialects.binance.spot.dialect import SpotDialect, make

__all__ = ["SpotDialect", "make"]
