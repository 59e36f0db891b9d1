"""The heart: ``step(input) -> commands``. The whole trading path can be read here from top to bottom.

For every input: clock and due timers, cache, marks, indicators, strategy handler, risk and registration of
the orders it wanted, commands out, news on the bus. No I/O, no threads, no operating-system clock: who calls
``step`` and who carries the commands away makes it a backtest, paper or live trading, or a replay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from lanner.core.bus import MessageBus
from lanner.core.clock import LogicalClock, TimerEvent
from lanner.core.errors import ConfigError
from lanner.core.ids import IdFactory
from lanner.core.rng import Rng
from lanner.engine.account_news import AccountNews
from lanner.engine.cache import Cache
from lanner.engine.desk import Desk, shared_instruments
from lanner.engine.faults import USER_FAULTS, TimersDue, blame, endless_news, endless_timer
from lanner.engine.late import LateTimers
from lanner.engine.losses import looking, make_risk, watch_losses
from lanner.engine.news import listener
from lanner.engine.overridden import subscribe_overridden
from lanner.engine.state_hash import StateHash
from lanner.engine.stop_watch import StopWatch
from lanner.engine.subscriptions import BarRoute, QuoteRoute, Subscriptions, TradeRoute
from lanner.execution.engine import HOUSE_TIMERS, ExecutionEngine
from lanner.model.commands import Command
from lanner.model.instruments import Instrument
from lanner.model.market import Bar, BookUpdate, FundingRate, MarkPrice, Quote, Trade
from lanner.model.reports import FundingPaid, OrderReport, PositionAdjusted
from lanner.portfolio.portfolio import Portfolio
from lanner.risk.checks import RiskLimits
from lanner.strategy.base import Strategy
from lanner.strategy.series import BarSeries, QuoteSeries, TradeSeries

Step = Callable[[Any], list[Command]]
LogSink = Callable[[int, str, str], None]

NOTHING: list[Command] = []
_SEEN_ONLY: frozenset[type] = frozenset({Bar, Quote, Trade, BookUpdate, MarkPrice, FundingRate})
MAX_ROUNDS = 1000
"""How often handlers may answer their own orders' news within one step before that counts as a loop."""


class Engine:
    """One synchronous trading engine. Feed it inputs in time order and carry its commands away."""

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        portfolio_currency: str,
        *,
        seed: int = 1,
        run_id: str = "run",
        limits: RiskLimits | None = None,
        rates: Mapping[str, Any] | None = None,
        bus: MessageBus | None = None,
        log: LogSink | None = None,
    ) -> None:
        self.clock = LogicalClock()
        self.rng = Rng(seed)
        self.ids = IdFactory(run_id)
        self.cache = Cache(instruments)
        self.bus = bus or MessageBus()
        self.portfolio = Portfolio(portfolio_currency, rates or {}, self.cache.marks)
        self.execution = ExecutionEngine(
            self.clock, self.ids, self.portfolio, limits or RiskLimits(), self._publish
        )
        self.execution.listens = self.bus.has_subscribers
        self.risk = make_risk(self.execution, self.cache, limits)
        self.cache.orders = self.execution.orders
        self.cache.positions = self.portfolio.positions
        self.hash = StateHash(seed)
        self.desks: dict[str, Desk] = {}
        self.subscriptions = Subscriptions(self.cache)
        self._stop_watch = StopWatch(self.execution.stops, self.cache, self.subscriptions)
        self.started = False
        self.paused = False
        self.paused_by: set[str] = set()
        self.late = LateTimers()
        self.holds_timers = False  # a driver that plays timers itself sets it while it must not be overtaken
        self._watched = False
        self.news = AccountNews(self.execution)
        self.reports, self.funding_after = self.news.reports, self.news.after
        self._log = log
        self._strategies: list[Strategy] = []
        self._bars: dict[str, BarRoute] = self.subscriptions.bars
        self._bar_steps: dict[str, Step] = {}
        self._quote_steps: dict[str, Step] = {}
        self._quotes: dict[str, QuoteRoute] = self.subscriptions.quotes
        self._trades: dict[str, TradeRoute] = self.subscriptions.trades
        self._books: dict[str, list[Strategy]] = {}
        self._quotes_from_book: set[str] = set()
        self._funding: dict[str, list[Strategy]] = {}
        self._steps: dict[type, Step] = {
            Bar: self.step_bar,
            Quote: self.step_quote,
            Trade: looking(self, self.step_trade),
            BookUpdate: self._step_book,
            MarkPrice: self._step_mark,
            FundingRate: self._step_funding,
            FundingPaid: self._step_funding_paid,
            PositionAdjusted: self._step_adjusted,
            **dict.fromkeys(get_args(OrderReport), self._step_report),
        }

    # -- setting up --------------------------------------------------------------------------------

    def add_strategy(self, strategy: Strategy, capital: Any, instruments: Sequence[str] = ()) -> None:
        """Seat a strategy with its capital and the instruments it may trade (none named: all)."""
        if strategy.id in self.desks:
            raise ConfigError(
                f"two strategies are called {strategy.id!r}", fix="Give each its own id in the configuration."
            )
        known = [self.cache.instrument(name) for name in instruments] or list(self.cache.instruments.values())
        self.portfolio.add_strategy(strategy.id, capital)
        desk = Desk(self, strategy, known)
        self.desks[strategy.id] = desk
        strategy._context = desk
        self._strategies.append(strategy)

    def start(self, ts: int) -> list[Command]:
        """Set the clock and let every strategy declare its series and indicators."""
        self.clock.now = ts
        if self.risk is not None:
            self.risk.check_names(self.cache.instruments)
        self.execution.shared = shared_instruments(self.desks)
        for strategy in self._strategies:
            self._call(strategy, strategy.on_start)
        for strategy in self._strategies:
            subscribe_overridden(self, strategy, self._books, self._funding)
        self.subscriptions.seal()
        self._quotes_from_book = self.subscriptions.only_books()
        self.bind_steps()
        self.bus.on_change = self._watch
        self._watch(self.bus.active)
        self.started = True
        self._publish("live_engine.started", ts)
        return self.flush() if self.execution.out or self.execution.notices else NOTHING

    def bind_steps(self) -> None:
        """Make the steps of all series: at the start, and again when risk rules were added to a running engine."""
        self._steps[Trade] = looking(self, self.step_trade)
        self._bar_steps = {
            series: looking(self, self._bar_step(route)) for series, route in self._bars.items()
        }
        self._quote_steps = {
            name: looking(self, self._quote_step(name, route)) for name, route in self._quotes.items()
        }

    def stop(self, ts: int) -> list[Command]:
        """Let every strategy say goodbye."""
        self.clock.now = max(self.clock.now, ts)
        for strategy in self._strategies:
            self._call(strategy, strategy.on_stop)
        self._publish("live_engine.stopped", ts)
        return self.flush() if self.execution.out or self.execution.notices else NOTHING

    def subscribe_bars(self, strategy: Strategy, instrument_id: str, timeframe: str) -> BarSeries:
        """Give a strategy a bar series of its own to declare indicators on."""
        self._not_started("bars")
        return self.subscriptions.add_bars(strategy, instrument_id, timeframe)

    def subscribe_quotes(self, strategy: Strategy, instrument_id: str) -> QuoteSeries:
        """Give a strategy the quotes of an instrument."""
        self._not_started("quotes")
        return self.subscriptions.add_quotes(strategy, instrument_id)

    def subscribe_trades(self, strategy: Strategy, instrument_id: str) -> TradeSeries:
        """Give a strategy the trades of an instrument."""
        self._not_started("trades")
        return self.subscriptions.add_trades(strategy, instrument_id)

    def book_instruments(self) -> list[str]:
        """Return the instruments whose order book a strategy wants."""
        return list(self._books)

    def _not_started(self, what: str) -> None:
        if self.started:
            raise ConfigError(
                f"{what} must be declared in on_start",
                fix="Move the call there; indicators need to be warmed up.",
            )

    # -- the road ----------------------------------------------------------------------------------

    def step(self, message: Any) -> list[Command]:
        """Take one input (market data or report) and return the commands it led to."""
        if self.paused and type(message) in _SEEN_ONLY:
            return self._observe(message)
        return self._steps[message.__class__](message)

    def _observe(self, message: Any) -> list[Command]:
        """Take market data while the run is paused: marks and indicators move, no handler runs."""
        self._tick(message.ts_recv)
        self.subscriptions.observe(message)
        self._stop_watch.take(message)  # protection does not pause
        return self.flush()

    def step_for(self, kind: type) -> Step:
        """Return the step of one kind of input, to save the lookup when all inputs are alike."""
        return self._steps[kind]

    def step_bar(self, bar: Bar) -> list[Command]:
        """Take a closed bar."""
        step = self._bar_steps.get(bar.series)
        return self._unrouted_bar(bar) if step is None else step(bar)

    def step_of_series(self, series: str) -> Step:
        """Return the step of one bar series, to save the lookup when all inputs are its bars."""
        return self._bar_steps.get(series, self._unrouted_bar)

    def _bar_step(self, route: BarRoute) -> Step:
        """Make the step of one series; what never changes is bound once, because this runs a million times."""
        clock, marks, name, append = self.clock, self.cache.marks, route.instrument_id, route.history.append
        fire, more, flush = self._fire_timers, self._more_of_bar, self.flush
        out, notices = self.execution.out, self.execution.notices

        def step(bar: Bar) -> list[Command]:
            ts = bar.ts_recv
            if ts >= clock.next_due:
                fire(ts)
            clock.now = ts
            append(bar)
            x = marks[name] = bar.close
            for update in route.updates:
                update(x)
            if route.busy:
                more(route, bar)
            for handler in route.handlers:
                try:
                    handler(bar)
                except USER_FAULTS as error:
                    raise blame(handler, error, ts, route.history) from error
            return flush() if out or notices else NOTHING

        return step

    def step_quote(self, quote: Quote) -> list[Command]:
        """Take a quote."""
        step = self._quote_steps.get(quote.instrument_id)
        return self._unrouted_quote(quote) if step is None else step(quote)

    def _quote_step(self, name: str, route: QuoteRoute) -> Step:
        """Make the step of one instrument's quotes; like a bar series', it runs a million times."""
        clock, marks, quotes = self.clock, self.cache.marks, self.cache.quotes
        fire, flush, publish = self._fire_timers, self.flush, self._publish
        out, notices, topic = self.execution.out, self.execution.notices, f"market_data.{name}"

        def step(quote: Quote) -> list[Command]:
            ts = quote.ts_recv
            if ts >= clock.next_due:
                fire(ts)
            clock.now = ts
            quotes[name] = quote
            mid = (quote.bid_px + quote.ask_px) * 0.5
            if mid == mid:  # a side that is empty leaves the last price known
                marks[name] = mid
                for update in route.updates:
                    update(mid)
            if route.busy:
                if route.waiting:
                    route.warm()
                if route.check is not None:
                    route.check(quote)
                publish(topic, quote)
            for handler in route.handlers:
                try:
                    handler(quote)
                except USER_FAULTS as error:
                    raise blame(handler, error, ts, (quote,)) from error
            return flush() if out or notices else NOTHING

        return step

    def _unrouted_quote(self, quote: Quote) -> list[Command]:
        self._tick(quote.ts_recv)
        self.cache.take(quote)
        self._stop_watch.take(quote)
        if self._watched:
            self._publish(f"market_data.{quote.instrument_id}", quote)
        return self.flush()

    def step_trade(self, trade: Trade) -> list[Command]:
        """Take a public trade."""
        ts = trade.ts_recv
        clock = self.clock
        if ts >= clock.next_due:
            self._fire_timers(ts)
        clock.now = ts
        name = trade.instrument_id
        self.cache.trades[name] = trade
        px = trade.px
        if name not in self.cache.quotes:
            self.cache.marks[name] = px
            if self.execution.stops.watched:
                self._stop_watch.trade(trade)
        route = self._trades.get(name)
        if route is None:
            return self.flush() if self.execution.out else NOTHING
        for builder in route.builders:
            for bar in builder.push(trade):
                self._dispatch_built(bar)
        for update in route.updates:
            update(px)
        if route.waiting:
            route.warm()
        if self._watched:
            self._publish(f"trade.{name}", trade)
        for handler in route.handlers:
            try:
                handler(trade)
            except USER_FAULTS as error:
                raise blame(handler, error, self.clock.now, (trade,)) from error
        execution = self.execution
        return self.flush() if execution.out or execution.notices else NOTHING

    def warm_bar(self, bar: Bar) -> None:
        """Take a bar from before the run's start: indicators move, handlers do not run."""
        self.subscriptions.warm_bar(bar)

    def advance(self, ts: int) -> list[Command]:
        """Move the clock without an input, so that timers fire."""
        if ts >= self.clock.next_due:
            self._fire_timers(ts)
        self.clock.now = max(self.clock.now, ts)
        return self.flush() if self.execution.out or self.execution.notices else NOTHING

    def _more_of_bar(self, route: BarRoute, bar: Bar) -> None:
        """The rarer parts of a bar step: whole-bar indicators, warm-up, coarser bars, watchers."""
        for update_bar in route.bar_updates:
            update_bar(bar)
        if route.waiting:
            route.warm()
        if route.check is not None:
            route.check(bar)
        for aggregator in route.aggregators:
            for coarse in aggregator.push(bar):
                self._dispatch_built(coarse)
        if route.watched:
            self._publish("bar.closed", bar)
            self._publish(route.topic, bar)
            self._publish(f"market_data.{route.instrument_id}", bar)

    def _dispatch_built(self, bar: Bar) -> None:
        """Deliver a bar that was built from trades or finer bars."""
        route = self._bars.get(bar.series)
        if route is None:
            return
        route.history.append(bar)
        for update in route.updates:
            update(bar.close)
        if route.busy:
            self._more_of_bar(route, bar)
        for handler in route.handlers:
            try:
                handler(bar)
            except USER_FAULTS as error:
                raise blame(handler, error, self.clock.now, route.history) from error

    def _unrouted_bar(self, bar: Bar) -> list[Command]:
        self._tick(bar.ts_recv)
        self.cache.marks[bar.instrument_id] = bar.close
        self._stop_watch.take(bar)
        return self.flush()

    def _step_book(self, update: BookUpdate) -> list[Command]:
        self._tick(update.ts_recv)
        name = update.instrument_id
        book = self.cache.take_book(update)
        self._publish(f"orderbook.{name}.{'snapshot' if update.snapshot else 'delta'}", update)
        commands = NOTHING
        if name in self._quotes_from_book:
            quote = self.cache.top_of(book)
            commands = NOTHING if quote is None else self.step_quote(quote)
        elif name not in self.cache.quotes and book.mid == book.mid:
            self.cache.marks[name] = book.mid
            self._stop_watch.price(name, book.mid, update.ts_recv)
        for strategy in self._books.get(name, ()):
            self._call(strategy, strategy.on_book, book)
        return [*commands, *self.flush()]

    def _step_mark(self, mark: MarkPrice) -> list[Command]:
        self._tick(mark.ts_recv)
        self.cache.mark_prices[mark.instrument_id] = mark
        return self.flush()

    def _step_funding(self, rate: FundingRate) -> list[Command]:
        self._tick(rate.ts_recv)
        self.cache.funding[rate.instrument_id] = rate
        for strategy in self._funding.get(rate.instrument_id, ()):
            self._call(strategy, strategy.on_funding, rate)
        return self.flush()

    def _step_funding_paid(self, report: FundingPaid) -> list[Command]:
        self._tick(report.ts_recv)
        self.hash.add(report)
        self.news.keep(report)
        instrument = self.cache.instrument(report.instrument_id)
        self.portfolio.apply_funding(instrument, report)
        self._publish("account.funding", report)
        return self.flush()

    def _step_adjusted(self, report: PositionAdjusted) -> list[Command]:
        self._tick(report.ts_recv)
        self.hash.add(report)
        self.news.keep(report)
        self.portfolio.adjust(self.cache.instrument(report.instrument_id), report)
        self.execution.unexplained.note(report)
        self.execution.adjusted(report.strategy_id, report.instrument_id)
        return self.flush()

    def _step_report(self, report: OrderReport) -> list[Command]:
        self._tick(report.ts_recv)
        self.hash.add(report)
        self.execution.on_report(report)
        if self.execution.taken_back:
            self.news.keep_taken_back()
        return self.flush()

    # -- timers, news, commands --------------------------------------------------------------------

    def _tick(self, ts: int) -> None:
        clock = self.clock
        if ts >= clock.next_due:
            self._fire_timers(ts)
        if ts > clock.now:
            clock.now = ts

    def _fire_timers(self, ts: int) -> None:
        if self.holds_timers:
            raise TimersDue
        last, again = -1, 0
        while (timer := self.clock.due(ts)) is not None:
            again, last = again + 1 if timer.ts == last else 0, timer.ts
            if again > MAX_ROUNDS:
                raise endless_timer(timer)
            self.tell_timer(timer)

    def tell_timer(self, timer: TimerEvent) -> None:
        """Tell whom a timer belongs to that it is due, later where that one rests."""
        if timer.owner in HOUSE_TIMERS:
            self.execution.on_timer(timer)
        elif self.paused:
            self.late.keep(timer)
        elif (desk := self.desks.get(timer.owner)) is not None:
            self._call(desk.strategy, desk.strategy.on_timer, timer)

    def flush(self) -> list[Command]:
        """Tell the strategies what happened to their orders, then hand the commands over."""
        execution = self.execution
        if self.risk is not None and self.clock.now >= self.risk.next_look:
            watch_losses(execution)
        rounds = 0
        while execution.notices:
            notices = list(execution.notices)
            execution.notices.clear()
            rounds += 1
            if rounds > MAX_ROUNDS:
                raise endless_news(MAX_ROUNDS)
            for strategy_id, news in notices:
                desk = self.desks[strategy_id]
                if (handler := listener(desk, news)) is not None:
                    self._call(desk.strategy, handler, news)
        execution.intents = 0
        if execution.refusal is not None:
            raise execution.refusal
        if not execution.out:
            return NOTHING
        commands: list[Command] = list(execution.out)
        execution.out.clear()
        for command in commands:
            self.hash.add(command)
        return commands

    def _watch(self, active: bool) -> None:
        self._watched = active
        self.subscriptions.watch(active)

    def _publish(self, topic: str, event: object) -> None:
        if self.bus.active:
            self.bus.publish(topic, event)

    def log(self, strategy_id: str, message: str) -> None:
        """Hand a strategy's log line to whoever keeps the log."""
        if self._log is not None:
            self._log(self.clock.now, strategy_id, message)

    # -- user code ---------------------------------------------------------------------------------

    def _call(self, strategy: Strategy, handler: Callable[..., None], *args: object) -> None:
        try:
            handler(*args)
        except USER_FAULTS as error:
            raise blame(handler, error, self.clock.now, args) from error
