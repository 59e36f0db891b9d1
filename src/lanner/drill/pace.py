"""How long a strategy must run until it may trade: one that works on bars needs so many of them first."""

from __future__ import annotations

from lanner.core.errors import ConfigError
from lanner.drill.scenario import INSTRUMENTS, Wishes
from lanner.engine.history import bars_needed
from lanner.live.build import build_engine, make_plan
from lanner.live.config import SessionConfig
from lanner.model.timeframes import split_series, timeframe_ns
from lanner.simulator.listing import markets_of
from lanner.venues.registry import PRODUCTS

QUICK = "1s"
"""The timeframe of a strategy's bars unless told: thousands of runs cannot wait for hours of them."""
MOST_WARM_S = 3_600.0


def seconds_to_warm(wishes: Wishes) -> float | None:
    """Return for how many seconds a strategy's indicators take in bars; None for one that works without bars.

    The strategy is started once for it, with a time but without a market; raises what it raises. A strategy that would
    need more than an hour is refused with a ``ConfigError``, unless the length of the runs is told.
    """
    product = (wishes.products or PRODUCTS)[0]
    config = SessionConfig(
        strategy=wishes.strategy,
        params=wishes.params,
        instruments=list(wishes.instruments or INSTRUMENTS[product][:1]),
        timeframe=wishes.timeframe or None,
    )
    listed = {market.instrument.id: market.instrument for market in markets_of(product)}
    engine = build_engine(make_plan(config, listed), "drill")
    engine.start(0)
    needs = {
        series: bars_needed(engine, series) * timeframe_ns(split_series(series)[1]) / 1e9
        for series in engine.subscriptions.bars
    }
    if not needs:
        return None
    slowest = max(needs, key=lambda series: needs[series])
    if needs[slowest] > MOST_WARM_S and not wishes.seconds:
        raise ConfigError(
            f"the strategy's indicators need {needs[slowest] / 3600:,.1f} hours of {slowest} before it trades",
            expected=f"at most {MOST_WARM_S / 3600:g} hour",
            fix="Give parameters with shorter periods (--param), a finer --timeframe, or a length (--seconds).",
        )
    return needs[slowest]
