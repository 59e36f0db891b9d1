"""Tiers: who decides which messages a strategy hears of. Without one it hears of every message.

A *forecast* knows from the columns at which rows the strategy has anything to say. The driver here jumps from one of
those rows to the next; in between it stops only where the venue must see the market: an order may be touched, a timer
is due, something is under way. Engine, venue and strategy are the ordinary ones, so orders, fills, fees and the state's
fingerprint are those of a run in which the strategy hears of everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lanner.backtest.driver import Driver
from lanner.backtest.tier_columns import ColumnBatch, Ints, column_batches
from lanner.backtest.wires import Plan, catch_up
from lanner.core.errors import ConfigError
from lanner.engine.engine import Engine
from lanner.marketdata.merge import Stream
from lanner.model.market import BarOpen
from lanner.sim import tick_matching
from lanner.sim.quiet import OPEN, Zone, quiet_zone
from lanner.sim.settings import LatencyKind
from lanner.sim.venue import SimVenue

if TYPE_CHECKING:
    from lanner.backtest.keep import Play
    from lanner.backtest.spec import BacktestSpec
    from lanner.backtest.spec import Stream as SpecStream

__all__ = ["ColumnBatch", "Forecast", "JumpDriver", "Jumps", "market_stream", "player", "why_no_jumps"]

MARKETS = ("bars", "quotes")
TIERS = ("python", "auto", "triggers", "compiled")
_PLAYERS = "lanner.research.tier_replay"


def player(tier: str) -> Play | None:
    """Return what plays a backtest in a tier; None stands for the event engine alone.

    The other tiers live above this floor, and are found by name as a strategy's class is.
    """
    if tier not in TIERS:
        raise ConfigError("unknown tier", expected=", ".join(TIERS), found=repr(tier))
    if tier == "python":
        return None
    found: Play = import_module(_PLAYERS).player(tier)
    return found


class Forecast(Protocol):
    """What is known of a strategy's decisions before they are made."""

    @property
    def keeps_bars(self) -> bool:
        """Tell whether the strategy may look back at bars it was not told of."""
        ...

    def rows(self, batch: ColumnBatch) -> Ints:
        """Return the rows of the next batch, ascending, at which the strategy has something to say."""
        ...

    def turn(self, row: int) -> None:
        """Be ready: the strategy is about to hear of this row of the batch."""
        ...


class Jumps:
    """The tier of a forecast: hand it to ``run_backtest``."""

    def __init__(self, forecast: Forecast) -> None:
        self.forecast = forecast

    def driver(self, engine: Engine, venues: dict[str, SimVenue], plan: Plan) -> Driver:
        """Return the driver that jumps."""
        return JumpDriver(engine, venues, plan, self.forecast)

    def batches(self, streams: Sequence[Stream]) -> Iterator[Any]:
        """Return the market's stream in columns, with the payments of its funding beside them."""
        (market,) = (stream for stream in streams if stream.kind in MARKETS)
        return column_batches(market, [stream for stream in streams if stream.kind == "funding"])


class JumpDriver(Driver):
    """Play one instrument's bars or quotes, and make messages of those rows only that matter."""

    def __init__(self, engine: Engine, venues: dict[str, SimVenue], plan: Plan, forecast: Forecast) -> None:
        super().__init__(engine, venues, plan)
        self.forecast = forecast
        self._series = next(iter(plan.bar_series), "")

    def _count(self, batch: Any) -> int:
        return len(batch) + int(batch.payment_count)

    def _play_batch(self, batch: Any) -> None:
        wanted = self.forecast.rows(batch)
        paid = batch.paid_rows
        turn, due, at, rows = 0, 0, 0, len(batch)
        clock = self.engine.clock
        while at < rows:
            due += int(np.searchsorted(paid[due:], at))
            pays = int(paid[due]) if due < len(paid) else rows
            zone = self._zone()
            if zone is None or pays == at:
                self._meet(batch, at)
                at += 1
                continue
            turn += int(np.searchsorted(wanted[turn:], at))
            speaks = min(int(wanted[turn]) if turn < len(wanted) else rows, pays)
            quiet = batch.outside(zone, clock.next_due, at, min(speaks + 1, rows))
            stop = min(quiet, speaks)
            if stop > at:
                self._pass(batch, at, stop)
                at = stop
            if at == rows:
                return
            if at == pays:
                continue
            if quiet > at:
                self._hear(batch, at, at)
            else:
                self._meet(batch, at)
            at += 1

    def _zone(self) -> Zone | None:
        """Return where nothing can happen to a working order, or None while something is under way."""
        if self.always_slow or self._heap or self._settlements or self.engine.execution.stops.watched:
            return None
        for venue in self.venues.values():
            for book in venue.books.values():
                if book.orders:
                    return quiet_zone(book)
        return OPEN

    def _pass(self, batch: ColumnBatch, start: int, stop: int) -> None:
        """Let rows go by in which nothing happens; engine and venue learn where they ended."""
        if self.forecast.keeps_bars and batch.kind == "bars":
            history = self.engine.cache.bars.get(self._series)
            if history is not None and history.maxlen is not None:
                history.extend(batch[max(start, stop - 1 - history.maxlen) : stop - 1])
        self._hear(batch, stop - 1, start)

    def _hear(self, batch: ColumnBatch, row: int, since: int) -> None:
        """Let the engine hear of a row that concerns no working order, and show the venue where the market is."""
        self.forecast.turn(row)
        message = batch[row]
        commands = self._step(message)
        if batch.kind == "quotes":
            self._give_back(batch, since, row)
        catch_up(self.plan, self._wires, batch, row, row + 1)
        if commands:
            self.dispatch(commands, message.ts_event)

    def _give_back(self, batch: ColumnBatch, start: int, stop: int) -> None:
        """Show a venue of which we took liquidity the first quote of [start, stop) that differs: it is whole again."""
        for wire in self._wires.values():
            for book in wire.venue.books.values():
                row = start
                while row < stop and (book.taken_bid or book.taken_ask):
                    row = batch.other_quote(book, row, stop)
                    if row < stop:
                        tick_matching.see_quote(book, batch[row])
                    row += 1

    def _meet(self, batch: ColumnBatch, row: int) -> None:
        """Show a row to the venue first, and what came between it and the row before: payments, a bar's opening."""
        self.forecast.turn(row)
        message = batch[row]
        payments = batch.payments.get(row, ())
        if self.plan.opens:
            opening = BarOpen(
                message.series,
                message.ts_open,
                message.ts_open,
                message.open,
                message.volume,
                message.ts_event,
            )
            early = [rate for rate in payments if rate.ts_event <= message.ts_open]
            for one in (*early, opening, *payments[len(early) :]):
                self.play_one(one)
        else:
            for rate in payments:
                self.play_one(rate)
        self.play_one(message)


def why_no_jumps(spec: BacktestSpec) -> str:
    """Return why the data and the venue of a run do not allow for jumps, or an empty text."""
    if len(spec.strategies) != 1:
        return "several strategies run together"
    if len(spec.instruments) != 1:
        return "the run has more than one instrument"
    others = [stream.kind for stream in spec.streams if stream.kind not in (*MARKETS, "funding")]
    if others:
        return f"it plays {others[0]}"
    kinds = [stream.kind for stream in spec.streams]
    if len(kinds) - kinds.count("funding") != 1 or kinds.count("funding") > 1:
        return "the run has more than one data set beside its funding"
    if spec.detail:
        return "finer bars decide fills"
    for venue in spec.venues.values():
        feed = venue.latency.feed
        if feed.kind is not LatencyKind.CONSTANT or feed.mean_ns:
            return "the feed has a delay"
    return ""


def market_stream(spec: BacktestSpec) -> SpecStream:
    """Return the bars or quotes of a run that a tier can play."""
    return next(stream for stream in spec.streams if stream.kind in MARKETS)


def refuse_jumps(tier: str, reason: str) -> ConfigError:
    """Return the error that says why a tier cannot play a run."""
    return ConfigError(
        f"--tier {tier} cannot play this: {reason}",
        expected="one strategy on the bars or quotes of one instrument, with its funding, without feed delay",
        fix="Use --tier auto, or --tier python: the results are the same.",
    )
