"""Shows prices to the stops that the engine watches itself; while there are none, nothing of this runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lanner.model.market import Bar, Quote, Trade

if TYPE_CHECKING:
    from lanner.engine.cache import Cache
    from lanner.engine.subscriptions import Subscriptions
    from lanner.execution.position_stops import PositionStops


class StopWatch:
    """Tell ``PositionStops`` the prices of the instruments that it watches.

    Quotes count with their mid; bars with their range, but only where there are no quotes, which have told it before.
    """

    def __init__(self, stops: PositionStops, cache: Cache, subscriptions: Subscriptions) -> None:
        self._stops = stops
        self._cache = cache
        self._subscriptions = subscriptions
        stops.book.on_watch = self.watch

    def watch(self, instrument_id: str, watched: bool) -> None:
        """Have the routes of an instrument show their prices, or stop it."""
        for bars in self._subscriptions.bars.values():
            if bars.instrument_id == instrument_id:
                bars.check = self.bar if watched else None
                bars.warm(0)
        quotes = self._subscriptions.quotes.get(instrument_id)
        if quotes is not None:
            quotes.check = self.quote if watched else None
            quotes.warm(0)

    def take(self, message: Any) -> None:
        """Take one message of market data, whatever it is."""
        if not self._stops.watched:
            return
        kind = type(message)
        if kind is Quote:
            self.quote(message)
        elif kind is Bar:
            self.bar(message)
        elif kind is Trade and message.instrument_id not in self._cache.quotes:
            self.trade(message)

    def quote(self, quote: Quote) -> None:
        """Take a quote."""
        self.price(quote.instrument_id, (quote.bid_px + quote.ask_px) * 0.5, quote.ts_recv)

    def trade(self, trade: Trade) -> None:
        """Take a public trade."""
        self.price(trade.instrument_id, trade.px, trade.ts_recv)

    def bar(self, bar: Bar) -> None:
        """Take a bar: its range was seen while it lasted, its close is the price now."""
        name = bar.instrument_id
        if name in self._stops.watched and name not in self._cache.quotes:
            self._stops.on_prices(name, bar.low, bar.high, bar.close, bar.ts_open)

    def price(self, instrument_id: str, px: float, ts: int) -> None:
        """Take a price of now."""
        if instrument_id in self._stops.watched:
            self._stops.on_prices(instrument_id, px, px, px, ts)
