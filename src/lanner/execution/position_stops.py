"""``PositionStops`` has every stop rest at the venue where it can, and watches the price for the others.

It compares, again and again, what should be there with what is: after a fill, a report, a change of a stop, and with
each price while something is not as it should be (``RestingStops``). So a partial close leaves the other stops at the
size of the rest, a resting order that is gone is sent again, and one that the venue refuses is watched here instead.
While no order of a stop is at the venue, the stop is watched. Everything is decided from inputs; a replay decides the
same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lanner.core.clock import TimerEvent
from lanner.execution.exits import AGAIN, Key
from lanner.execution.refusals import HOPELESS, NEVER_ARRIVED
from lanner.execution.resting_stops import RestingStops
from lanner.execution.stop_book import STOPS_OWNER, StopBook
from lanner.execution.stops import Stop, StopKind, StopStats, Stuck, TimeAction
from lanner.model.enums import OrderStatus
from lanner.model.orders import Order
from lanner.model.reports import AmendRejected, OrderReport
from lanner.risk.gate import TradingState

if TYPE_CHECKING:
    from lanner.execution.engine import ExecutionEngine

RETRY_NS = 1_000_000_000
"""How long an exit that failed waits before it is sent again; after each further failure twice as long."""
RETRY_DOUBLINGS = 5


class PositionStops:
    """Keep the stops of all positions; see the module.

    ``watched`` names the instruments whose prices must be told to ``on_prices``.
    """

    def __init__(self, engine: ExecutionEngine) -> None:
        self.engine = engine
        self.book = StopBook(engine)
        self.resting = RestingStops(engine, self.book)
        self.watched = self.book.watched

    def __bool__(self) -> bool:
        return bool(self.book)

    def __iter__(self) -> Iterator[Stop]:
        return iter(self.book)

    def of(self, strategy_id: str, instrument_id: str) -> list[Stop]:
        """Return the stops of a position, in the order in which they are looked at."""
        return self.book.of((strategy_id, instrument_id))

    def owns(self, order: Order) -> bool:
        """Tell whether an order is a stop's."""
        return self.book.behind(order) is not None

    def needs(self, order: Order) -> bool:
        """Tell whether an order stands for a stop, or its end is waited for."""
        return self.owns(order) or order.order_id in self.book.leaving

    def stats_of(self, strategy_id: str) -> StopStats:
        """Return the counts of a strategy."""
        return self.book.stats_of(strategy_id)

    def firing_lots(self, key: Key) -> int:
        """Return the lots that stops which went off are about to close, or close already."""
        return self.book.firing_lots(key)

    def uncloseable(self) -> list[tuple[Key, Stuck]]:
        """Return whose positions cannot be closed, and why the venue does not take their exits."""
        return [(stop.key, stop.stuck) for stop in self if stop.stuck is not None]

    # -- setting -------------------------------------------------------------------------------------------

    def set(self, stop: Stop) -> None:
        """Arm a stop; one of the same kind and name gives its place and its resting order to it."""
        same = (stop.kind, stop.name)
        olds = [old for old in self.book.of(stop.key) if (old.kind, old.name) == same and not old.went_off]
        self.book.add(stop)
        for old in olds:
            self.book.discard(old)
            if old.order is not None:
                stop.asked, stop.asked_at = old.asked, 0
                stop.keeps_amending = old.keeps_amending
                self.book.bind(stop, old.order)
        if stop.kind is StopKind.TIME:
            clock = self.engine.clock
            clock.set_timer(STOPS_OWNER, stop.stop_id, max(stop.due, clock.now))
        self.book.tell("armed", stop)
        self.resting.bring(stop.key)

    def leave(self, stop: Stop, lots: int) -> None:
        """Close lots for a stop that went off elsewhere, whatever its level."""
        self.book.add(stop)
        self._go_off(stop, "its exit was refused", lots)

    def remove(self, stop: Stop, reason: str = "asked for") -> None:
        """Give a stop up and ask its order back."""
        self.book.discard(stop)
        self.resting.take_back(stop)
        self.book.tell("removed", stop, reason)
        self.resting.bring(stop.key)

    def let_go(self, order: Order) -> None:
        """Give up the stop whose order the strategy asks back by name."""
        stop = self.book.behind(order)
        if stop is not None:
            self.remove(stop, "its order was asked back")

    def bring_all(self) -> None:
        """Bring every stop to where the settings want it, after they were changed."""
        for key in self.book.positions():
            self.resting.bring(key)

    def shrink(self, key: Key, lots: int) -> None:
        """Bring resting orders down to a position that is about to be ``lots``: a spot venue locks what they sell."""
        self.resting.shrink(key, lots)

    # -- what the execution engine tells -------------------------------------------------------------------

    def asked_back(self, order: Order) -> None:
        """Note that an order of a stop is being asked back, so that its end is no surprise."""
        self.resting.asked_back(order)

    def after_fill(self, order: Order) -> None:
        """After a fill is booked: note that a stop went off, and bring the others to what is held now."""
        stop = self.book.behind(order)
        if stop is not None:
            self._went_off(stop, order.reason)
            stop.owed, stop.failures, stop.stuck = order.leaves_lots, 0, None
            if order.status is OrderStatus.FILLED:
                self._executed(stop, order)
        self.resting.bring((order.strategy_id, order.instrument_id))

    def after_report(self, order: Order, report: OrderReport, was_open: bool) -> None:
        """After news of an order: a stop's own may have failed, and another's end may free what a stop waits for."""
        key = (order.strategy_id, order.instrument_id)
        if not order.is_open:
            self.book.leaving.pop(order.order_id, None)
        elif order.status is not OrderStatus.PENDING_CANCEL and order.order_id in self.book.leaving:
            clock = self.engine.clock  # a cancel that was refused, or got lost
            clock.set_timer(STOPS_OWNER, f"{AGAIN}{order.order_id}", clock.now + RETRY_NS)
        if key not in self.book:
            return
        stop = self.book.behind(order)
        if stop is not None:
            if order.triggered and not stop.went_off:
                self._went_off(stop, "")
                stop.owed = order.leaves_lots
            if isinstance(report, AmendRejected):
                stop.keeps_amending, stop.asked = False, None
            if was_open and not order.is_open and order.status is not OrderStatus.FILLED:
                self._ended(stop, order)
        self.resting.bring(key)

    def after_adjustment(self, strategy_id: str, instrument_id: str) -> None:
        """After a position was brought to what the venue has: size the stops by it."""
        self.resting.bring((strategy_id, instrument_id))

    def on_timer(self, timer: TimerEvent) -> None:
        """A time stop is due, an exit that failed is sent again, or an order that nobody wants is asked back again."""
        if timer.name.startswith(AGAIN):
            order_id = timer.name.removeprefix(AGAIN)
            if order_id in self.book.leaving:
                self.engine.clear(self.engine.orders[order_id])
            return
        for stop in self:
            if stop.stop_id != timer.name:
                continue
            if stop.went_off or stop.kind is not StopKind.TIME:
                self.resting.bring(stop.key)
            elif self._halted:
                clock = self.engine.clock
                clock.set_timer(STOPS_OWNER, stop.stop_id, clock.now + RETRY_NS)
            elif stop.action is TimeAction.ALERT_ONLY:
                self.stats_of(stop.strategy_id).count(stop.kind)
                self.book.tell("alert", stop, "the time is up")
                self.remove(stop, "it has told")
            else:
                self._go_off(stop, "the time is up")

    # -- prices --------------------------------------------------------------------------------------------

    def on_prices(self, instrument_id: str, low: float, high: float, last: float, since: int) -> None:
        """Show the stops of an instrument the prices seen since a time; those set later see the last one only."""
        for key in [key for key in self.book.positions() if key[1] == instrument_id]:
            self.check(key, low, high, last, since)

    def check(self, key: Key, low: float, high: float, last: float, since: int) -> Stop | None:
        """Let trailing stops follow and the first stop that is reached go off; return it."""
        if self._halted:
            return None
        self._give_way(key, last)
        first, moved = None, False
        stops = self.book.of(key)
        for stop in stops:
            if stop.went_off:
                continue
            reach = (low, high) if stop.since <= since else (last, last)
            hit = stop.is_reached(*reach)
            if not hit and stop.follow(*reach):
                self.stats_of(stop.strategy_id).trailing_updates += 1
                moved = True
                hit = stop.is_reached(last, last)
            if hit and first is None and stop.order is None:
                first = stop
        if first is not None:
            self._go_off(first, "")
        elif moved or any(stop.is_behind for stop in stops):
            self.resting.bring(key)
        return first

    def follow(self, key: Key, px: float) -> None:
        """Let trailing stops follow a price, and let nothing go off."""
        for stop in self.book.of(key):
            if not stop.went_off and stop.follow(px, px):
                self.stats_of(stop.strategy_id).trailing_updates += 1
        self.resting.bring(key)

    def _give_way(self, key: Key, px: float) -> None:
        """Give up limit exits that lock what a bracket's stop is to close, when the price has reached that one."""
        waiting = [stop for stop in self.book.of(key) if stop.waits_for_price]
        if not waiting or not self.engine.is_alone(waiting[0].instrument):
            return
        if any(guard.is_reached(px) for guard in self.engine.guards.cover.of(key)):
            for stop in waiting:
                self.remove(stop, "the price is at the stop of a bracket, which it kept from working")

    # -- going off -----------------------------------------------------------------------------------------

    @property
    def _halted(self) -> bool:
        return self.engine.gate.state is TradingState.HALTED

    def _go_off(self, stop: Stop, reason: str, lots: int = 0) -> None:
        """Let a stop that is watched here go off: its exit leaves at once, or as soon as nothing locks the position."""
        self._went_off(stop, reason)
        stop.owed, stop.again_at = lots or stop.lots_of(abs(self.book.lots(stop.key))), 0
        self.resting.bring(stop.key)

    def _went_off(self, stop: Stop, reason: str) -> None:
        if not stop.went_off:
            stop.went_off = True
            self.stats_of(stop.strategy_id).count(stop.kind)
            self.book.tell("triggered", stop, reason)

    def _executed(self, stop: Stop, order: Order) -> None:
        """A stop has done its work; when it closed a part only, and nothing else cuts losses, another one follows."""
        self.book.part(order)
        self.book.tell("executed", stop, order.reason)
        self.book.discard(stop)
        key = stop.key
        bare = not any(one.cuts_losses and not one.went_off for one in self.book.of(key))
        if stop.part < 1 and stop.cuts_losses and bare and self.book.lots(key):
            entry = self.engine.portfolio.positions[key].avg_px
            follower = stop.follower(self.engine.ids.next("s"), self.engine.clock.now, entry, order.avg_px)
            if follower is not None:
                self.set(follower)

    def _ended(self, stop: Stop, order: Order) -> None:
        """An order of a stop ended without having closed what it should, and nobody here asked for that."""
        self.book.part(order)
        stop.order = stop.asked = None
        stats = self.stats_of(stop.strategy_id)
        if stop.went_off:
            stop.owed = order.lots - order.cum_lots
            stats.execution_errors += 1
            if order.status is OrderStatus.REJECTED and order.reject_code in HOPELESS:
                self._stick(stop, order)
                return
            stop.stuck = None
            self._wait(stop, RETRY_NS << stop.failures)
            stop.failures = min(stop.failures + 1, RETRY_DOUBLINGS)
            self.book.tell("failed", stop, order.reason, order)
        elif order.status is OrderStatus.REJECTED and order.reject_code != NEVER_ARRIVED:
            stop.held_back = True
            stats.execution_errors += 1
            self.book.tell("failed", stop, order.reason, order)
        else:
            # the venue ends reduce-only orders with the position, and that may be heard before the fill
            stop.lost = order.reason or order.status.name.lower()
            self._wait(stop, RETRY_NS << stop.failures)

    def _stick(self, stop: Stop, order: Order) -> None:
        """The venue cannot take an exit as it is: say so once, and try again seldom, or when something has changed."""
        before, px = stop.stuck, self.engine.portfolio.marks.get(order.instrument_id, float("nan"))
        stop.stuck = Stuck(order.reject_code, order.reason, stop.owed, px)
        if before is not None and before.code == order.reject_code:
            stop.stuck.times = before.times + 1
        self._wait(stop, stop.stuck.pause_ns)
        if stop.stuck.times == 1:
            text = f"the venue does not take {order.qty:f} {order.instrument_id}, which stay open: {order.reason}"
            self.book.tell("uncloseable", stop, text, order)

    def _wait(self, stop: Stop, pause_ns: int) -> None:
        clock = self.engine.clock
        stop.again_at = clock.now + pause_ns
        clock.set_timer(STOPS_OWNER, stop.stop_id, stop.again_at)
