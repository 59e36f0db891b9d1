"""What a strategy hears without asking: who overrides a market data handler gets that data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanner.strategy.base import Strategy

if TYPE_CHECKING:
    from lanner.engine.engine import Engine


def subscribe_overridden(
    engine: Engine, strategy: Strategy, books: dict[str, list[Strategy]], funding: dict[str, list[Strategy]]
) -> None:
    """Give a strategy the data of the handlers that it overrides, for all of its instruments."""
    for instrument in engine.desks[strategy.id].instruments:
        if strategy.overrides("on_quote"):
            engine.subscribe_quotes(strategy, instrument.id)
        if strategy.overrides("on_trade"):
            engine.subscribe_trades(strategy, instrument.id)
        if strategy.overrides("on_book"):
            books.setdefault(instrument.id, []).append(strategy)
        if strategy.overrides("on_funding"):
            funding.setdefault(instrument.id, []).append(strategy)
        if strategy.overrides("on_bar") and not engine.subscriptions.has_bars(strategy):
            engine.subscribe_bars(strategy, instrument.id, strategy.timeframe)
