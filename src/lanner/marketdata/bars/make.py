"""Choose the builder for a bar series."""

from __future__ import annotations

from lanner.marketdata.bars.by_activity import ActivityBarBuilder
from lanner.marketdata.bars.by_time import Empty, TimeBarBuilder
from lanner.model.timeframes import TIMEFRAMES_NS, split_series

BarBuilder = TimeBarBuilder | ActivityBarBuilder


def bar_builder(series: str, *, empty: Empty = "none", split: bool = False) -> BarBuilder:
    """Return the builder that makes the bars of ``series`` from trades.

    The part behind the ``@`` decides: ``BTC-USDT.BINANCE@1m`` by time, ``…@100tick`` by activity.
    """
    if split_series(series)[1] in TIMEFRAMES_NS:
        return TimeBarBuilder(series, empty=empty)
    return ActivityBarBuilder(series, split=split)
