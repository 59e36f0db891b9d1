"""Seeded synthetic market data, always labelled as such."""

from lanner.marketdata.synth.bars import bar_frames, coarse_bars, synthesize_bars
from lanner.marketdata.synth.books import BookMaker
from lanner.marketdata.synth.funding import synthesize_funding
from lanner.marketdata.synth.market import Market, market_for
from lanner.marketdata.synth.ticks import Day, quotes_frame, tick_days, trade_columns, trades_frame

__all__ = [
    "BookMaker",
    "Day",
    "Market",
    "bar_frames",
    "coarse_bars",
    "market_for",
    "quotes_frame",
    "synthesize_bars",
    "synthesize_funding",
    "tick_days",
    "trade_columns",
    "trades_frame",
]
