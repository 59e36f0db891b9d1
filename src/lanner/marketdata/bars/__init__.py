"""Bars from trades and from finer bars: by time, by trade count, by volume, by value."""

from lanner.marketdata.bars.arrays import aggregate_bars, bars_from_trades, resample
from lanner.marketdata.bars.by_activity import ActivityBarBuilder
from lanner.marketdata.bars.by_time import BarAggregator, TimeBarBuilder
from lanner.marketdata.bars.columns import BarColumns, TradeColumns
from lanner.marketdata.bars.grid import TimeGrid, check_divides, time_grid
from lanner.marketdata.bars.make import BarBuilder, bar_builder

__all__ = [
    "ActivityBarBuilder",
    "BarAggregator",
    "BarBuilder",
    "BarColumns",
    "TimeBarBuilder",
    "TimeGrid",
    "TradeColumns",
    "aggregate_bars",
    "bar_builder",
    "bars_from_trades",
    "check_divides",
    "resample",
    "time_grid",
]
