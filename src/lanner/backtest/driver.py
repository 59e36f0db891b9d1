"""Who calls ``step`` in a backtest: plays the data in time order and carries commands and reports between
the engine and the simulated venues, each with its own delay.

The loop has two gears. While no order is working and nothing is under way, market data goes straight into
the engine; the venues are shown the latest prices only when the next command needs them. As soon as
something is under way, every message passes the venue first, and a heap holds what travels.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import length_hint
from typing import Any

import msgspec

from lanner.core.clock import NEVER
from lanner.engine.engine import Engine
from lanner.model.commands import AmendOrder, CancelOrder, Command
from lanner.model.market import Bar, BarOpen, BookUpdate, FundingRate, MarkPrice, Quote, Trade
from lanner.sim import bar_matching, tick_matching
from lanner.sim.latency import Delay, delay_model
from lanner.sim.settings import FundingMode
from lanner.sim.venue import SimVenue

ARRIVE, REPORT, DATA = 0, 1, 2
RARE = frozenset({FundingRate, MarkPrice, BookUpdate})


@dataclass(slots=True)
class Wire:
    """The delays between us and one venue."""

    venue: SimVenue
    entry: Delay
    cancel: Delay
    amend: Delay
    feed: Delay
    last_arrival: int = 0


@dataclass(slots=True)
class Plan:
    """Which messages decide fills: the bar series, or the instruments whose quotes or trades do.

    ``only_series`` names the series when the run has nothing but its bars.
    """

    bar_series: dict[str, str] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    opens: bool = False
    hidden: frozenset[str] = frozenset()
    only_series: str = ""


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
        self._last_report: dict[str, int] = {}
        wires = {name: self._wire(venue) for name, venue in venues.items()}
        self._wires = {
            instrument_id: wires[name] for name, venue in venues.items() for instrument_id in venue.books
        }
        self._books = self._venue_books(engine)
        self._only_series = plan.only_series
        self._has_feed_delay = any(not v.settings.latency.feed.is_zero for v in venues.values())

    def _wire(self, venue: SimVenue) -> Wire:
        latency, rng = venue.settings.latency, self.engine.rng.split(f"latency/{venue.name}")
        return Wire(
            venue,
            delay_model(latency.entry, rng.split("entry")),
            delay_model(latency.cancel or latency.entry, rng.split("cancel")),
            delay_model(latency.amend or latency.entry, rng.split("amend")),
            delay_model(latency.feed, rng.split("feed")),
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
        """Send what the strategies ordered in ``on_start`` on its way."""
        self._dispatch(commands, ts)

    # -- playing -----------------------------------------------------------------------------------

    def play(self, batches: Iterable[list[Any]], progress: Callable[[int, int], None] | None = None) -> None:
        """Play batches of messages in time order; ``progress(events, ts)`` is called once a batch."""
        for batch in batches:
            self._play_batch(batch)
            self.events += len(batch)
            if progress is not None:
                progress(self.events, batch[-1].ts_event)
        self._finish()

    def _play_batch(self, batch: list[Any]) -> None:
        turn: Iterator[Any] = iter(batch)
        size = len(batch)
        simple, step = self._gear(batch)
        while True:
            if simple and self.idle:
                commands: list[Command] = []
                seen = size - length_hint(turn)
                for message in turn:
                    commands = step(message)
                    if commands:
                        break
                else:
                    self._catch_up(batch, seen, size)
                    return
                self._catch_up(batch, seen, size - length_hint(turn))
                self._dispatch(commands, message.ts_event)
            for message in turn:
                self._slow(message)
                if simple and not self._heap and self.idle:
                    break
            else:
                return

    def _gear(self, batch: list[Any]) -> tuple[bool, Callable[[Any], list[Command]]]:
        """Tell whether a batch may go straight into the engine while nothing is under way, and by which step."""
        if self._only_series:
            return not self._has_feed_delay, self.engine.step_of_series(self._only_series)
        kinds = set(map(type, batch))
        if kinds & RARE or BarOpen in kinds or self.plan.hidden or self._has_feed_delay:
            return False, self.engine.step
        return True, self.engine.step_for(kinds.pop()) if len(kinds) == 1 else self.engine.step

    @property
    def idle(self) -> bool:
        """Tell whether no order is working, nothing travels, and no timer is set."""
        if self._heap or self.engine.clock.next_due != NEVER:
            return False
        return not any(venue.working for venue in self.venues.values())

    def _finish(self) -> None:
        """Let what still travels arrive; orders that never met the market stay open."""
        while self._heap:
            self._drain(self._heap[0][0])

    # -- the slow gear -----------------------------------------------------------------------------

    def _slow(self, message: Any) -> None:
        kind = type(message)
        if kind is Bar:
            self._slow_bar(message)
            return
        ts = message.ts_event
        if kind is BarOpen:
            self._drain(ts)
            self._open_bar(message.series, message.ts_event, message.ts_close, message.px, message.volume)
            self._post()
            return
        self._drain(ts)
        self._show(message, kind)
        self._post()
        self._drain(ts)
        self._deliver(message, ts)

    def _slow_bar(self, bar: Bar) -> None:
        instrument_id = self.plan.bar_series.get(bar.series)
        if instrument_id is None:
            self._drain(bar.ts_event)
            self._deliver(bar, bar.ts_event)
            return
        venue = self._wires[instrument_id].venue
        book = venue.books[instrument_id]
        ts = bar.ts_event
        if not self.plan.opens:
            self._drain(bar.ts_open)
            self._open_bar(bar.series, bar.ts_open, ts, bar.open, bar.volume)
        self._post()
        self._drain(ts - 1)
        tick = book.instrument.tick_float
        close = max(1, round(bar.close / tick))
        if book.orders:
            high, low = max(1, round(bar.high / tick)), max(1, round(bar.low / tick))
            bar_matching.bar_range(venue, book, bar, high, low, close)
            self._post()
            self._drain(ts)
            if book.orders:
                bar_matching.bar_after(venue, book, bar, high, low)
        bar_matching.bar_close(venue, book, close, ts)
        self._post()
        self._drain(ts)
        self._deliver(bar, ts)

    def _open_bar(self, series: str, ts_open: int, ts_close: int, px: float, volume: float) -> None:
        instrument_id = self.plan.bar_series[series]
        venue = self._wires[instrument_id].venue
        book = venue.books[instrument_id]
        instrument = book.instrument
        ticks = max(1, round(px / instrument.tick_float))
        bar_matching.bar_open(
            venue, book, ts_open, ts_close, ticks, int(volume / instrument.lot_float + 1e-9)
        )

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
        if self._has_feed_delay:
            wire = self._wires.get(message.instrument_id)
            delay = wire.feed(basis) if wire else 0
            if delay:
                self._push(basis + delay, DATA, _delayed(message, basis + delay), None, basis)
                return
        if message.ts_recv >= self.engine.clock.next_due:
            self._timers(message.ts_recv)
        commands = self.engine.step(message)
        if commands:
            self._dispatch(commands, basis)
            self._drain(basis)

    def _timers(self, ts: int) -> None:
        while self.engine.clock.next_due <= ts:
            due = self.engine.clock.next_due
            self._dispatch(self.engine.advance(due), due)

    # -- what travels ------------------------------------------------------------------------------

    def _dispatch(self, commands: list[Command], basis: int) -> None:
        """Send commands on their way; ``basis`` is the venue time of what they answer."""
        for command in commands:
            wire = self._wires[command.instrument_id]  # type: ignore[union-attr]
            kind = type(command)
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

    def _drain(self, until: int) -> None:
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
                    self._dispatch(engine.step(payload), basis)
            elif due <= until:
                self._dispatch(engine.advance(due), due)
            else:
                return

    def _catch_up(self, batch: list[Any], start: int, stop: int) -> None:
        """Show idle venues the last of the messages [start, stop) of each instrument; they saw none of them."""
        wanted = len(self._wires)
        done: set[str] = set()
        for at in range(stop - 1, start - 1, -1):
            message = batch[at]
            kind = type(message)
            name = self.plan.bar_series.get(message.series, "") if kind is Bar else message.instrument_id
            if not name or name in done:
                continue
            wire = self._wires.get(name)
            if wire is None:
                continue
            book = wire.venue.books[name]
            if kind is Bar:
                wire.venue.see_price(name, max(1, round(message.close / book.instrument.tick_float)))
            elif kind is Quote:
                tick_matching.see_quote(book, message)
                wire.venue.see_price(name, book.last_ticks)
            elif kind is Trade and book.mode == "trades":
                wire.venue.see_price(name, max(1, round(message.px / book.instrument.tick_float)))
            else:
                continue
            done.add(name)
            if len(done) == wanted:
                break


def _ignore_price(instrument_id: str, ts: int, px: float) -> None:
    """Nobody values positions by this book."""


def _delayed(message: Any, ts_recv: int) -> Any:
    return msgspec.structs.replace(message, ts_recv=ts_recv)
