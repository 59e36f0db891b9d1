"""The cache: the one place that knows the present state of markets, orders and positions.

Lookups are dictionary reads. The engine writes, everybody else reads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from lanner.core.bus import Handler, MessageBus
from lanner.core.errors import ConfigError, NotFoundError
from lanner.marketdata.book import L2Book
from lanner.model.instruments import Instrument
from lanner.model.market import Bar, BookUpdate, FundingRate, MarketData, MarkPrice, Quote, Trade
from lanner.model.orders import Order, OrderView
from lanner.model.timeframes import series_id
from lanner.portfolio.positions import Position, PositionView

MAX_BARS = 1000
QUOTE_EXPIRY_NS = 60_000_000_000


class Cache:
    """Hold instruments, the latest market data, the last bars of each series, orders and positions.

    ``live`` takes books as venues show them, old levels off today's grid included; data at rest must fit. A bus may
    stand in the place of the instruments: with ``enable_notifications`` what the cache has learnt is told on it, as
    ``quote.update``, ``orderbook.update``, ``order.update``, ``position.update`` and ``account.update``.
    """

    def __init__(
        self,
        instruments: Mapping[str, Instrument] | MessageBus | None = None,
        max_bars: int = MAX_BARS,
        *,
        live: bool = False,
        enable_notifications: bool = False,
    ) -> None:
        bus = instruments if isinstance(instruments, MessageBus) else None
        if enable_notifications:
            if bus is None:
                raise ConfigError(
                    "notifications need a bus", expected="Cache(bus, enable_notifications=True)"
                )
            _notify(bus)
        known = None if isinstance(instruments, MessageBus) else instruments
        self.instruments = dict(known or {})
        self.live = live
        self.max_bars = max_bars
        self.marks: dict[str, float] = {}
        self.quotes: dict[str, Quote] = {}
        self.trades: dict[str, Trade] = {}
        self.books: dict[str, L2Book] = {}
        self.mark_prices: dict[str, MarkPrice] = {}
        self.funding: dict[str, FundingRate] = {}
        self.bars: dict[str, deque[Bar]] = {}
        self.orders: Mapping[str, Order] = {}
        self.positions: Mapping[tuple[str, str], Position] = {}

    def instrument(self, instrument_id: str) -> Instrument:
        """Return an instrument, or raise ``NotFoundError`` naming the known ones."""
        found = self.instruments.get(instrument_id)
        if found is None:
            raise NotFoundError(
                f"no instrument {instrument_id!r} in this run",
                expected=f"one of {', '.join(self.instruments)}",
            )
        return found

    def series(self, instrument_id: str, timeframe: str) -> deque[Bar]:
        """Return the kept bars of a series, oldest first (at most ``max_bars``)."""
        key = series_id(instrument_id, timeframe)
        if key not in self.bars:
            self.bars[key] = deque(maxlen=self.max_bars)
        return self.bars[key]

    def add_bar(self, history: deque[Bar], bar: Bar) -> None:
        """Append a bar; one with the open time of the last replaces it."""
        if history and history[-1].ts_open == bar.ts_open:
            history[-1] = bar
        else:
            history.append(bar)

    def take(self, message: MarketData) -> None:
        """Note one message of market data, for those who watch a market without an engine."""
        kind = type(message)
        if kind is Quote:
            self._take_quote(message)  # type: ignore[arg-type]
        elif kind is BookUpdate:
            self.take_book(message)  # type: ignore[arg-type]
        elif kind is Trade:
            self.trades[message.instrument_id] = message  # type: ignore[assignment]
        elif kind is Bar:
            self.add_bar(self.series(message.instrument_id, message.timeframe), message)  # type: ignore[arg-type, union-attr]
        elif kind is MarkPrice:
            self.mark_prices[message.instrument_id] = message  # type: ignore[assignment]
        else:
            self.funding[message.instrument_id] = message  # type: ignore[assignment]

    def _take_quote(self, quote: Quote) -> None:
        name = quote.instrument_id
        self.quotes[name] = quote
        mid = quote.mid
        if mid == mid:  # a side that is empty leaves the last price known
            self.marks[name] = mid

    def take_book(self, update: BookUpdate) -> L2Book:
        """Apply a change to its book, which is made with its first one."""
        name = update.instrument_id
        book = self.books.get(name)
        if book is None:
            book = self.books[name] = L2Book(self.instrument(name), refines=self.live)
        book.apply(update)
        return book

    def quote(self, instrument_id: str) -> Quote | None:
        """Return the last quote."""
        return self.quotes.get(instrument_id)

    def top_of(self, book: L2Book) -> Quote | None:
        """Return a quote of a book's top when it is whole and differs from the quote that is known."""
        last = self.quotes.get(book.instrument_id)
        top = (book.best_bid, book.bid_qty, book.best_ask, book.ask_qty)
        if top[0] != top[0] or top[2] != top[2]:
            return None
        if last is not None and (last.bid_px, last.bid_qty, last.ask_px, last.ask_qty) == top:
            return None
        return Quote(book.instrument_id, book.ts_event, book.ts_recv, *top, book.seq)

    def best_bid(self, instrument_id: str) -> float:
        """Return the best bid of the book, NaN without one."""
        book = self.books.get(instrument_id)
        return float("nan") if book is None else book.best_bid

    def best_ask(self, instrument_id: str) -> float:
        """Return the best ask of the book, NaN without one."""
        book = self.books.get(instrument_id)
        return float("nan") if book is None else book.best_ask

    def quote_is_expired(self, instrument_id: str, now: int, expiry_ns: int = QUOTE_EXPIRY_NS) -> bool:
        """Tell whether there is no quote younger than the expiry."""
        quote = self.quotes.get(instrument_id)
        return quote is None or now - quote.ts_recv > expiry_ns

    def price(self, instrument_id: str) -> float:
        """Return the last known price, NaN before the first one."""
        return self.marks.get(instrument_id, float("nan"))

    def order(self, order_id: str) -> OrderView | None:
        """Return an order by its id."""
        found = self.orders.get(order_id)
        return None if found is None else OrderView(found)

    def open_orders(self, instrument_id: str | None = None) -> list[OrderView]:
        """Return all orders that may still fill."""
        return [
            OrderView(order)
            for order in self.orders.values()
            if order.is_open and instrument_id in (None, order.instrument_id)
        ]

    def position(self, strategy_id: str, instrument_id: str) -> PositionView | None:
        """Return a strategy's position, or None where it never had one."""
        found = self.positions.get((strategy_id, instrument_id))
        return None if found is None else PositionView(found, self.price(instrument_id))

    def stats(self) -> dict[str, int]:
        """Return how much of each kind is held."""
        kinds: dict[str, Iterable[object]] = {
            "instruments": self.instruments,
            "quotes": self.quotes,
            "books": self.books,
            "series": self.bars,
            "orders": self.orders,
            "positions": self.positions,
        }
        return {name: len(list(held)) for name, held in kinds.items()}

    def clear(self) -> None:
        """Forget all market data; instruments, orders and positions belong to others and stay."""
        for kept in (
            self.marks,
            self.quotes,
            self.trades,
            self.books,
            self.mark_prices,
            self.funding,
            self.bars,
        ):
            kept.clear()


def _notify(bus: MessageBus) -> None:
    """Tell what was told of one thing under the topic of its kind, after the cache has it."""

    def quoted(event: object) -> None:
        if isinstance(event, Quote):
            bus.publish("quote.update", event)

    def unless_told(kind: str) -> Handler:
        topic_of = f"{kind}.update"

        def tell(topic: str, event: object) -> None:
            if topic != topic_of:
                bus.publish(topic_of, event)

        return tell

    bus.subscribe("market_data.*", quoted)
    for kind in ("orderbook", "order", "position", "account"):
        bus.subscribe(f"{kind}.*", unless_told(kind))
