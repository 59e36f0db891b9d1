"""The built-in strategies: short, complete, and meant to be copied."""

from lanner.strategy.library.bollinger_breakout import BollingerBreakout
from lanner.strategy.library.dual_ma import DualMa
from lanner.strategy.library.grid import Grid
from lanner.strategy.library.macd_divergence import MacdDivergence
from lanner.strategy.library.rsi_mean_reversion import RsiMeanReversion
from lanner.strategy.library.triple_ma import TripleMa

BUILT_IN = (DualMa, TripleMa, RsiMeanReversion, BollingerBreakout, MacdDivergence, Grid)

__all__ = [
    "BUILT_IN",
    "BollingerBreakout",
    "DualMa",
    "Grid",
    "MacdDivergence",
    "RsiMeanReversion",
    "TripleMa",
]
