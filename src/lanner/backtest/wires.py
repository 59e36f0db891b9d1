"""The ends of a backtest's wires: what a run plays, its delays, and how idle venues learn what passed them by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from lanner.model.market import Bar, BarOpen, Quote, Trade
from lanner.sim import bar_matching, tick_matching
from lanner.sim.latency import Delay
from lanner.sim.venue import SimVenue


@dataclass(slots=True)
class Wire:
    """The delays between us and one venue."""

    venue: SimVenue
    entry: Delay
    cancel: Delay
    amend: Delay
    feed: Delay | None
    last_arrival: int = 0


@dataclass(slots=True)
class Plan:
    """Which messages decide fills: the bar series, or the instruments whose quotes or trades do.

    ``only_series`` names the series when the run has nothing but its bars; ``kinds`` are the messages' types.
    """

    bar_series: dict[str, str] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    opens: bool = False
    hidden: frozenset[str] = frozenset()
    only_series: str = ""
    kinds: frozenset[type] = frozenset()


def open_bar(plan: Plan, wires: Mapping[str, Wire], opening: BarOpen) -> None:
    """Let the orders of an instrument meet the opening of its bar."""
    name = plan.bar_series[opening.series]
    venue = wires[name].venue
    book = venue.books[name]
    instrument = book.instrument
    ticks = max(1, round(opening.px / instrument.tick_float))
    volume = int(opening.volume / instrument.lot_float + 1e-9)
    bar_matching.bar_open(venue, book, opening.ts_event, opening.ts_close, ticks, volume)


def catch_up(plan: Plan, wires: Mapping[str, Wire], batch: Sequence[Any], start: int, stop: int) -> None:
    """Show idle venues what they missed of the messages [start, stop): the last of each instrument will do.

    Only what we took of a quote needs the quotes between: it is back as soon as one differed.
    """
    for name, wire in wires.items():
        book = wire.venue.books[name]
        if book.taken_bid or book.taken_ask:
            missed = islice(batch, start, stop)
            quotes = (quote for quote in missed if quote.__class__ is Quote and quote.instrument_id == name)
            tick_matching.renew(book, quotes)
    done: set[str] = set()
    for at in range(stop - 1, start - 1, -1):
        message = batch[at]
        own = message.__class__ is Bar or message.__class__ is BarOpen
        name = plan.bar_series.get(message.series, "") if own else message.instrument_id
        if name and name not in done and name in wires and _see(plan, wires, name, message):
            done.add(name)
            if len(done) == len(wires):
                break


def _see(plan: Plan, wires: Mapping[str, Wire], name: str, message: Any) -> bool:
    """Show an idle venue a message; tell whether that was one that sets a price."""
    venue = wires[name].venue
    book = venue.books[name]
    instrument = book.instrument
    kind = type(message)
    if kind is Bar:
        close = max(1, round(message.close / instrument.tick_float))
        volume = int(message.volume / instrument.lot_float + 1e-9)
        bar_matching.pass_by(venue, book, close, volume, message.ts_event)
    elif kind is BarOpen:
        open_bar(plan, wires, message)
    elif kind is Quote:
        tick_matching.see_quote(book, message)
        venue.see_price(name, book.last_ticks)
    elif kind is Trade and book.mode == "trades":
        venue.see_price(name, max(1, round(message.px / instrument.tick_float)))
    else:
        return False
    return True
