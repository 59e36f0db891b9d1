"""A strategy that does nothing of its own: the hand of orders that come from outside, over the bus or by hand."""

from __future__ import annotations

from lanner.strategy.base import Strategy


class Idle(Strategy):
    """Hold what is bought by hand, and decide nothing."""
