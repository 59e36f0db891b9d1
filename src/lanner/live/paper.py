"""Paper trading: live market data, orders matched by the backtest's own simulated venue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from lanner.backtest.driver import Driver
from lanner.backtest.wires import Plan as Wiring
from lanner.live.assumptions import paper_venue
from lanner.model.market import Bar, FundingRate
from lanner.sim.venue import SimVenue
from lanner.storage.journal import Kind, read_journal

if TYPE_CHECKING:
    from pathlib import Path

    from lanner.engine.engine import Engine
    from lanner.live.build import Plan
    from lanner.live.heart import Heart
    from lanner.model.commands import Command

DATA_KINDS = frozenset({Kind.BAR, Kind.QUOTE, Kind.TRADE, Kind.BOOK, Kind.MARK, Kind.FUNDING})


class ReceivedDriver(Driver):
    """The backtest's driver for data that are known only when they are received.

    Such a venue stands at our end of the wire: its market moves when we hear of it, and an order meets the market that
    we know at the moment of its arrival. Anything else would need to know what is still on its way to us.

    Streams tell only what funding is going to be, so it is settled at the rate that was told last, at every multiple of
    the instrument's interval.
    """

    def __init__(self, engine: Engine, venues: dict[str, SimVenue], plan: Wiring) -> None:
        super().__init__(engine, venues, plan)
        self._rates: dict[str, FundingRate] = {}
        self._payday: dict[str, int] = {}

    @property
    def next_due(self) -> int:
        """Return the time of what happens next: something arrives, a timer fires, or funding is settled."""
        return min([super().next_due, *self._payday.values()])

    def drain(self, until: int) -> None:
        """Let everything that is due by ``until`` happen in time order, payments of funding included."""
        while self._payday:
            name, at = min(self._payday.items(), key=lambda due: (due[1], due[0]))
            if at > until:
                break
            super().drain(at)
            rate = self._rates[name]
            self._payday[name] = at + rate.interval_ns
            self._wires[name].venue.settle_funding(name, rate.rate, at)
            self._post()
        super().drain(until)

    def _note_rate(self, rate: FundingRate) -> None:
        name = rate.instrument_id
        if name in self._wires:
            length = rate.interval_ns or self.engine.cache.instrument(name).funding_interval_ns
            if length and rate.predicted:
                self._rates[name] = msgspec.structs.replace(rate, interval_ns=length)
                self._payday.setdefault(name, (rate.ts_recv // length + 1) * length)

    def play_one(self, message: Any) -> None:
        """Play one message; what was due before it was received comes first."""
        ts = message.ts_recv
        self.drain(ts)
        if type(message) is not Bar:  # a bar tells the engine what quotes have told the venue already
            seen = message if message.ts_event == ts else msgspec.structs.replace(message, ts_event=ts)
            self._show(seen, type(message))
            self._post()
            self.drain(ts)
        if type(message) is FundingRate:
            self._note_rate(message)
        self.dispatch(self.engine.step(message), ts)
        self.drain(ts)


class PaperVenues:
    """The simulated venues of a session and what travels between them and the engine.

    Nothing depends on when it is called: the same messages and controls at the same times lead to the same reports,
    however often the time is told in between. That is what makes a backtest of a session's journal the session.
    """

    def __init__(self, heart: Heart | Engine, plan: Plan) -> None:
        names = dict.fromkeys(instrument.venue for instrument in plan.instruments.values())
        modes = dict.fromkeys(plan.instruments, "quotes")
        venues = {
            name: SimVenue(
                paper_venue(plan.config, name, plan.currency),
                {key: one for key, one in plan.instruments.items() if one.venue == name},
                modes,
                heart.rng.split(f"venue/{name}"),
            )
            for name in names
        }
        # the heart shows the driver all that it needs of an engine, and writes down what passes
        self._driver = ReceivedDriver(cast("Engine", heart), venues, Wiring(modes=modes))
        self._now = 0
        self.venues = venues

    def rebuild(self, heart: Heart, folder: Path, *, after: int = 0) -> tuple[int, int]:
        """Play a session's journal again, so that its venues hold what they held; see ``Heart.rehearse``.

        ``after`` is the record that they know already. Returns how many records there were and the time of the last.
        """
        heart.rehearse(read_journal(folder, after=after))
        count = last = 0
        for record in read_journal(folder, after=after):
            count, last = count + 1, max(last, record.ts)
            if record.kind in DATA_KINDS:
                self.data(record.message)
            elif record.kind is Kind.WARM:
                heart.warm(record.message.bar)
            elif record.kind is Kind.CONTROL:
                control = record.message
                self.pass_time(record.ts)
                self.send(
                    heart.control(control.action, record.ts, control.reason, **control.details), record.ts
                )
        self.pass_time(last)
        return count, last

    @property
    def next_due(self) -> int:
        """Return the time of what happens next: something arrives, or a timer fires."""
        return self._driver.next_due

    def data(self, message: Any) -> None:
        """Show a message to its venue and to the engine; one from before now is taken as received now."""
        now = max(self._now, self._driver.engine.clock.now)
        if message.ts_recv < now:
            message = msgspec.structs.replace(message, ts_recv=now)
        self._now = message.ts_recv
        self._driver.play_one(message)

    def send(self, commands: list[Command], now: int) -> None:
        """Send commands that did not come from a message: of a start, a control, a person."""
        del now  # the engine's own time is the one that can be repeated
        self._now = self._driver.engine.clock.now
        self._driver.dispatch(commands, self._now)
        self._driver.drain(self._now)

    def pass_time(self, now: int) -> None:
        """Let everything that is due by now happen."""
        self._now = max(self._now, now)
        self._driver.drain(now)
