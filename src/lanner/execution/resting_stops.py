"""``RestingStops`` brings the orders of stops to what they should be, by comparing that with what is there.

It never remembers steps: a partial close, a refused order, one that is gone and a corrected position are one case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanner.execution.exits import Key
from lanner.execution.lifecycle import can_amend
from lanner.execution.stop_book import StopBook
from lanner.execution.stops import Stop, StopKind, Terms
from lanner.model.enums import GroupKind, OrderStatus, OrderType
from lanner.model.orders import Order
from lanner.risk.gate import TradingState

if TYPE_CHECKING:
    from lanner.execution.engine import ExecutionEngine

TRAIL_EVERY_NS = 1_000_000_000
"""How often the resting order of a trailing stop is amended at most."""


class RestingStops:
    """Have stops rest at the venue, and send the exits of those that went off."""

    def __init__(self, engine: ExecutionEngine, book: StopBook) -> None:
        self.engine = engine
        self.book = book

    def bring(self, key: Key) -> None:
        """Bring the orders of a position's stops to what they should be."""
        lots = self.book.lots(key)
        for stop in self.book.of(key):
            if lots * stop.side <= 0:
                self.book.discard(stop)
                self.take_back(stop)
                self.book.tell("removed", stop, "the position is gone")
        stops = self.book.of(key)
        if stops and self.engine.gate.state is not TradingState.HALTED:
            self._place(key, stops, abs(lots))
        self.book.watch(key[1])

    def take_back(self, stop: Stop) -> None:
        """Ask the order of a stop back."""
        order = stop.order
        if order is not None:
            self.asked_back(order)
            self.engine.cancel(order)

    def asked_back(self, order: Order) -> None:
        """Note that an order of a stop is being asked back, so that its end is no surprise."""
        stop = self.book.part(order)
        if stop is not None:
            stop.order = stop.asked = None
            self.book.leaving[order.order_id] = stop.key
            self.book.watch(stop.instrument.id)

    def shrink(self, key: Key, lots: int) -> None:
        """Bring resting orders down to a position that is about to be ``lots``: a spot venue locks what they sell."""
        for stop in self.book.of(key):
            order = stop.order
            if (
                order is not None
                and not stop.went_off
                and can_amend(order)
                and stop.lots_of(lots) < order.lots
            ):
                self._ask(stop, order, (stop.lots_of(lots), stop.resting_terms()))

    # -- what should be there ------------------------------------------------------------------------------

    def _place(self, key: Key, stops: list[Stop], held: int) -> None:
        instrument = stops[0].instrument
        # on spot an order locks what it sells, and without reduce-only two exits could both fill: one at a time
        alone = self.engine.is_alone(instrument)
        free, now = held - self._closing(key), self.engine.clock.now
        px = self.engine.portfolio.marks.get(instrument.id, float("nan"))
        firing = sorted(
            (stop for stop in stops if stop.is_leaving(free, px, now)), key=lambda stop: stop.patience
        )
        free += self._make_way(firing, free)
        room = free if alone else held
        # a limit that waits may never fill: where both may work, it keeps no stop from resting
        waits = 0 if alone else sum(s.order.leaves_lots for s in firing if s.order and s.waits_for_price)
        # the exits of brackets lock it, too; what a bracket leaves to the stops here is watched
        locked = self.engine.guards.locked_lots(key) if alone else 0
        blocking = self._blocking(key) if instrument.is_spot else []
        taken = locked > 0 or bool(blocking)
        for stop in stops:
            if stop.went_off:
                continue
            if self._can_rest(stop) and room > 0 and not (alone and (taken or firing)):
                taken = True
                may_send = free + waits > 0 and not (alone and self._is_locked(key)) and now >= stop.again_at
                self._rest(stop, stop.lots_of(room), may_send=may_send, alone=alone)
            else:
                self.take_back(stop)
        for order in blocking if firing else ():
            self.engine.clear(order)
        waiting = 0  # lots of those that pause: no limit takes them meanwhile
        for stop in firing:
            lots = min(stop.owed, free - (waiting if stop.exit_terms()[0] is OrderType.LIMIT else 0))
            if stop.order is not None or lots <= 0:
                continue
            if self._pauses(stop):
                waiting += lots
                continue
            if locked > free - lots:
                self.engine.guards.shrink(key, free - lots)
            elif not (blocking or (alone and self._is_locked(key))):
                self._send(stop, lots, stop.exit_terms())
            free -= lots

    def _make_way(self, firing: list[Stop], free: int) -> int:
        """Ask limit exits back that keep a stop which went off from leaving; return the lots that this frees.

        Such a limit waits for a price that the market has left, and may never fill. It goes where another stop leaves
        at market, or at a price that the market reaches before; its own stop closes what that one leaves to it.
        """
        freed = 0
        for number, stop in enumerate(firing):
            if stop.order is not None or self._pauses(stop):
                continue
            for other in reversed(firing[number + 1 :]):
                order = other.order
                if stop.owed > free + freed and order is not None and other.patience > stop.patience:
                    other.owed = order.leaves_lots
                    self.take_back(other)
                    freed += other.owed
            free -= min(stop.owed, free + freed)
        return freed

    def _pauses(self, stop: Stop) -> bool:
        """Tell whether an exit that was refused a moment ago is not to be sent again yet."""
        return stop.stuck is None and self.engine.clock.now < stop.again_at

    def _can_rest(self, stop: Stop) -> bool:
        if not self.engine.limits.resident_stops or stop.held_back or stop.kind is StopKind.TIME:
            return False
        return self.engine.abilities.can(stop.instrument.id, stop.feature)

    def _rest(self, stop: Stop, lots: int, *, may_send: bool, alone: bool) -> None:
        """Have a stop rest at the venue with these lots: send its order, or change the one that is there.

        It is changed by another order, sent before the first is asked back; only where two must not work at a time is
        the first one amended, or asked back before.
        """
        wanted = lots, stop.resting_terms()
        order = stop.order
        if order is None:
            if may_send:
                self._send_anew(stop, *wanted)
        elif stop.asked != wanted and not self._too_soon(stop, lots):
            # a venue that changes an order by placing another one may do so while the first is going off
            amends = alone and stop.keeps_amending and self.engine.abilities.can_amend(order)
            if order.type is not wanted[1][0] or not amends:
                self.asked_back(order)
                if may_send and not alone:
                    self._send(stop, *wanted)
                self.engine.cancel(order)
            elif can_amend(order):
                self._ask(stop, order, wanted)

    def _too_soon(self, stop: Stop, lots: int) -> bool:
        """Tell whether an order is being changed, or is a trailing stop's that only moves and moved a moment ago."""
        order = stop.order
        if order is not None and (
            order.status is OrderStatus.SUBMITTED or (order.requests is not None and order.requests.amends)
        ):
            return True  # a change must not be there before its order, nor before the change that it follows
        if stop.kind is not StopKind.TRAIL or stop.asked is None or stop.asked[0] != lots:
            return False
        return self.engine.clock.now < stop.asked_at + TRAIL_EVERY_NS

    def _send_anew(self, stop: Stop, lots: int, terms: Terms) -> None:
        """Have a stop rest that has no order; raise the alarm when it had one that is gone."""
        lost, stop.lost = stop.lost, ""
        if lost:
            self.book.stats_of(stop.strategy_id).replaced += 1
            self.book.tell("missing", stop, lost)
        self._send(stop, lots, terms)
        if lost:
            self.book.tell("replaced", stop)

    def _ask(self, stop: Stop, order: Order, wanted: tuple[int, Terms]) -> None:
        lots, (_, px_ticks, stop_ticks) = wanted
        stop.asked, stop.asked_at = wanted, self.engine.clock.now
        self.engine.ask_amend(
            order,
            None if lots == order.lots else lots,
            None if px_ticks == order.px_ticks else px_ticks,
            None if stop_ticks == order.stop_ticks else stop_ticks,
        )

    def _send(self, stop: Stop, lots: int, terms: Terms) -> None:
        engine, instrument = self.engine, stop.instrument
        type_, px_ticks, stop_ticks = terms
        order = Order(
            engine.ids.next("o"),
            stop.strategy_id,
            instrument,
            stop.side.opposite,
            type_,
            lots,
            engine.clock.now,
            px_ticks=px_ticks,
            stop_ticks=stop_ticks,
            reduce_only=not instrument.is_spot and instrument.id not in engine.shared,
            intent=stop.kind.value,
            tag=stop.name,
        )
        stop.asked, stop.asked_at = (lots, terms), engine.clock.now
        self.book.bind(stop, order)
        engine.orders[order.order_id] = order
        engine.send(order)

    # -- what is there -------------------------------------------------------------------------------------

    def _closing(self, key: Key) -> int:
        """Return the lots that market orders under way close already, exits of stops among them."""
        side = 1 if self.book.lots(key) > 0 else -1
        return sum(
            order.leaves_lots
            for order in self.engine.open_orders(*key)
            if order.side == -side and (order.type is OrderType.MARKET or self._fires(order))
        )

    def _blocking(self, key: Key) -> list[Order]:
        """Return the strategy's own resting sales of a spot position: they lock what a stop that goes off must sell."""
        return [
            order
            for order in self.engine.open_orders(*key)
            if order.side == -1
            and order.type is not OrderType.MARKET
            and order.group_kind is not GroupKind.BRACKET
            and self.book.behind(order) is None
            and order.order_id not in self.book.leaving
        ]

    def _fires(self, order: Order) -> bool:
        stop = self.book.behind(order)
        return stop is not None and stop.went_off

    def _is_locked(self, key: Key) -> bool:
        return any(owner == key for owner in self.book.leaving.values())
