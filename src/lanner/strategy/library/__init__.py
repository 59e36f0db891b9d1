"""The built-in strategies: short, complete, and meant to be copied."""

from lanner.strategy.library.bollinger_breakout import BollingerBreakout
from lanner.strategy.library.dual_ma import DualMa
from lanner.strategy.library.grid import Grid
from lanner.strategy.library.macd_divergence import MacdDivergence
from lanner.strategy.library.rsi_mean_reversion import RsiMeanReversion
from lanner.strategy.library.signals import bollinger_bands, ma_cross, macd_cross, rsi_bounds
from lanner.strategy.library.triple_ma import TripleMa

BUILT_IN = (DualMa, TripleMa, RsiMeanReversion, BollingerBreakout, MacdDivergence, Grid)
SIGNALS = (ma_cross, rsi_bounds, macd_cross, bollinger_bands)

__all__ = [
    "BUILT_IN",
    "SIGNALS",
    "BollingerBreakout",
    "DualMa",
    "Grid",
    "MacdDivergence",
    "RsiMeanReversion",
    "TripleMa",
    "bollinger_bands",
    "ma_cross",
    "macd_cross",
    "rsi_bounds",
]
