"""Who calls ``step`` in a backtest: plays the data in time order and carries commands and reports between
the engine and the simulated venues, each with its own delay.

The driver has two gears. While nothing is under way and the market moves where no working order can be touched,
market data goes straight into the engine (``gears``); the venues are shown the latest prices only when they need
them. As soon as something is under way, every message passes the venue first, and a heap holds what travels. Both
gears give the same result: a test plays random strategies in each.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import length_hint
from typing import Any

import msgspec

from lanner.backtest.gears import (
    NOTHING,
    Guard,
    Loop,
    Step,
    Stopped,
    bars_loop,
    free_loop,
    guarded_loop,
    opens_unseen,
    quotes_loop,
    step_unless_hidden,
    zone_guards,
)
from lanner.backtest.wires import Plan, Wire, catch_up, open_bar
from lanner.core.clock import NEVER
from lanner.engine.engine import Engine
from lanner.engine.faults import TimersDue
from lanner.model.commands import AmendOrder, Batch, CancelOrder, Command
from lanner.model.market import Bar, BarOpen, BookUpdate, FundingRate, MarkPrice, Quote, Trade
from lanner.sim import bar_matching, tick_matching
from lanner.sim.latency import delay_model
from lanner.sim.quiet import Zone, quiet_zone
from lanner.sim.settings import FundingMode, LatencyKind
from lanner.sim.venue import SimVenue

ARRIVE, REPORT, DATA = 0, 1, 2


class Driver:
    """Play market data through an engine and its simulated venues."""

    def __init__(self, engine: Engine, venues: dict[str, SimVenue], plan: Plan) -> None:
        self.engine = engine
        self.venues = venues
        self.plan = plan
        self.events = 0
        self.on_book_price: Callable[[str, int, float], None] = _ignore_price
        self._heap: list[tuple[int, int, int, Any, Any, int]] = []
        self._sequence = 0
        self._settlements: list[FundingRate] = []
        self._last_report: dict[str, int] = {}
        wires = {name: self._wire(venue) for name, venue in venues.items()}
        self._wires = {
            instrument_id: wires[name] for name, venue in venues.items() for instrument_id in venue.books
        }
        self._books = self._venue_books(engine)
        feeds = [venue.settings.latency.feed for venue in venues.values()]
        self._has_feed_delay = not all(feed.is_zero for feed in feeds)
        # a feed whose delay varies can change the order of its messages
        self.always_slow = any(feed.kind is not LatencyKind.CONSTANT for feed in feeds)

    def _wire(self, venue: SimVenue) -> Wire:
        latency, rng = venue.settings.latency, self.engine.rng.split(f"latency/{venue.name}")
        return Wire(
            venue,
            delay_model(latency.entry, rng.split("entry")),
            delay_model(latency.cancel or latency.entry, rng.split("cancel")),
            delay_model(latency.amend or latency.entry, rng.split("amend")),
            None
            if latency.feed.kind in (LatencyKind.CONSTANT, LatencyKind.RECORDED)  # the data carry it already
            else delay_model(latency.feed, rng.split("feed")),
        )

    def _venue_books(self, engine: Engine) -> dict[str, Any]:
        from lanner.marketdata.book import L2Book

        kinds = engine.subscriptions.source_ticks
        return {
            name: L2Book(engine.cache.instrument(name))
            for name, have in kinds.items()
            if "book" in have and "quotes" not in have
        }

    def begin(self, commands: list[Command], ts: int) -> None:
        """Send what the strategies ordered in ``on_start`` on its way; the engine's routes stand from here on."""
        if self._has_feed_delay and FundingRate in self.plan.kinds:
            self.always_slow = (
                True  # a payment is told at once, and data that is still on its way must not pass it
            )
        self._step = self._make_step()
        self._guards: dict[type, Guard] = {FundingRate: _is_predicted, MarkPrice: self._mark_passes}
        if self._books:
            self._guards[BookUpdate] = self._book_passes
        guarded = self.plan.kinds & self._guards.keys()
        self._free = (
            partial(guarded_loop, self._step, self._guards) if guarded else partial(free_loop, self._step)
        )
        self._only, self._only_loop = self._single_source()
        self.dispatch(commands, ts)

    def _single_source(self) -> tuple[str, Callable[..., Stopped]]:
        """Return the instrument of a run that has nothing but one instrument's bars or quotes, and its loop."""
        if self.plan.only_series:
            return self.plan.bar_series.get(self.plan.only_series, ""), bars_loop
        if self.plan.kinds == {Quote} and len(self._wires) == 1:
            return next(iter(self._wires)), quotes_loop
        return "", bars_loop

    # -- playing -----------------------------------------------------------------------------------

    def play(self, batches: Iterable[list[Any]], progress: Callable[[int, int], None] | None = None) -> None:
        """Play batches of messages in time order; ``progress(events, ts)`` is called once a batch."""
        for batch in batches:
            self._play_batch(batch)
            self.events += self._count(batch)
            if progress is not None:
                progress(self.events, batch[-1].ts_event)
        self._finish()

    def _count(self, batch: Sequence[Any]) -> int:
        """Return how many messages of a batch come from the data; a bar's opening is told with the bar."""
        if not self.plan.opens:
            return len(batch)
        return sum(message.__class__ is not BarOpen for message in batch)

    def _play_batch(self, batch: list[Any]) -> None:
        turn: Iterator[Any] = iter(batch)
        size = len(batch)
        while True:
            loop = self._fast_loop()
            if loop is not None:
                seen = size - length_hint(turn)
                message, commands = self._run(loop, turn, batch)
                if message is None:
                    catch_up(self.plan, self._wires, batch, seen, size)
                    return
                now = size - length_hint(turn)
                catch_up(self.plan, self._wires, batch, seen, now if commands else now - 1)
                if commands:
                    self.dispatch(commands, message.ts_event)
                    self.drain(message.ts_event)  # what arrives at once is there before the next message
                else:
                    self.play_one(message)
                    continue
            for message in turn:
                self.play_one(message)
                if not self._heap or self._has_feed_delay:
                    break
            else:
                return

    def _run(self, loop: Loop, turn: Iterator[Any], batch: list[Any]) -> Stopped:
        """Run a fast loop up to the next message that leads to commands or that the venue must see first."""
        engine = self.engine
        engine.holds_timers = True
        try:
            return loop(turn)
        except TimersDue:
            return batch[len(batch) - length_hint(turn) - 1], NOTHING
        finally:
            engine.holds_timers = False

    # -- the fast gear -----------------------------------------------------------------------------

    def _fast_loop(self) -> Loop | None:
        """Return a loop for what comes next, or None while something is under way or about to meet the market."""
        if self.always_slow or self._settlements or (self._heap and not self._deliver_early()):
            return None
        zones: dict[str, Zone] = {}
        for venue in self.venues.values():
            if not venue.working:
                continue
            for name, book in venue.books.items():
                if book.orders:
                    zone = quiet_zone(book)
                    if zone is None:
                        return None
                    zones[name] = zone
        if not zones:
            return self._free
        if self._has_feed_delay:
            return None  # reports and delayed data would change places
        only = self._only
        if only in zones:
            return partial(self._only_loop, self._step, zones[only])
        guards = {**self._guards, **zone_guards(zones, self.plan.bar_series)}
        if self._books:
            guards[BookUpdate] = _never
        return partial(guarded_loop, self._step, guards)

    def _deliver_early(self) -> bool:
        """Hand over data that waits for its feed's delay, when nothing else is under way; tell whether that was all.

        The venues have seen it, and with no order working they need not be ahead of the engine.
        """
        heap, engine = self._heap, self.engine
        if not self._has_feed_delay or any(venue.working for venue in self.venues.values()):
            return False
        while heap and heap[0][2] == DATA and heap[0][0] < engine.clock.next_due:
            _, _, _, message, _, basis = heapq.heappop(heap)
            commands = engine.step(message)
            if commands:
                self.dispatch(commands, basis)
        return not heap

    def _make_step(self) -> Step:
        """Return the engine's step for the kinds of message that this run has."""
        plan, engine = self.plan, self.engine
        if plan.only_series:
            return engine.step_of_series(plan.only_series)
        if len(plan.kinds) == 1:
            return engine.step_for(next(iter(plan.kinds)))
        steps = {
            kind: opens_unseen(engine.clock) if kind is BarOpen else engine.step_for(kind)
            for kind in plan.kinds
        }
        if plan.hidden:
            steps[Bar] = partial(step_unless_hidden, plan.hidden, engine.step_bar)
        return lambda message: steps[message.__class__](message)

    def _finish(self) -> None:
        """Let what still travels arrive; orders that never met the market stay open."""
        self._settle(NEVER)
        while self._heap:
            self.drain(self._heap[0][0])

    def _mark_passes(self, mark: MarkPrice) -> bool:
        self._show(mark, MarkPrice)
        return True

    def _book_passes(self, update: BookUpdate) -> bool:
        self._show(update, BookUpdate)
        return True

    # -- the slow gear -----------------------------------------------------------------------------

    def play_one(self, message: Any) -> None:
        """Play one message: the venue sees it first, then the engine, as soon as it is received."""
        kind = type(message)
        ts = message.ts_event
        if self._settlements:
            self._settle(ts if kind is BarOpen else ts - 1)
        if kind is Bar:
            self._slow_bar(message)
            return
        if kind is BarOpen:
            self.drain(ts)
            open_bar(self.plan, self._wires, message)
            self._post()
            return
        self.drain(ts)
        self._show(message, kind)
        self._post()
        self.drain(ts)
        self._deliver(message, ts)

    def _slow_bar(self, bar: Bar) -> None:
        instrument_id = self.plan.bar_series.get(bar.series)
        if instrument_id is None:
            self.drain(bar.ts_event)
            self._deliver(bar, bar.ts_event)
            return
        venue = self._wires[instrument_id].venue
        book = venue.books[instrument_id]
        ts = bar.ts_event
        if not self.plan.opens:
            self.drain(bar.ts_open)
            opening = BarOpen(bar.series, bar.ts_open, bar.ts_open, bar.open, bar.volume, ts)
            open_bar(self.plan, self._wires, opening)
        self._post()
        self.drain(ts - 1)
        tick = book.instrument.tick_float
        close = max(1, round(bar.close / tick))
        if book.orders:
            high, low = max(1, round(bar.high / tick)), max(1, round(bar.low / tick))
            bar_matching.bar_range(venue, book, bar, high, low, close)
            self._post()
            self.drain(ts)
            if book.orders:
                bar_matching.bar_after(venue, book, bar, high, low)
        bar_matching.bar_close(venue, book, close, ts)
        if self._settlements:
            self._settle(ts, instrument_id)
        self._post()
        self.drain(ts)
        self._deliver(bar, ts)

    def _settle(self, until: int, instrument_id: str = "") -> None:
        """Settle the funding that is due, of one instrument or of all.

        On bars, what was held when a bar closed is known once its range has been played, so funding waits for the
        bar that ends at its time.
        """
        waiting = self._settlements
        due = [r for r in waiting if r.ts_event <= until and instrument_id in ("", r.instrument_id)]
        for rate in due:
            waiting.remove(rate)
            self._wires[rate.instrument_id].venue.settle_funding(rate.instrument_id, rate.rate, rate.ts_event)
        self._post()

    def _show(self, message: Any, kind: type) -> None:
        """Show a message to the venue that it comes from."""
        name = message.instrument_id
        wire = self._wires.get(name)
        if wire is None:
            return
        venue = wire.venue
        book = venue.books[name]
        if kind is Quote:
            tick_matching.on_quote(venue, book, message)
            venue.see_price(name, book.last_ticks)
        elif kind is Trade:
            tick_matching.on_trade(venue, book, message)
            if book.mode == "trades":
                venue.see_price(name, book.last_ticks)
        elif kind is BookUpdate:
            self._show_book(venue, book, message)
        elif kind is MarkPrice:
            if message.mark_px == message.mark_px:
                venue.see_mark(name, message.mark_px)
        elif kind is FundingRate and not message.predicted and venue.settings.funding is FundingMode.DATA:
            if book.mode == "bars":
                self._settlements.append(message)
            else:
                venue.settle_funding(name, message.rate, message.ts_event)

    def _show_book(self, venue: SimVenue, book: Any, update: BookUpdate) -> None:
        own = self._books.get(update.instrument_id)
        if own is None:
            return
        own.apply(update)
        top = (own.best_bid, own.bid_qty, own.best_ask, own.ask_qty)
        if top[0] == top[0] and top[2] == top[2]:
            quote = Quote(update.instrument_id, update.ts_event, update.ts_recv, *top)
            self.on_book_price(update.instrument_id, update.ts_event, quote.mid)
            tick_matching.on_quote(venue, book, quote)
            venue.see_price(update.instrument_id, book.last_ticks)

    def _deliver(self, message: Any, basis: int) -> None:
        """Hand a message to the engine, now or when the feed's delay is over."""
        if type(message) is Bar and message.series in self.plan.hidden:
            return
        wire = self._wires.get(message.instrument_id) if self._has_feed_delay else None
        if wire is not None and wire.feed is not None:
            message = msgspec.structs.replace(message, ts_recv=basis + wire.feed(basis))
        if message.ts_recv > basis:
            self._push(message.ts_recv, DATA, message, None, basis)
            return
        if message.ts_recv >= self.engine.clock.next_due:
            self._timers(message.ts_recv)
        commands = self.engine.step(message)
        if commands:
            self.dispatch(commands, basis)
            self.drain(basis)

    def _timers(self, ts: int) -> None:
        while self.engine.clock.next_due <= ts:
            due = self.engine.clock.next_due
            self.dispatch(self.engine.advance(due), due)

    # -- what travels ------------------------------------------------------------------------------

    def dispatch(self, commands: list[Command], basis: int) -> None:
        """Send commands on their way; ``basis`` is the venue time of what they answer."""
        for command in commands:
            wire = self._wires[command.instrument_id]
            kind = command.kind if type(command) is Batch else type(command)
            travel = wire.cancel if kind is CancelOrder else wire.amend if kind is AmendOrder else wire.entry
            # one connection keeps the order: what was sent later never overtakes what was sent before
            wire.last_arrival = max(wire.last_arrival, command.ts + travel(command.ts))
            self._push(wire.last_arrival, ARRIVE, command, wire.venue, min(command.ts, basis))

    def _post(self) -> None:
        """Send the venues' reports on their way, each venue's in the order in which it made them."""
        for name, venue in self.venues.items():
            if venue.outbox:
                for report in venue.outbox:
                    at = self._last_report[name] = max(self._last_report.get(name, 0), report.ts_recv)
                    if at != report.ts_recv:
                        report = msgspec.structs.replace(report, ts_recv=at)
                    self._push(at, REPORT, report, None, report.ts_event)
                venue.outbox.clear()

    def _push(self, ts: int, kind: int, payload: Any, target: Any, basis: int) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (ts, self._sequence, kind, payload, target, basis))

    @property
    def next_due(self) -> int:
        """Return the time of what happens next: something arrives, or a timer fires."""
        travels = self._heap[0][0] if self._heap else NEVER
        return min(travels, self.engine.clock.next_due)

    def drain(self, until: int) -> None:
        """Let everything that arrives by ``until`` arrive, and timers fire, in time order."""
        heap = self._heap
        engine = self.engine
        while True:
            due = engine.clock.next_due
            if heap and heap[0][0] <= min(until, due):
                ts, _, kind, payload, target, basis = heapq.heappop(heap)
                if kind == ARRIVE:
                    target.receive(payload, ts, basis)
                    self._post()
                else:
                    self.dispatch(engine.step(payload), basis)
            elif due <= until:
                self.dispatch(engine.advance(due), due)
            else:
                return


def _ignore_price(instrument_id: str, ts: int, px: float) -> None:
    """Nobody values positions by this book."""


def _is_predicted(rate: FundingRate) -> bool:
    return rate.predicted


def _never(_message: Any) -> bool:
    return False
