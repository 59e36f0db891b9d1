"""Who gets what: the routes from a series to its indicators and handlers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

from lanner.core.errors import ConfigError
from lanner.engine.cache import Cache
from lanner.marketdata.bars import BarAggregator, BarBuilder, bar_builder
from lanner.model.market import Bar, MarketData, Quote, Trade
from lanner.model.timeframes import series_id, split_series, timeframe_ns
from lanner.strategy.base import Strategy
from lanner.strategy.series import BarSeries, QuoteSeries, ScalarSeries, TradeSeries

Update = Callable[[float], None]


class MissingSeriesError(ConfigError):
    """A strategy asks for market data that this run does not have: a matter of settings, not of its code."""


class BarRoute:
    """What happens when a bar of one series closes.

    ``updates`` follow the close and run on every bar. ``busy`` says that there is more to do: whole-bar
    indicators, handlers that wait for their indicators, coarser bars to build, watchers on the bus, and ``check``,
    which shows the prices to the stops that are watched here.
    """

    __slots__ = (
        "aggregators",
        "bar_updates",
        "busy",
        "check",
        "handlers",
        "history",
        "instrument_id",
        "owners",
        "seen",
        "series",
        "topic",
        "updates",
        "waiting",
        "watched",
    )

    def __init__(self, series: str, history: deque[Bar]) -> None:
        self.series = series
        self.instrument_id = split_series(series)[0]
        self.history = history
        self.updates: tuple[Update, ...] = ()
        self.bar_updates: tuple[Callable[[Bar], None], ...] = ()
        self.handlers: tuple[Callable[[Bar], None], ...] = ()
        self.waiting: list[tuple[BarSeries, Strategy]] = []
        self.owners: list[tuple[Strategy, BarSeries]] = []
        self.aggregators: list[BarAggregator] = []
        self.topic = f"candle.{self.series.replace('@', '.')}"
        self.watched = False
        self.check: Callable[[Bar], None] | None = None
        self.busy = False
        self.seen = 0

    def seal(self) -> None:
        """Gather what was declared, once all strategies have started."""
        updates: list[Update] = []
        bar_updates: list[Callable[[Bar], None]] = []
        for _, declared in self.owners:
            updates += [indicator.update for indicator in declared.indicators]
            bar_updates += [indicator.update_bar for indicator in declared.bar_indicators]
            for field, series in declared.fields.items():
                bar_updates += [_field_update(field, indicator.update) for indicator in series.indicators]
        self.updates, self.bar_updates = tuple(updates), tuple(bar_updates)
        self.waiting = [
            (declared, strategy) for strategy, declared in self.owners if strategy.overrides("on_bar")
        ]
        self.warm(0)

    def warm(self, inputs: int = 1) -> None:
        """Count inputs, and let the handlers in whose indicators have all had enough bars."""
        self.seen += inputs
        seen = [entry for entry in self.waiting if entry[0].bars_to_warm <= self.seen]
        if seen:
            self.waiting = [entry for entry in self.waiting if entry not in seen]
            late = {id(strategy) for _, strategy in self.waiting}
            unique = dict.fromkeys(s for s, _ in self.owners if id(s) not in late and s.overrides("on_bar"))
            self.handlers = tuple(strategy.on_bar for strategy in unique)
        self.busy = bool(self.bar_updates or self.waiting or self.aggregators or self.watched or self.check)


class TickRoute:
    """What happens when a quote or a trade comes: indicators, and the handlers whose indicators are warm."""

    __slots__ = ("handlers", "owners", "seen", "updates", "waiting")
    handler: ClassVar[str]

    def __init__(self) -> None:
        self.owners: list[tuple[Strategy, ScalarSeries]] = []
        self.updates: tuple[Update, ...] = ()
        self.handlers: tuple[Callable[[Any], None], ...] = ()
        self.waiting: list[tuple[ScalarSeries, Strategy]] = []
        self.seen = 0

    def seal(self) -> None:
        """Gather what was declared."""
        self.updates = tuple(i.update for _, series in self.owners for i in series.indicators)
        self.waiting = [(series, s) for s, series in self.owners if s.overrides(self.handler)]
        self.warm(0)

    def warm(self, inputs: int = 1) -> None:
        """Count inputs, and let the handlers in whose indicators are warm."""
        self.seen += inputs
        seen = [entry for entry in self.waiting if entry[0].warmup <= self.seen]
        if seen:
            self.waiting = [entry for entry in self.waiting if entry not in seen]
            late = {id(strategy) for _, strategy in self.waiting}
            unique = dict.fromkeys(
                s for s, _ in self.owners if id(s) not in late and s.overrides(self.handler)
            )
            self.handlers = tuple(getattr(strategy, self.handler) for strategy in unique)


class QuoteRoute(TickRoute):
    """What happens when a quote comes; ``busy`` tells that there is more to do than updates and handlers.

    ``check`` shows the price to the stops that are watched here.
    """

    __slots__ = ("busy", "check", "watched")
    handler = "on_quote"

    def __init__(self) -> None:
        super().__init__()
        self.watched = False
        self.check: Callable[[Quote], None] | None = None
        self.busy = False

    def warm(self, inputs: int = 1) -> None:
        """Count inputs, and let the handlers in whose indicators are warm."""
        super().warm(inputs)
        self.busy = bool(self.waiting or self.watched or self.check)


class TradeRoute(TickRoute):
    """What happens when a public trade comes; ``builders`` make bars of it."""

    __slots__ = ("builders",)
    handler = "on_trade"

    def __init__(self) -> None:
        super().__init__()
        self.builders: list[BarBuilder] = []


class Subscriptions:
    """The routes of an engine, and where each bar series comes from.

    ``sources`` names what data the run has by instrument: bar timeframes and whether there are trades. A bar
    series that is not among them is built from the coarsest finer bars, else from trades.
    """

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self.bars: dict[str, BarRoute] = {}
        self.quotes: dict[str, QuoteRoute] = {}
        self.trades: dict[str, TradeRoute] = {}
        self.source_bars: dict[str, set[str]] = {}
        self.source_ticks: dict[str, set[str]] = {}

    def add_source(self, kind: str, instrument_id: str, spec: str = "") -> None:
        """Tell that the run has data of a kind (bars with their timeframe, quotes, trades, book)."""
        if kind == "bars":
            self.source_bars.setdefault(instrument_id, set()).add(spec)
        else:
            self.source_ticks.setdefault(instrument_id, set()).add(kind)

    def only_books(self) -> set[str]:
        """Return the instruments whose best prices are known from their books only."""
        return {name for name, has in self.source_ticks.items() if "book" in has and "quotes" not in has}

    def add_bars(self, strategy: Strategy, instrument_id: str, timeframe: str) -> BarSeries:
        """Subscribe to bars; each call gives a series of its own."""
        timeframe_ns(timeframe)
        route = self._bar_route(instrument_id, timeframe)
        declared = BarSeries(route.series, route.history)
        route.owners.append((strategy, declared))
        return declared

    def add_quotes(self, strategy: Strategy, instrument_id: str) -> QuoteSeries:
        """Subscribe to quotes."""
        self._need(instrument_id, ("quotes", "book"), "quotes")
        route = self.quotes.setdefault(instrument_id, QuoteRoute())
        declared = QuoteSeries(instrument_id)
        route.owners.append((strategy, declared))
        return declared

    def add_trades(self, strategy: Strategy, instrument_id: str) -> TradeSeries:
        """Subscribe to trades."""
        self._need(instrument_id, ("trades",), "trades")
        route = self.trades.setdefault(instrument_id, TradeRoute())
        declared = TradeSeries(instrument_id)
        route.owners.append((strategy, declared))
        return declared

    def seal(self) -> None:
        """Fix the routes after all strategies have started."""
        for bar_route in self.bars.values():
            bar_route.seal()
        for quote_route in self.quotes.values():
            quote_route.seal()
        for trade_route in self.trades.values():
            trade_route.seal()

    def watch(self, watched: bool) -> None:
        """Tell the routes whether anybody listens on the bus."""
        for bar_route in self.bars.values():
            bar_route.watched = watched
            bar_route.warm(0)
        for quote_route in self.quotes.values():
            quote_route.watched = watched
            quote_route.warm(0)

    def warm_bar(self, bar: Bar) -> None:
        """Let a bar move indicators, coarser bars and the mark, without any handler."""
        route = self.bars.get(bar.series)
        if route is None:
            return
        route.history.append(bar)
        self.cache.marks[route.instrument_id] = bar.close
        for update in route.updates:
            update(bar.close)
        for update_bar in route.bar_updates:
            update_bar(bar)
        route.warm()
        for aggregator in route.aggregators:
            for coarse in aggregator.push(bar):
                self.warm_bar(coarse)

    def observe(self, message: MarketData) -> None:
        """Let market data move the cache, indicators and bars being built, without any handler."""
        if isinstance(message, Bar):
            self.warm_bar(message)
            return
        self.cache.take(message)
        if isinstance(message, Quote):
            quotes, mid = self.quotes.get(message.instrument_id), message.mid
            for update in () if quotes is None or mid != mid else quotes.updates:
                update(mid)
        elif isinstance(message, Trade):
            trades = self.trades.get(message.instrument_id)
            if trades is None:
                return
            for builder in trades.builders:
                for bar in builder.push(message):
                    self.warm_bar(bar)
            for update in trades.updates:
                update(message.px)

    def _bar_route(self, instrument_id: str, timeframe: str) -> BarRoute:
        series = series_id(instrument_id, timeframe)
        route = self.bars.get(series)
        if route is not None:
            return route
        route = BarRoute(series, self.cache.series(instrument_id, timeframe))
        self.bars[series] = route
        have = self.source_bars.get(instrument_id, set())
        if timeframe in have:
            return route
        wanted = timeframe_ns(timeframe)
        finer = [spec for spec in have if wanted and timeframe_ns(spec) and wanted % timeframe_ns(spec) == 0]
        if finer:
            source = max(finer, key=timeframe_ns)
            below = self._bar_route(instrument_id, source)
            below.aggregators.append(BarAggregator(below.series, timeframe))
            return route
        if "trades" in self.source_ticks.get(instrument_id, ()):
            trades = self.trades.setdefault(instrument_id, TradeRoute())
            trades.builders.append(bar_builder(series))
            return route
        del self.bars[series]
        raise MissingSeriesError(
            f"there are no {timeframe} bars of {instrument_id}, and nothing to build them from",
            expected=f"data with {timeframe} bars, finer bars that divide it, or trades",
            found=", ".join(sorted(have | self.source_ticks.get(instrument_id, set()))) or "no data",
            fix="Add such data with --data, or change the strategy's timeframe.",
        )

    def _need(self, instrument_id: str, kinds: tuple[str, ...], what: str) -> None:
        have = self.source_ticks.get(instrument_id, set())
        if not have & set(kinds):
            raise MissingSeriesError(
                f"there are no {what} of {instrument_id} in this run",
                expected=f"data of kind {' or '.join(kinds)}",
                found=", ".join(sorted(have | self.source_bars.get(instrument_id, set()))) or "no data",
                fix="Add such data with --data, or use a strategy that works on bars.",
            )


def _field_update(field: str, update: Update) -> Callable[[Bar], None]:
    def from_bar(bar: Bar) -> None:
        update(getattr(bar, field))

    return from_bar
