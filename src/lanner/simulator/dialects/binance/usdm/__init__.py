"""Binance USD-M futures as the simulated venue speaks it."""

from lanner.simulator.dialects.binance.usdm.dialect import UsdmDialect, make

__all__ = ["UsdmDialect", "make"]
