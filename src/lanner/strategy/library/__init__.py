"""The built-in strategies: short, complete, and meant to be copied."""

from lanner.strategy.library.dual_ma import DualMa

BUILT_IN = (DualMa,)

__all__ = ["BUILT_IN", "DualMa"]
