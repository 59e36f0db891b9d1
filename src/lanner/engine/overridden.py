"""What a strategy hears without asking: who overrides a market data handler gets that data.

Who declares bars, quotes or trades of some instruments hears of these, and of no others. Where none are declared,
quotes, trades, books and funding are those of all instruments, bars those of the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lanner.engine.subscriptions import BarRoute, TickRoute
from lanner.strategy.base import Strategy

if TYPE_CHECKING:
    from lanner.engine.engine import Engine


def subscribe_overridden(
    engine: Engine, strategy: Strategy, books: dict[str, list[Strategy]], funding: dict[str, list[Strategy]]
) -> None:
    """Give a strategy the data of the handlers that it overrides and declared nothing for."""
    routes = engine.subscriptions
    wants_quotes = strategy.overrides("on_quote") and not is_owner(strategy, routes.quotes)
    wants_trades = strategy.overrides("on_trade") and not is_owner(strategy, routes.trades)
    instruments = engine.desks[strategy.id].instruments
    if strategy.overrides("on_bar") and not is_owner(strategy, routes.bars):
        engine.subscribe_bars(strategy, instruments[0].id, strategy.timeframe)
    for instrument in instruments:
        if wants_quotes:
            engine.subscribe_quotes(strategy, instrument.id)
        if wants_trades:
            engine.subscribe_trades(strategy, instrument.id)
        if strategy.overrides("on_book"):
            books.setdefault(instrument.id, []).append(strategy)
        if strategy.overrides("on_funding"):
            funding.setdefault(instrument.id, []).append(strategy)


def is_owner(strategy: Strategy, routes: Mapping[str, BarRoute | TickRoute]) -> bool:
    """Tell whether a strategy declared a series of one of these kinds itself."""
    return any(owner is strategy for route in routes.values() for owner, _ in route.owners)
