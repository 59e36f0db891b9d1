"""Seeded synthetic market data, always labelled as such."""

from lanner.marketdata.synth.bars import bar_frames, synthesize_bars
from lanner.marketdata.synth.market import Market, market_for

__all__ = ["Market", "bar_frames", "market_for", "synthesize_bars"]
