"""``PositionStops`` has every stop rest at the venue where it can, and watches the price for the others.

It compares, again and again, what should be there with what is: after a fill, a report, a change of a stop, and with
each price while something is not as it should be. So a partial close leaves the other stops at the size of the rest, a
resting order that is gone is sent again, and one that the venue refuses is watched here instead. While no order of a
stop is at the venue, the stop is watched. Everything is decided from inputs; a replay decides the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from lanner.core.clock import TimerEvent
from lanner.execution.lifecycle import can_amend
from lanner.execution.stops import KINDS, Stop, StopKind, StopStats, Terms, TimeAction
from lanner.model.enums import OrderStatus, OrderType
from lanner.model.orders import Order
from lanner.model.reports import AmendRejected, OrderReport
from lanner.risk.gate import TradingState

if TYPE_CHECKING:
    from lanner.execution.engine import ExecutionEngine

Key = tuple[str, str]

STOPS_OWNER = "execution.stops"
RETRY_NS = 1_000_000_000
"""How long an exit that failed waits before it is sent again."""
TRAIL_EVERY_NS = 1_000_000_000
"""How often the resting order of a trailing stop is amended at most."""
NEVER_ARRIVED = "NEVER_ARRIVED"


class PositionStops:
    """Keep the stops of all positions, by (strategy, instrument); see the module.

    ``watched`` names the instruments whose prices must be told to ``on_prices``; ``on_watch`` hears when one comes or
    goes.
    """

    def __init__(self, engine: ExecutionEngine) -> None:
        self.engine = engine
        self.watched: set[str] = set()
        self.on_watch: Callable[[str, bool], None] = _ignore
        self.stats: dict[str, StopStats] = {}
        self._of: dict[Key, list[Stop]] = {}
        self._by_order: dict[str, Stop] = {}
        self._leaving: dict[str, Key] = {}

    def __bool__(self) -> bool:
        return bool(self._of or self._leaving)  # who leaves is heard of after the last stop is gone, too

    def __iter__(self) -> Iterator[Stop]:
        return (stop for stops in list(self._of.values()) for stop in list(stops))

    def of(self, strategy_id: str, instrument_id: str) -> list[Stop]:
        """Return the stops of a position, in the order in which they are looked at."""
        return list(self._of.get((strategy_id, instrument_id), ()))

    def owns(self, order: Order) -> bool:
        """Tell whether an order is a stop's."""
        return order.order_id in self._by_order

    def stats_of(self, strategy_id: str) -> StopStats:
        """Return the counts of a strategy."""
        return self.stats.setdefault(strategy_id, StopStats())

    # -- setting -------------------------------------------------------------------------------------------

    def set(self, stop: Stop) -> None:
        """Arm a stop; one of the same kind and name gives its place and its resting order to it."""
        key = (stop.strategy_id, stop.instrument.id)
        stops = self._of.setdefault(key, [])
        for old in [s for s in stops if (s.kind, s.name) == (stop.kind, stop.name) and not s.went_off]:
            stops.remove(old)
            self.engine.clock.cancel_timer(STOPS_OWNER, old.stop_id)
            if old.order is not None:
                stop.order, stop.asked, stop.asked_at = old.order, old.asked, 0
                stop.keeps_amending = old.keeps_amending
                self._by_order[old.order.order_id] = stop
        stops.append(stop)
        stops.sort(key=lambda one: KINDS.index(one.kind))
        if stop.kind is StopKind.TIME:
            clock = self.engine.clock
            clock.set_timer(STOPS_OWNER, stop.stop_id, max(stop.due, clock.now))
        self._tell("armed", stop)
        self._bring(key)

    def remove(self, stop: Stop, reason: str = "asked for") -> None:
        """Give a stop up and ask its order back."""
        key = (stop.strategy_id, stop.instrument.id)
        stops = self._of.get(key, [])
        if stop in stops:
            stops.remove(stop)
        if not stops:
            self._of.pop(key, None)
        self.engine.clock.cancel_timer(STOPS_OWNER, stop.stop_id)
        self._take_back(stop)
        self._tell("removed", stop, reason)
        self._bring(key)

    def let_go(self, order: Order) -> None:
        """Give up the stop whose order the strategy asks back by name."""
        stop = self._by_order.get(order.order_id)
        if stop is not None:
            self.remove(stop, "its order was asked back")

    # -- what the execution engine tells -------------------------------------------------------------------

    def asked_back(self, order: Order) -> None:
        """Note that an order of a stop is being asked back, so that its end is no surprise."""
        stop = self._by_order.pop(order.order_id, None)
        if stop is not None:
            stop.order = stop.asked = None
            self._leaving[order.order_id] = (stop.strategy_id, stop.instrument.id)
            self._watch(stop.instrument.id)

    def after_fill(self, order: Order) -> None:
        """After a fill is booked: note that a stop went off, and bring the others to what is held now."""
        stop = self._by_order.get(order.order_id)
        key = (order.strategy_id, order.instrument_id)
        if stop is not None:
            self._went_off(stop, order.reason)
            stop.owed = order.leaves_lots
            if order.status is OrderStatus.FILLED:
                self._executed(key, stop, order)
        self._bring(key)

    def after_report(self, order: Order, report: OrderReport, was_open: bool) -> None:
        """After news of an order: a stop's own may have failed, and another's end may free what a stop waits for."""
        key = (order.strategy_id, order.instrument_id)
        if not order.is_open:
            self._leaving.pop(order.order_id, None)
        if key not in self._of:
            return
        stop = self._by_order.get(order.order_id)
        if stop is not None:
            if order.triggered and not stop.went_off:
                self._went_off(stop, "")
                stop.owed = order.leaves_lots
            if isinstance(report, AmendRejected):
                stop.keeps_amending, stop.asked = False, None
            if was_open and not order.is_open and order.status is not OrderStatus.FILLED:
                self._ended(stop, order)
        self._bring(key)

    def after_adjustment(self, strategy_id: str, instrument_id: str) -> None:
        """After a position was brought to what the venue has: size the stops by it."""
        self._bring((strategy_id, instrument_id))

    def shrink(self, strategy_id: str, instrument_id: str, lots: int) -> None:
        """Bring resting orders down to a position that is about to be ``lots``: a spot venue locks what they sell."""
        for stop in self._of.get((strategy_id, instrument_id), ()):
            order = stop.order
            if (
                order is not None
                and not stop.went_off
                and can_amend(order)
                and stop.lots_of(lots) < order.lots
            ):
                self._ask(stop, order, (stop.lots_of(lots), stop.resting_terms()))

    def on_timer(self, timer: TimerEvent) -> None:
        """A time stop is due, or an exit that failed is sent again."""
        for stop in self:
            if stop.stop_id != timer.name:
                continue
            if stop.went_off or stop.kind is not StopKind.TIME:
                self._bring((stop.strategy_id, stop.instrument.id))
            elif self._halted:
                clock = self.engine.clock
                clock.set_timer(STOPS_OWNER, stop.stop_id, clock.now + RETRY_NS)
            elif stop.action is TimeAction.ALERT_ONLY:
                self.stats_of(stop.strategy_id).count(stop.kind)
                self._tell("alert", stop, "the time is up")
                self.remove(stop, "it has told")
            else:
                self._go_off(stop, "the time is up")

    def bring_all(self) -> None:
        """Bring every stop to where the settings want it, after they were changed."""
        for key in list(self._of):
            self._bring(key)

    # -- prices --------------------------------------------------------------------------------------------

    def on_prices(self, instrument_id: str, low: float, high: float, last: float, since: int) -> None:
        """Show the stops of an instrument the prices seen since a time; those set later see the last one only."""
        for key in [key for key in self._of if key[1] == instrument_id]:
            self.check(key, low, high, last, since)

    def check(self, key: Key, low: float, high: float, last: float, since: int) -> Stop | None:
        """Let trailing stops follow and the first stop that is reached go off; return it."""
        if self._halted:
            return None
        first, moved = None, False
        for stop in self._of[key]:
            if stop.went_off:
                continue
            reach = (low, high) if stop.since <= since else (last, last)
            hit = stop.is_reached(*reach)
            if not hit and stop.follow(*reach):
                self.stats_of(stop.strategy_id).trailing_updates += 1
                moved = True
                hit = stop.is_reached(last, last)
            if hit and first is None and not _rests(stop):
                first = stop
        if first is not None:
            self._go_off(first, "")
        elif moved or any(stop.is_behind for stop in self._of[key]):
            self._bring(key)
        return first

    def follow(self, key: Key, px: float) -> None:
        """Let trailing stops follow a price, and let nothing go off."""
        for stop in self._of.get(key, ()):
            if not stop.went_off and stop.follow(px, px):
                self.stats_of(stop.strategy_id).trailing_updates += 1
        self._bring(key)

    # -- going off -----------------------------------------------------------------------------------------

    def _go_off(self, stop: Stop, reason: str) -> None:
        """Let a stop that is watched here go off: its exit leaves at once, or as soon as nothing locks the position."""
        key = (stop.strategy_id, stop.instrument.id)
        self._went_off(stop, reason)
        stop.owed, stop.again_at = stop.lots_of(self._held(key)), 0
        self._bring(key)

    def _went_off(self, stop: Stop, reason: str) -> None:
        if not stop.went_off:
            stop.went_off = True
            self.stats_of(stop.strategy_id).count(stop.kind)
            self._tell("triggered", stop, reason)

    def _executed(self, key: Key, stop: Stop, order: Order) -> None:
        """A stop has done its work; when it closed a part only, and nothing else cuts losses, another one follows."""
        self._by_order.pop(order.order_id, None)
        self._tell("executed", stop, order.reason)
        stops = self._of[key]
        stops.remove(stop)
        self.engine.clock.cancel_timer(STOPS_OWNER, stop.stop_id)
        if not stops:
            del self._of[key]
        bare = not any(one.cuts_losses and not one.went_off for one in stops)
        if stop.part < 1 and stop.cuts_losses and bare and self._held(key):
            entry = self.engine.portfolio.positions[key].avg_px
            follower = stop.follower(self.engine.ids.next("s"), self.engine.clock.now, entry, order.avg_px)
            if follower is not None:
                self.set(follower)

    def _ended(self, stop: Stop, order: Order) -> None:
        """An order of a stop ended without having closed what it should, and nobody here asked for that."""
        self._by_order.pop(order.order_id, None)
        stop.order = stop.asked = None
        stats = self.stats_of(stop.strategy_id)
        if stop.went_off:
            stop.owed = order.lots - order.cum_lots
            stats.execution_errors += 1
            self._wait(stop)
            self._tell("failed", stop, order.reason, order)
        elif order.status is OrderStatus.REJECTED and order.reject_code != NEVER_ARRIVED:
            stop.held_back = True
            stats.execution_errors += 1
            self._tell("failed", stop, order.reason, order)
        else:
            # the venue ends reduce-only orders with the position, and that may be heard before the fill
            stop.lost = order.reason or order.status.name.lower()
            self._wait(stop)

    def _wait(self, stop: Stop) -> None:
        clock = self.engine.clock
        stop.again_at = clock.now + RETRY_NS
        clock.set_timer(STOPS_OWNER, stop.stop_id, stop.again_at)

    # -- what should be there ------------------------------------------------------------------------------

    def _bring(self, key: Key) -> None:
        """Bring the orders of a position's stops to what they should be."""
        stops = self._of.get(key)
        if stops:
            lots = self._lots(key)
            for stop in [one for one in stops if lots * one.side <= 0]:
                stops.remove(stop)
                self.engine.clock.cancel_timer(STOPS_OWNER, stop.stop_id)
                self._take_back(stop)
                self._tell("removed", stop, "the position is gone")
            if not stops:
                self._of.pop(key, None)
            elif not self._halted:
                self._place(key, stops, abs(lots))
        self._watch(key[1])

    def _place(self, key: Key, stops: list[Stop], held: int) -> None:
        instrument = stops[0].instrument
        # on spot an order locks what it sells, and without reduce-only two exits could both fill: one at a time
        alone = instrument.is_spot or instrument.id in self.engine.shared
        firing = [stop for stop in stops if stop.went_off]
        free = held - self._closing(key)
        now, taken = self.engine.clock.now, False
        for stop in stops:
            if stop.went_off:
                continue
            if self._can_rest(stop) and not (alone and (taken or firing)):
                taken = True
                may_send = free > 0 and not (alone and self._is_locked(key)) and now >= stop.again_at
                self._rest(stop, stop.lots_of(held), may_send=may_send, alone=alone)
            else:
                self._take_back(stop)
        for stop in firing:
            lots = min(stop.owed, free)
            if stop.order is None and lots > 0 and now >= stop.again_at:
                if not (alone and self._is_locked(key)):
                    self._send(stop, lots, stop.exit_terms())
                free -= lots

    def _can_rest(self, stop: Stop) -> bool:
        if not self.engine.limits.resident_stops or stop.held_back or stop.kind is StopKind.TIME:
            return False
        abilities = self.engine.abilities
        return abilities.can(stop.instrument.id, stop.feature)

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
            self.stats_of(stop.strategy_id).replaced += 1
            self._tell("missing", stop, lost)
        self._send(stop, lots, terms)
        if lost:
            self._tell("replaced", stop)

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
        stop.order, stop.asked, stop.asked_at = order, (lots, terms), engine.clock.now
        self._by_order[order.order_id] = stop
        engine.orders[order.order_id] = order
        engine.send(order)

    def _take_back(self, stop: Stop) -> None:
        order = stop.order
        if order is not None:
            self.asked_back(order)
            self.engine.cancel(order)

    # -- what is there -------------------------------------------------------------------------------------

    @property
    def _halted(self) -> bool:
        return self.engine.gate.state is TradingState.HALTED

    def _lots(self, key: Key) -> int:
        position = self.engine.portfolio.positions.get(key)
        return 0 if position is None else position.lots

    def _held(self, key: Key) -> int:
        return abs(self._lots(key))

    def _closing(self, key: Key) -> int:
        """Return the lots that market orders under way close already, exits of stops among them."""
        side = 1 if self._lots(key) > 0 else -1
        return sum(
            order.leaves_lots
            for order in self.engine.open_orders(*key)
            if order.side == -side and (order.type is OrderType.MARKET or self._fires(order))
        )

    def _fires(self, order: Order) -> bool:
        stop = self._by_order.get(order.order_id)
        return stop is not None and stop.went_off

    def _is_locked(self, key: Key) -> bool:
        return any(owner == key for owner in self._leaving.values())

    def _watch(self, instrument_id: str) -> None:
        """Ask for the prices of an instrument while a stop follows them or has no order at the venue."""
        wanted = any(
            stop.order is None or (stop.kind is StopKind.TRAIL and not stop.went_off)
            for key, stops in self._of.items()
            if key[1] == instrument_id
            for stop in stops
            if stop.kind is not StopKind.TIME
        )
        if wanted != (instrument_id in self.watched):
            (self.watched.add if wanted else self.watched.discard)(instrument_id)
            self.on_watch(instrument_id, wanted)

    def _tell(self, what: str, stop: Stop, reason: str = "", order: Order | None = None) -> None:
        event = stop.event(what, self.engine.clock.now, reason, order or stop.order)
        self.engine.notices.append((stop.strategy_id, event))
        self.engine.publish(f"risk.stop.{what}", event)


def _rests(stop: Stop) -> bool:
    return stop.order is not None


def _ignore(_instrument_id: str, _watched: bool) -> None:
    """Nobody shows prices."""
