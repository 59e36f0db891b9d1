"""What happens on the exchange becomes frames of public streams, at once or at each stream's own pace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from lanner.simulator.candles import DAY, MINUTE, Candle, candle_end, candle_start
from lanner.simulator.dialect import Kind
from lanner.simulator.dialects.binance.names import Topic
from lanner.simulator.dialects.binance.streams import Feed, Feeds, Render
from lanner.simulator.dialects.binance.tape import Aggregates, AggTrade, Stats, filled, window_stats
from lanner.simulator.dialects.binance.venue import Venue, encode
from lanner.simulator.events import BookChanged, PublicTrade
from lanner.simulator.markets import Market

Row = dict[str, Any]
WINDOWS = {"1h": 60 * MINUTE, "4h": 240 * MINUTE, "1d": DAY}
TICKERS = (Topic.MINI_TICKER, Topic.TICKER, Topic.ROLLING_TICKER)
CANDLES = (Topic.KLINE, Topic.CONTINUOUS_KLINE)


class Frames(Protocol):
    """The product's own words for public frames."""

    def trade(self, market: Market, one: PublicTrade, now_ns: int, micro: bool) -> bytes: ...
    def agg_trade(self, market: Market, one: AggTrade, now_ns: int, micro: bool) -> bytes: ...
    def quote(self, market: Market, now_ns: int, micro: bool) -> bytes: ...
    def depth(self, market: Market, feed: Feed, now_ns: int, micro: bool) -> bytes: ...
    def depth_top(self, market: Market, feed: Feed, now_ns: int, micro: bool) -> bytes: ...
    def kline(
        self, market: Market, interval: str, one: Candle, closed: bool, now_ns: int, micro: bool
    ) -> bytes: ...
    def mini_ticker(self, market: Market, found: Stats, now_ns: int, micro: bool) -> Row: ...
    def ticker(self, market: Market, found: Stats, now_ns: int, micro: bool, window: str = "") -> Row: ...


class Publisher:
    """Write the public streams of a product."""

    def __init__(self, venue: Venue, frames: Frames, feeds: Feeds, join_ns: int) -> None:
        self._venue = venue
        self._frames = frames
        self._feeds = feeds
        self._join_ns = join_ns
        self._aggregates: dict[str, Aggregates] = {}
        self._quotes: dict[str, tuple[Any, Any]] = {}
        self._gaps: dict[str, int] = {}
        self._stale: dict[str, tuple[int, Any]] = {}
        self._open: set[str] = set()
        """Symbols with an aggregate trade under way."""

    def aggregates(self, symbol: str) -> Aggregates:
        """Return the aggregate trades of a market."""
        found = self._aggregates.get(symbol)
        if found is None:
            found = self._aggregates[symbol] = Aggregates(self._join_ns)
        return found

    # -- faults -------------------------------------------------------------------------------------

    def lose(self, symbol: str, count: int) -> None:
        """Leave the next depth frames of a market unsent."""
        self._gaps[symbol] = self._gaps.get(symbol, 0) + count

    def freeze(self, symbol: str, count: int) -> None:
        """Answer the next requests for a market's book with the book of now."""
        self._stale[symbol] = (count, self._venue.exchange.snapshot(symbol))

    def stale(self, symbol: str) -> Any:
        """Return the old snapshot that is to be served, ``None`` for the present one."""
        found = self._stale.get(symbol)
        if found is None:
            return None
        count, snapshot = found
        if count <= 1:
            del self._stale[symbol]
        else:
            self._stale[symbol] = (count - 1, snapshot)
        return snapshot

    # -- events -------------------------------------------------------------------------------------------

    def on_book(self, event: BookChanged) -> None:
        """Take a change of a book."""
        symbol, feeds = event.market, self._feeds
        market = self._venue.exchange.markets[symbol]
        if symbol in self._open and not self._join_ns:
            self._close_aggregate(market, event.ts_ns)
        for feed in feeds.of(Topic.DEPTH, symbol):
            if not feed.first_seq:
                feed.first_seq = event.seq
            feed.last_seq = event.seq
            feed.bids.update(event.bids)
            feed.asks.update(event.asks)
        for feed in feeds.of(Topic.DEPTH_TOP, symbol):
            feed.changed = True
        one, everybody = feeds.of(Topic.QUOTE, symbol), feeds.of(Topic.QUOTE, "")
        if one or everybody:
            quote = (market.best_bid, market.best_ask)
            if self._quotes.get(symbol) != quote:
                self._quotes[symbol] = quote
                now_ns = event.ts_ns

                def render(micro: bool) -> bytes:
                    return self._frames.quote(market, now_ns, micro)

                for feed in (*one, *everybody):
                    feed.send(render, Kind.QUOTE)

    def on_trade(self, event: PublicTrade) -> None:
        """Take a public trade."""
        symbol, feeds = event.market, self._feeds
        market = self._venue.exchange.markets[symbol]
        trades = feeds.of(Topic.TRADE, symbol)
        if trades:

            def render(micro: bool) -> bytes:
                return self._frames.trade(market, event, event.ts_ns, micro)

            for feed in trades:
                feed.send(render, Kind.TRADE)
        done = self.aggregates(symbol).add(event)
        self._open.add(symbol)
        if done is not None:
            self._send_aggregate(market, done, event.ts_ns)
        for topic in (*TICKERS, *CANDLES, Topic.AVG_PRICE):
            for feed in feeds.of(topic, symbol):
                feed.changed = True
        for topic in TICKERS:
            for feed in feeds.of(topic, ""):
                feed.symbols.add(symbol)

    def _close_aggregate(self, market: Market, now_ns: int) -> None:
        self._open.discard(market.symbol)
        done = self.aggregates(market.symbol).close()
        if done is not None:
            self._send_aggregate(market, done, now_ns)

    def _send_aggregate(self, market: Market, done: AggTrade, now_ns: int) -> None:
        for feed in self._feeds.of(Topic.AGG_TRADE, market.symbol):
            feed.send(lambda micro: self._frames.agg_trade(market, done, now_ns, micro), Kind.TRADE)

    # -- pace ---------------------------------------------------------------------------------------------

    def joined(self, feed: Feed, now_ns: int) -> None:
        """Set the pace of a feed that somebody joined."""
        every_ns = feed.stream.every_ms * 10**6
        if every_ns and not feed.due_ns:
            feed.due_ns = now_ns - now_ns % every_ns + every_ns
        if feed.stream.topic in CANDLES and not feed.open_ns:
            feed.open_ns = candle_start(now_ns, _interval(feed))

    def tick(self, now_ns: int) -> None:
        """Send what is due."""
        for symbol in list(self._open):
            market = self._venue.exchange.markets[symbol]
            if self.aggregates(symbol).is_due(now_ns):
                self._close_aggregate(market, now_ns)
        for feed in list(self._feeds.timed):
            if feed.stream.topic in CANDLES:
                self._close_candles(feed, now_ns)
            if now_ns >= feed.due_ns:
                every_ns = feed.stream.every_ms * 10**6
                feed.due_ns = now_ns - now_ns % every_ns + every_ns
                self.flush(feed, now_ns)

    def flush(self, feed: Feed, now_ns: int) -> None:
        """Send what a feed has gathered."""
        topic, symbol = feed.stream.topic, feed.stream.symbol
        if not symbol:
            self._send_all(feed, now_ns)
            return
        market = self._venue.exchange.markets.get(symbol)
        if market is None or market.is_spot != self._venue.spot:
            return
        if topic == Topic.DEPTH:
            self._send_depth(feed, market, now_ns)
        elif feed.changed or topic == Topic.MARK_PRICE:
            feed.changed = False
            self._send_one(feed, market, now_ns)

    def _send_depth(self, feed: Feed, market: Market, now_ns: int) -> None:
        if not feed.first_seq:
            return
        lost = self._gaps.get(market.symbol, 0)
        if lost:
            self._gaps[market.symbol] = lost - 1
        else:
            feed.send(lambda micro: self._frames.depth(market, feed, now_ns, micro), Kind.BOOK)
        feed.sent_seq = feed.last_seq
        feed.first_seq = feed.last_seq = 0
        feed.bids.clear()
        feed.asks.clear()

    def _send_one(self, feed: Feed, market: Market, now_ns: int) -> None:
        topic, frames = feed.stream.topic, self._frames
        kind = Kind.SNAPSHOT if topic == Topic.DEPTH_TOP else Kind.MARKET
        render: Render
        if topic == Topic.DEPTH_TOP:
            render = _partial(frames.depth_top, market, feed, now_ns)
        elif topic in CANDLES:
            interval = _interval(feed)
            candle = candle_at(market, interval, candle_start(now_ns, interval))
            render = _partial(self._candle_frame(feed), market, interval, candle, False, now_ns)
        elif topic in TICKERS:
            render = self._ticker_render(feed, market, now_ns)
        else:
            write: Callable[..., bytes] = getattr(
                frames, "avg_price" if topic == Topic.AVG_PRICE else "mark_price"
            )
            render = _partial(write, market, now_ns)
        feed.send(render, kind)

    def _ticker_render(self, feed: Feed, market: Market, now_ns: int) -> Render:
        topic, window = feed.stream.topic, feed.stream.spec
        found = ticker_stats(market, now_ns, window)
        if topic == Topic.MINI_TICKER:
            return lambda micro: encode(self._frames.mini_ticker(market, found, now_ns, micro))
        return lambda micro: encode(self._frames.ticker(market, found, now_ns, micro, window))

    def _candle_frame(self, feed: Feed) -> Callable[..., bytes]:
        if feed.stream.topic == Topic.KLINE:
            return self._frames.kline
        found: Callable[..., bytes] = getattr(self._frames, "continuous_kline")  # noqa: B009 - USD-M only
        return found

    def _close_candles(self, feed: Feed, now_ns: int) -> None:
        interval = _interval(feed)
        if now_ns < candle_end(feed.open_ns, interval):
            return
        market = self._venue.exchange.markets.get(feed.stream.symbol)
        closed_ns, feed.open_ns = feed.open_ns, candle_start(now_ns, interval)
        if market is not None and market.is_spot == self._venue.spot and market.last_ticks:
            candle = candle_at(market, interval, closed_ns)
            feed.send(_partial(self._candle_frame(feed), market, interval, candle, True, now_ns), Kind.MARKET)
            feed.changed = True

    def _send_all(self, feed: Feed, now_ns: int) -> None:
        topic, window = feed.stream.topic, feed.stream.spec
        if topic == Topic.MARK_PRICE:
            write: Callable[..., Row] = getattr(self._frames, "mark_price_row")  # noqa: B009 - USD-M only
            rows = [market for market in self._venue.markets if market.mark_ticks]
            if rows:
                feed.send(
                    lambda micro: encode([write(market, now_ns, micro) for market in rows]), Kind.MARKET
                )
            return
        markets = [self._venue.exchange.markets[symbol] for symbol in sorted(feed.symbols)]
        feed.symbols.clear()
        if not markets:
            return
        found = [(market, ticker_stats(market, now_ns, window)) for market in markets]
        frames = self._frames

        def render(micro: bool) -> bytes:
            if topic == Topic.MINI_TICKER:
                return encode([frames.mini_ticker(market, stats, now_ns, micro) for market, stats in found])
            return encode([frames.ticker(market, stats, now_ns, micro, window) for market, stats in found])

        feed.send(render, Kind.MARKET)


def ticker_stats(market: Market, now_ns: int, window: str) -> Stats:
    """Return the statistics behind a ticker: a rolling window starts on a minute."""
    if not window:
        return window_stats(market, now_ns)
    since = now_ns - WINDOWS[window]
    return window_stats(market, now_ns, since_ns=since - since % MINUTE)


def candle_at(market: Market, interval: str, start_ns: int) -> Candle:
    """Return the candle that starts at a moment; flat at the price before it when nothing traded."""
    found = market.candles.read(interval, start_ns, start_ns)
    if found:
        return found[0]
    before = filled(market.candles.read(interval, 0, start_ns - 1, 1), interval, start_ns)
    if before:
        return before[-1]
    last = market.last_ticks
    return Candle(start_ns, last, last, last, last)


def _interval(feed: Feed) -> str:
    return feed.stream.spec.removesuffix("+8")


def _partial(write: Callable[..., bytes], *arguments: Any) -> Render:
    return lambda micro: write(*arguments, micro)
