"""How much of the past the strategies of an engine want to have seen."""

from __future__ import annotations

from lanner.engine.engine import Engine
from lanner.model.timeframes import timeframe_ns


def bars_needed(engine: Engine, series: str) -> int:
    """Return how many bars of a series its indicators need, and those of coarser series built from it."""
    route = engine.subscriptions.bars.get(series)
    if route is None:
        return 0
    needed = max((declared.bars_to_warm for _, declared in route.owners), default=0)
    for aggregator in route.aggregators:
        ratio = timeframe_ns(aggregator.series.rpartition("@")[2]) // timeframe_ns(series.rpartition("@")[2])
        needed = max(needed, (bars_needed(engine, aggregator.series) + 1) * ratio)
    return needed
