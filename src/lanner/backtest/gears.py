"""The driver's fast loops: market data straight into the engine, as long as no venue needs to see it.

A loop takes messages until one leads to commands, or until one must be shown to its venue first. It returns the
message it stopped at and the commands; without commands the message is still to be played.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any

from lanner.core.clock import LogicalClock
from lanner.engine.faults import TimersDue
from lanner.model.commands import Command
from lanner.model.market import Bar, BarOpen, Quote, Trade
from lanner.sim.quiet import Zone

Stopped = tuple[Any, list[Command]]
Loop = Callable[[Iterator[Any]], Stopped]
Step = Callable[[Any], list[Command]]
Guard = Callable[[Any], bool]

NOTHING: list[Command] = []


def free_loop(step: Step, turn: Iterator[Any]) -> Stopped:
    """Play messages while no order works."""
    for message in turn:
        commands = step(message)
        if commands:
            return message, commands
    return None, NOTHING


def bars_loop(step: Step, zone: Zone, turn: Iterator[Bar]) -> Stopped:
    """Play the bars of a single series while they stay inside the zone of its working orders."""
    low, high, until = zone.low, zone.high, zone.until
    for bar in turn:
        if bar.low <= low or bar.high >= high or bar.ts_event >= until:
            return bar, NOTHING
        commands = step(bar)
        if commands:
            return bar, commands
    return None, NOTHING


def quotes_loop(step: Step, zone: Zone, turn: Iterator[Quote]) -> Stopped:
    """Play the quotes of a single instrument while they stay inside the zone of its working orders."""
    low, high, until = zone.low, zone.high, zone.until
    for quote in turn:
        # a missing side has no price (NaN), and a crossed book has its sides the other way round
        if not (low < quote.ask_px < high and low < quote.bid_px < high and quote.ts_event < until):
            return quote, NOTHING
        commands = step(quote)
        if commands:
            return quote, commands
    return None, NOTHING


def guarded_loop(step: Step, guards: Mapping[type, Guard], turn: Iterator[Any]) -> Stopped:
    """Play messages of several kinds or instruments; a guard tells of each whether its venue need not see it."""
    guard_of = guards.get
    for message in turn:
        guard = guard_of(message.__class__)
        if guard is not None and not guard(message):
            return message, NOTHING
        commands = step(message)
        if commands:
            return message, commands
    return None, NOTHING


def zone_guards(zones: Mapping[str, Zone], series: Mapping[str, str]) -> dict[type, Guard]:
    """Return the guards of bars, quotes and trades; ``series`` tells whose fills a bar series decides."""
    by_series = {key: zones[name] for key, name in series.items() if name in zones}

    def bar_passes(bar: Bar) -> bool:
        zone = by_series.get(bar.series)
        return zone is None or (zone.low < bar.low and bar.high < zone.high and bar.ts_event < zone.until)

    def open_passes(opening: BarOpen) -> bool:
        zone = by_series.get(opening.series)
        return zone is None or (zone.low < opening.px < zone.high and opening.ts_event < zone.until)

    def quote_passes(quote: Quote) -> bool:
        zone = zones.get(quote.instrument_id)
        return zone is None or (
            zone.low < quote.ask_px < zone.high
            and zone.low < quote.bid_px < zone.high
            and quote.ts_event < zone.until
        )

    def trade_passes(trade: Trade) -> bool:
        zone = zones.get(trade.instrument_id)
        return zone is None or (zone.low < trade.px < zone.high and trade.ts_event < zone.until)

    return {Bar: bar_passes, BarOpen: open_passes, Quote: quote_passes, Trade: trade_passes}


def opens_unseen(clock: LogicalClock) -> Step:
    """Keep openings from the engine; a timer that is due before one comes first, as what it sends may meet it."""

    def step(opening: BarOpen) -> list[Command]:
        if clock.next_due <= opening.ts_event:
            raise TimersDue
        return NOTHING

    return step


def step_unless_hidden(hidden: Container[str], step: Step, bar: Bar) -> list[Command]:
    """Keep the bars that only resolve fills from the engine."""
    return NOTHING if bar.series in hidden else step(bar)
