"""What a paper session assumes of its venue, from the settings: the same words as a backtest's."""

from __future__ import annotations

from decimal import Decimal

from lanner.backtest.config import LatencyConfig
from lanner.backtest.prepare_venues import delay_of
from lanner.live.config import SessionConfig
from lanner.sim.settings import (
    FillSettings,
    GapFill,
    Latency,
    LatencyKind,
    LatencySettings,
    LimitOn,
    MarketOn,
    Slippage,
    SlippageModel,
    VenueSettings,
)


def paper_venue(config: SessionConfig, venue: str, currency: str) -> VenueSettings:
    """Return the simulated venue: market data come when they come, the rest as the settings say."""
    fills = config.fills
    return VenueSettings(
        name=venue,
        balances={currency: config.cash},
        slippage=Slippage(SlippageModel(config.slippage.model), config.slippage.value),
        latency=_latency(config.latency),
        fills=FillSettings(
            market_on=MarketOn(fills.market_on),
            limit_on=LimitOn(fills.limit_on),
            gap_fill=GapFill(fills.gap_fill),
            participation=fills.participation,
            bar_participation=fills.bar_participation,
            walk_ticks=fills.walk_ticks,
        ),
        leverage=config.leverage or Decimal(1),
    )


def _latency(config: LatencyConfig) -> LatencySettings:
    return LatencySettings(
        feed=Latency(LatencyKind.RECORDED),
        entry=delay_of(config.entry),
        exchange=delay_of(config.exchange),
        response=delay_of(config.response),
        cancel=delay_of(config.cancel) if config.cancel is not None else None,
        amend=delay_of(config.amend) if config.amend is not None else None,
    )
