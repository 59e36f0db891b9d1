"""The life of orders against a small venue that can do everything venues do to them, written down here by itself.

The engine is the real one with its journal; so are the reconciliation and the replay. The venue below is a table of
orders and two lines on which reports travel: answers to requests, and the account's stream. Each line keeps its order;
what comes first on which of them is chance, as are lost requests, lost answers, silence, cut streams and restarts.

``HYPOTHESIS_PROFILE=explore`` plays two thousand lives instead of the everyday number.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lanner.engine.engine import Engine
from lanner.live.heart import Heart, replay
from lanner.live.reconcile import settle_order
from lanner.model.accounts import VenueFill, VenueOrder
from lanner.model.commands import AmendOrder, CancelOrder, Command, SubmitOrder
from lanner.model.enums import Liquidity, OrderStatus, OrderType, Side
from lanner.model.instruments import Instrument
from lanner.model.market import Quote
from lanner.model.orders import Order, OrderView
from lanner.model.reports import (
    AmendRejected,
    CancelRejected,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnanswered,
)
from lanner.storage.journal import JournalWriter, Sync, read_journal
from lanner.strategy.base import Strategy

S = OrderStatus
PERP = Instrument.perp("AAA-PERP.TEST", tick="0.1", lot="0.001", max_leverage=10)
MS = 1_000_000
SECOND = 1_000 * MS
ABSENCE_NS = 10 * SECOND
BUY, SELL, AMEND_LOTS, AMEND_PX, CANCEL = range(1, 6)
ENDINGS = (OrderRejected, OrderCanceled, OrderExpired)


class Puppet(Strategy):
    """Does what the number of a quote says, so that a replay does it again."""

    def on_start(self) -> None:
        self.sent: list[OrderView] = []

    def on_quote(self, quote: Quote) -> None:
        action, rest = divmod(quote.seq, 1_000_000)
        number, value = divmod(rest, 1_000)
        if action in (BUY, SELL):
            verb = self.buy if action == BUY else self.sell
            self.sent.append(verb(PERP.qty(value), 100))
        elif action == CANCEL:
            self.cancel(self.sent[number])
        elif action == AMEND_LOTS:
            self.amend(self.sent[number], qty=PERP.qty(value))
        elif action == AMEND_PX:
            self.amend(self.sent[number], px=PERP.px(900 + value))


@dataclass
class Held:
    """One order at the venue."""

    side: Side
    lots: int
    px_ticks: int
    status: OrderStatus
    venue_id: str
    ts: int
    cum: int = 0
    fills: list[OrderFilled] = field(default_factory=list)

    @property
    def works(self) -> bool:
        return self.status in (S.ACCEPTED, S.PARTIALLY_FILLED)

    @property
    def rest(self) -> int:
        return self.lots - self.cum if self.works else 0


def new_engine() -> Engine:
    engine = Engine({PERP.id: PERP}, "USDT", run_id="life")
    engine.cache.live = True
    engine.add_strategy(Puppet(), Decimal(1_000_000))
    engine.subscriptions.add_source("quotes", PERP.id)
    return engine


class OrderLives(RuleBasedStateMachine):
    """Everything that may happen; the checks stand at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="lanner-life-"))
        self.now = 1_700_000_000 * SECOND
        self.heart = Heart(new_engine(), JournalWriter(self.folder, sync=Sync.NONE))
        self.venue: dict[str, Held] = {}
        self.wire: list[Command] = []
        self.answers: list[Any] = []
        self.stream: list[Any] = []
        self.told: list[Any] = []
        self.trades = 0
        # what the engine was told, kept apart from what it made of it
        self.heard: dict[str, set[str]] = {}
        self.heard_lots: dict[str, int] = {}
        self.ended: set[str] = set()
        self.most: dict[str, int] = {}
        self.take(self.heart.control("start", self.now))

    def teardown(self) -> None:
        self.heart.journal.close()
        shutil.rmtree(self.folder)

    # -- between the engine and the venue ----------------------------------------------------------------------

    @property
    def orders(self) -> dict[str, Order]:
        return self.heart.engine.execution.orders

    def take(self, commands: list[Command]) -> None:
        for command in commands:
            assert isinstance(command, SubmitOrder | CancelOrder | AmendOrder)
            lots = getattr(command, "lots", None) or 0
            self.most[command.order_id] = max(self.most.get(command.order_id, 0), lots)
        self.wire += commands

    def pass_time(self, ns: int = MS) -> int:
        self.now += ns
        return self.now

    def want(self, action: int, number: int = 0, value: int = 0) -> None:
        now = self.pass_time()
        seq = action * 1_000_000 + number * 1_000 + value
        self.take(self.heart.step(Quote(PERP.id, now, now, 99.9, 1.0, 100.1, 1.0, seq)))

    def tell(self, report: Any) -> None:
        """Feed a report to the engine, and note what it means."""
        report = msgspec.structs.replace(report, ts_recv=self.pass_time())
        self.told.append(report)
        name = report.order_id
        if isinstance(report, OrderFilled):
            heard = self.heard.setdefault(name, set())
            if report.trade_id not in heard:
                heard.add(report.trade_id)
                self.heard_lots[name] = self.heard_lots.get(name, 0) + report.lots
        elif isinstance(report, ENDINGS):
            self.ended.add(name)
        self.take(self.heart.step(report))

    def both(self, report: Any) -> None:
        """Let a report travel on both lines."""
        self.answers.append(report)
        self.stream.append(report)

    # -- what the strategy wants -------------------------------------------------------------------------------

    @rule(side=st.sampled_from([BUY, SELL]), lots=st.integers(1, 9))
    def submit(self, side: int, lots: int) -> None:
        self.want(side, 0, lots)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), lots=st.integers(1, 15))
    def amend_quantity(self, data: st.DataObject, lots: int) -> None:
        number = self.number_of(data, S.SUBMITTED, S.ACCEPTED, S.PARTIALLY_FILLED, S.PENDING_AMEND)
        if number is not None:
            self.want(AMEND_LOTS, number, lots)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), px=st.integers(1, 99))
    def amend_price(self, data: st.DataObject, px: int) -> None:
        number = self.number_of(data, S.ACCEPTED, S.PARTIALLY_FILLED)
        if number is not None:
            self.want(AMEND_PX, number, px)

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        number = self.number_of(data)
        if number is not None:
            self.want(CANCEL, number)

    def number_of(self, data: st.DataObject, *statuses: OrderStatus) -> int | None:
        fitting = [
            n for n, order in enumerate(self.orders.values()) if not statuses or order.status in statuses
        ]
        return data.draw(st.sampled_from(fitting)) if fitting else None

    # -- the venue ---------------------------------------------------------------------------------------------

    @precondition(lambda self: self.wire)
    @rule(refuses=st.sampled_from([False, False, False, True]))
    def arrive(self, refuses: bool) -> None:
        """The oldest request reaches the venue."""
        command = self.wire.pop(0)
        ts = self.pass_time()
        name = (command.order_id, PERP.id, ts, ts)  # type: ignore[union-attr]
        if isinstance(command, SubmitOrder):
            venue_id = f"v{len(self.venue) + 1}"
            assert command.px_ticks is not None
            held = Held(command.side, command.lots, command.px_ticks, S.ACCEPTED, venue_id, ts)
            assert command.order_id not in self.venue, "an order is never sent twice"
            if refuses:
                held.status = S.REJECTED
                self.answers.append(OrderRejected(*name, "the venue says no"))
            else:
                self.both(OrderAccepted(*name, venue_id))
            self.venue[command.order_id] = held
            return
        assert isinstance(command, CancelOrder | AmendOrder)
        there = self.venue.get(command.order_id)
        if isinstance(command, CancelOrder):
            if there is None or not there.works:
                self.answers.append(CancelRejected(*name, "no such order", command.request))
            else:
                there.status = S.CANCELED
                self.both(OrderCanceled(*name))
        elif there is None or not there.works or refuses:
            self.answers.append(AmendRejected(*name, "no", command.request))
        elif (command.lots or there.lots) <= there.cum:
            there.status = S.CANCELED
            self.both(OrderCanceled(*name, "amended to what is filled"))
        else:
            there.lots = command.lots or there.lots
            there.px_ticks = command.px_ticks or there.px_ticks
            state = (there.lots, there.px_ticks, None)
            self.answers.append(OrderAmended(*name, *state, command.request))
            self.stream.append(OrderAmended(*name, *state))

    def working(self) -> list[str]:
        return [name for name, held in self.venue.items() if held.works]

    @precondition(lambda self: self.working())
    @rule(data=st.data(), share=st.integers(1, 15))
    def fill(self, data: st.DataObject, share: int) -> None:
        """An order is executed at the venue, in part or in full."""
        name = data.draw(st.sampled_from(self.working()))
        held = self.venue[name]
        ts = self.pass_time()
        lots = min(share, held.rest)
        self.trades += 1
        held.cum += lots
        held.status = S.FILLED if held.cum == held.lots else S.PARTIALLY_FILLED
        fee, px = Decimal(0), held.px_ticks
        made = OrderFilled(
            name, PERP.id, ts, ts, f"t{self.trades}", held.side, px, lots, fee, Liquidity.MAKER, px
        )
        held.fills.append(made)
        self.stream.append(made)

    @precondition(lambda self: self.working())
    @rule(data=st.data(), kind=st.sampled_from([OrderCanceled, OrderExpired]))
    def venue_ends(self, data: st.DataObject, kind: type[Any]) -> None:
        """The venue takes an order out of the book by itself."""
        name = data.draw(st.sampled_from(self.working()))
        self.venue[name].status = S.CANCELED if kind is OrderCanceled else S.EXPIRED
        ts = self.pass_time()
        self.stream.append(kind(name, PERP.id, ts, ts, "the venue's own doing"))

    # -- what comes back ---------------------------------------------------------------------------------------

    @precondition(lambda self: self.answers)
    @rule()
    def hear_answer(self) -> None:
        self.tell(self.answers.pop(0))

    @precondition(lambda self: self.stream)
    @rule()
    def hear_stream(self) -> None:
        self.tell(self.stream.pop(0))

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def hear_again(self, data: st.DataObject) -> None:
        """Something is told twice."""
        report = data.draw(st.sampled_from(self.told))
        if not isinstance(report, OrderUnanswered):
            self.tell(report)

    @precondition(lambda self: self.wire or self.answers)
    @rule(data=st.data(), arrives=st.booleans(), late=st.booleans())
    def silence(self, data: st.DataObject, arrives: bool, late: bool) -> None:
        """A request is not answered in time: it never arrived, or its answer is lost or late."""
        waiting: list[Any] = [*self.wire, *self.answers]
        one = data.draw(st.sampled_from(waiting))
        if any(one is command for command in self.wire):
            if not arrives:
                self.wire = [command for command in self.wire if command is not one]
        elif not late:
            self.answers = [answer for answer in self.answers if answer is not one]
        self.tell(OrderUnanswered(one.order_id, PERP.id, self.now, self.now, "no answer within 5 s"))

    # -- asking ------------------------------------------------------------------------------------------------

    def ask(self, order: Order) -> None:
        """Ask the venue about one order, as a session does of orders in doubt."""
        held = self.venue.get(order.order_id)
        told, fills = None, []
        if held is not None:
            fills = [VenueFill(one, held.venue_id) for one in held.fills]
            told = VenueOrder(
                PERP.id, order.order_id, order.order_id, held.venue_id, held.side, OrderType.LIMIT,
                held.lots, held.cum, held.status, px_ticks=held.px_ticks,
                avg_px=_average(held.fills), ts_init=held.ts, ts_last=self.now,
            )  # fmt: skip
        for report in settle_order(order, told, fills, self.now, absence_ns=ABSENCE_NS):
            self.tell(report)

    @precondition(lambda self: any(o.status is S.UNKNOWN for o in self.orders.values()))
    @rule(waits=st.booleans())
    def inquire(self, waits: bool) -> None:
        """Ask about every order in doubt; when time enough has passed, nothing of them travels any more."""
        if waits:
            self.pass_time(ABSENCE_NS + SECOND)
            doubtful = {o.order_id for o in self.orders.values() if o.status is S.UNKNOWN}
            self.wire = [c for c in self.wire if c.order_id not in doubtful]  # type: ignore[union-attr]
        for order in list(self.orders.values()):
            if order.status is S.UNKNOWN:
                self.ask(order)

    @rule()
    def reconnect(self) -> None:
        """All connections break: what travels is lost or unanswered; then everything is asked for."""
        self.stream.clear()
        unanswered = [*self.wire, *self.answers]
        self.answers.clear()
        self.wire.clear()
        for one in unanswered:
            self.tell(OrderUnanswered(one.order_id, PERP.id, self.now, self.now, "the connection broke"))
        self.reconcile()

    def reconcile(self) -> None:
        self.pass_time(ABSENCE_NS + SECOND)
        for order in list(self.orders.values()):
            held = self.venue.get(order.order_id)
            if order.is_open:
                self.ask(order)
            elif held is not None:
                for one in held.fills:
                    if one.trade_id not in order.trade_ids:
                        self.tell(one)

    @rule(torn=st.booleans())
    def restart(self, torn: bool) -> None:
        """The program dies and is started again from its journal; nothing of what travelled is remembered."""
        before = self.heart.engine
        self.heart.journal.close()
        if torn:
            last = max(self.folder.glob("*.journal"))
            with last.open("ab") as file:
                file.write(b"\x40\x00\x00\x00half a record")
        again = new_engine()
        journal = JournalWriter(self.folder, sync=Sync.NONE)
        found = replay(again, read_journal(self.folder))
        assert found.faithful, found.differences
        assert again.hash.hexdigest() == before.hash.hexdigest()
        assert _state(again) == _state(before)
        self.heart = Heart(again, journal)
        self.reconnect()

    # -- what must hold ----------------------------------------------------------------------------------------

    @invariant()
    def nothing_that_may_rest_is_missing_from_the_exposure(self) -> None:
        sent = {c.order_id for c in self.wire if isinstance(c, SubmitOrder)}
        for name, order in self.orders.items():
            held = self.venue.get(name)
            rest = held.rest if held is not None else order.lots if name in sent else 0
            unheard = 0 if held is None else held.cum - self.heard_lots.get(name, 0)
            if rest and not self.was_told_the_end(name):
                assert order.is_open, f"{order} may rest with {rest} lots"
                assert order.worst_lots >= rest + unheard, f"{order} counts {order.worst_lots} of {rest}"

    def was_told_the_end(self, name: str) -> bool:
        return name in self.ended

    @invariant()
    def no_fill_is_lost_or_counted_twice(self) -> None:
        net = 0
        for name, order in self.orders.items():
            assert order.cum_lots == self.heard_lots.get(name, 0), f"{order} was told {self.heard.get(name)}"
            assert order.cum_lots <= self.most.get(name, 0), f"{order} filled more than was ever asked"
            net += order.cum_lots * order.side
        position = self.heart.engine.portfolio.positions.get(("Puppet", PERP.id))
        assert (0 if position is None else position.lots) == net

    @invariant()
    def only_a_report_ends_an_order(self) -> None:
        for name, order in self.orders.items():
            if order.is_final and order.status is not S.DENIED:
                assert name in self.ended or order.cum_lots >= order.lots, f"{order} ended by itself"

    @invariant()
    def what_is_in_doubt_is_in_quarantine(self) -> None:
        quarantined = bool(self.heart.engine.execution.gate.quarantined)
        if any(order.status is S.UNKNOWN for order in self.orders.values()):
            assert quarantined
        if not any(order.is_open for order in self.orders.values()):
            assert not quarantined

    @rule()
    def settle(self) -> None:
        """Let everything arrive, ask about everything: then both sides must agree."""
        while self.wire:
            self.arrive(refuses=False)
        for line in (self.stream, self.answers):
            while line:
                self.tell(line.pop(0))
        self.reconcile()
        for name, order in self.orders.items():
            held = self.venue.get(name)
            if held is None:
                assert order.is_final, f"{order} at the venue: nothing"
                assert order.cum_lots == 0
                continue
            assert order.cum_lots == held.cum
            assert order.is_open == held.works, f"{order} at the venue: {held}"
            if held.works:
                assert order.status in (S.ACCEPTED, S.PARTIALLY_FILLED), f"{order} at the venue: {held}"
                assert (order.lots, order.px_ticks) == (held.lots, held.px_ticks)
                assert order.worst_lots == held.rest, f"{order} counts {order.worst_lots} of {held.rest}"


def _average(fills: list[OrderFilled]) -> float:
    lots = sum(one.lots for one in fills)
    return float("nan") if not lots else sum(one.px_ticks * one.lots for one in fills) * 0.1 / lots


def _state(engine: Engine) -> list[Any]:
    told: list[Any] = []
    for order in engine.execution.orders.values():
        requests = order.requests
        asked = (
            ()
            if requests is None
            else (requests.last, requests.cancels, requests.amends, requests.asked_lots)
        )
        told.append((order.order_id, order.status, order.cum_lots, order.lots, order.px_ticks, asked))
    told += [(key, p.lots, p.cost, p.realised) for key, p in engine.portfolio.positions.items()]
    return told


EVERYDAY, DEEP = 100, 2_000
TestOrderLives = OrderLives.TestCase
TestOrderLives.settings = settings(
    max_examples=DEEP if os.environ.get("HYPOTHESIS_PROFILE") == "explore" else EVERYDAY,
    stateful_step_count=50,
    deadline=None,
)
