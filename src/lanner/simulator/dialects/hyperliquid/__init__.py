"""The Hyperliquid dialect of the venue simulator."""

from lanner.simulator.dialects.hyperliquid.dialect import HyperliquidDialect, make
from lanner.simulator.dialects.hyperliquid.venue import Options

__all__ = ["HyperliquidDialect", "Options", "make"]
