"""Seeded synthetic market data, always labelled as such."""

from lanner.marketdata.synth.bars import bar_frames, coarse_bars, synthesize_bars
from lanner.marketdata.synth.books import BookMaker
from lanner.marketdata.synth.funding import synthesize_funding
from lanner.marketdata.synth.market import Market, market_for
from lanner.marketdata.synth.plan import SYNTH_KINDS, SynthPlan, synth_instrument, usual_price
from lanner.marketdata.synth.ticks import Day, quotes_frame, tick_days, trade_columns, trades_frame

__all__ = [
    "SYNTH_KINDS",
    "BookMaker",
    "Day",
    "Market",
    "SynthPlan",
    "bar_frames",
    "coarse_bars",
    "market_for",
    "quotes_frame",
    "synth_instrument",
    "synthesize_bars",
    "synthesize_funding",
    "tick_days",
    "trade_columns",
    "trades_frame",
    "usual_price",
]
