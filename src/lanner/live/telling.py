"""Market data on the bus: the topics of each kind, and what an engine leaves untold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanner.model.market import Bar, BookUpdate, FundingRate, MarketData, MarkPrice, Quote, Trade

if TYPE_CHECKING:
    from lanner.core.bus import MessageBus
    from lanner.engine.engine import Engine


def tell(bus: MessageBus, message: MarketData) -> None:
    """Tell market data under all the topics that mean it."""
    name = message.instrument_id
    match message:
        case Quote():
            bus.publish(f"market_data.{name}", message)
        case Trade():
            bus.publish(f"trade.{name}", message)
            bus.publish(f"market_data.{name}", message)
        case Bar():
            bus.publish("bar.closed", message)
            bus.publish(f"candle.{message.series.replace('@', '.')}", message)
            bus.publish(f"market_data.{name}", message)
        case BookUpdate():
            bus.publish(f"orderbook.{name}.{'snapshot' if message.snapshot else 'delta'}", message)
        case MarkPrice():
            bus.publish(f"mark.{name}", message)
        case FundingRate():
            bus.publish(f"funding.{name}", message)


def tell_rest(engine: Engine, message: MarketData) -> None:
    """Tell what the engine did not: it has topics for what its strategies follow, and for quotes and books."""
    kind = type(message)
    if kind is Quote or kind is BookUpdate:
        return
    routes = engine.subscriptions
    if kind is Trade and message.instrument_id in routes.trades:
        engine.bus.publish(f"market_data.{message.instrument_id}", message)
    elif not (isinstance(message, Bar) and message.series in routes.bars):
        tell(engine.bus, message)
