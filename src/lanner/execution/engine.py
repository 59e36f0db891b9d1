"""The execution engine: registers orders before they leave, applies reports, and takes orders back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from copy import copy

from lanner.core.clock import LogicalClock, TimerEvent
from lanner.core.errors import NotFoundError, RiskRefusedError
from lanner.core.ids import IdFactory
from lanner.execution import lifecycle
from lanner.execution.abilities import Abilities
from lanner.execution.exits import ROI_OWNER, ExitPlan, check_market
from lanner.execution.guards import BracketGuards
from lanner.execution.held import HeldOrders
from lanner.execution.late_fills import book_recognised
from lanner.execution.lifecycle import apply_report, ask_cancel, can_amend, move
from lanner.execution.overtaken import brings, lots_to_come, make_good
from lanner.execution.packing import grouped, packed
from lanner.execution.position_stops import PositionStops
from lanner.execution.retention import Retention
from lanner.execution.stop_book import STOPS_OWNER
from lanner.execution.stops import StopEvent
from lanner.execution.unexplained import Unexplained
from lanner.model.commands import AmendOrder, CancelOrder, Command
from lanner.model.enums import GroupKind, OrderStatus
from lanner.model.instruments import Instrument
from lanner.model.orders import Order, OrderView, command_of
from lanner.model.reports import Fill, OrderFilled, OrderReport, PositionAdjusted
from lanner.portfolio.portfolio import Portfolio
from lanner.portfolio.positions import Position
from lanner.portfolio.snapshots import snapshot
from lanner.risk.checks import Denial, OnDeny, RiskLimits, check_intents, check_order
from lanner.risk.engine import RiskEngine
from lanner.risk.gate import Gate

__all__ = ["HOUSE_TIMERS", "ExecutionEngine", "Publish"]

HOUSE_TIMERS = frozenset({ROI_OWNER, STOPS_OWNER})
"""The owners of timers that are the execution engine's own."""

CLEAR_AGAIN_NS = 1_000_000_000
"""How long an order whose cancel was refused is left in peace before an exit wants it away again."""

Publish = Callable[[str, object], None]
Key = tuple[str, str]

_TOPICS = {
    OrderStatus.DENIED: "order.denied",
    OrderStatus.HELD: "order.pending",
    OrderStatus.SUBMITTED: "order.submitted",
    OrderStatus.ACCEPTED: "order.accepted",
    OrderStatus.TRIGGERED: "order.triggered",
    OrderStatus.PARTIALLY_FILLED: "order.partially_filled",
    OrderStatus.REJECTED: "order.rejected",
    OrderStatus.CANCELED: "order.cancelled",
    OrderStatus.EXPIRED: "order.expired",
    OrderStatus.FILLED: "order.filled",
    OrderStatus.UNKNOWN: "order.unknown",
    OrderStatus.PENDING_AMEND: "order.pending",
    OrderStatus.PENDING_CANCEL: "order.pending",
}


class ExecutionEngine:
    """Own the orders. Commands pile up in ``out``, news for strategies in ``notices``; the engine takes both.

    ``shared`` names the instruments that several strategies trade through one account. Their orders leave without
    the reduce-only flag: the venue knows the net position only and would refuse one strategy's exit because of
    another's position. ``wanted`` has the last targets, in lots. ``refusal`` is set when a denied order shall stop the
    run. ``listens`` tells whether anybody wants to hear of a topic, so that nothing is made for nobody.
    """

    def __init__(
        self, clock: LogicalClock, ids: IdFactory, portfolio: Portfolio, limits: RiskLimits, publish: Publish
    ) -> None:
        self.clock = clock
        self.ids = ids
        self.portfolio = portfolio
        self.limits = limits
        self.orders: dict[str, Order] = {}
        self.out: list[Command] = []
        self.notices: list[tuple[str, OrderView | Fill | StopEvent]] = []
        self.fills: list[tuple[OrderFilled, Order]] = []
        self.wanted: dict[Key, int] = {}
        self.intents = 0
        self.stray_reports = 0
        self.denied_amends = 0
        self.refusal: RiskRefusedError | None = None
        self.shared: frozenset[str] = frozenset()
        self.gate = Gate()
        self.abilities = Abilities()
        self.risk: RiskEngine | None = None
        self.guards = BracketGuards(self)
        self.stops = PositionStops(self)
        self.held = HeldOrders(self)
        self.retention = Retention(self)
        self.unexplained = Unexplained()
        self.taken_back: list[PositionAdjusted] = []
        self.publish = publish
        self.listens: Callable[[str], bool] = _somebody
        self._batching = False
        self._open: dict[Key, dict[str, Order]] = {}
        self._open_count: dict[str, int] = {}
        self._joined: dict[str, list[Order]] = {}

    # -- intents -----------------------------------------------------------------------------------

    def submit(self, order: Order, plan: ExitPlan | None = None, parent: Order | None = None) -> OrderView:
        """Check an order, register it, and let it go, or hold it back until its parent fills."""
        self.orders[order.order_id] = order
        self.intents += 1
        denial = check_intents(self.intents, self.limits)
        if denial is None and self.abilities:
            denial = self.abilities.check(order, plan)
        if denial is None and plan:
            denial = check_market(order, plan, self.portfolio.marks.get(order.instrument_id, float("nan")))
        if denial is None and parent is None:
            denial = self._veto(order)
        if denial is not None:
            self._deny(order, denial)
            return OrderView(order)
        if plan:
            self.guards.plan(order, plan)
        if parent is None:
            self.send(order)
        else:
            self.held.hold(order, parent)
        return OrderView(order)

    def take_over(self, order: Order) -> None:
        """Register an order that works at the venue already: from now on it counts like one of our own."""
        self.orders[order.order_id] = order
        self._count_open(order)
        self.tell(order)

    def cancel(self, order: Order) -> None:
        """Ask for a working order back, or end one that was held; asking twice or too late is harmless."""
        if order.status is OrderStatus.HELD:
            self.held.cancel(order)
            return
        if order.status in (OrderStatus.PENDING_CANCEL, OrderStatus.INITIALIZED) or order.is_final:
            return
        if self.stops:
            self.stops.asked_back(order)
        now = self.clock.now
        number = ask_cancel(order, now)
        self.intents += 1
        self.out.append(CancelOrder(order.order_id, order.instrument_id, now, number))

    def clear(self, order: Order) -> None:
        """Ask an order back that is in the way of an exit.

        A venue that refused that a moment ago has the order no more, and its news are on the way: asking on and on
        would only spend what cancels may cost.
        """
        refused = 0 if order.requests is None else order.requests.refused_ns
        if not refused or self.clock.now >= refused + CLEAR_AGAIN_NS:
            self.cancel(order)

    def take_back(self, order: Order) -> None:
        """Ask an order back for good: what stands behind a stop or an exit does not send it again."""
        self.stops.let_go(order)
        self.guards.let_go(order)
        self.cancel(order)

    def cancel_all(
        self,
        strategy_id: str,
        instrument_id: str | None = None,
        *,
        spare_stops: bool = False,
        for_good: bool = False,
        spare: Collection[Order] = (),
    ) -> int:
        """Ask for all of a strategy's orders back (of one instrument, or of all), and end those that were held.

        ``spare_stops`` leaves the orders of a position's stops where they are, ``spare`` some others. What protects a
        position comes again while there is one to protect, unless this is ``for_good`` as in ``take_back``.
        """
        orders = [order for order in self.open_orders(strategy_id, instrument_id) if order not in spare]
        if spare_stops and self.stops:
            orders = [order for order in orders if not self.stops.owns(order)]
        orders += [
            order
            for order in self.held
            if order.strategy_id == strategy_id and instrument_id in (None, order.instrument_id)
        ]
        for order in orders:
            (self.take_back if for_good else self.cancel)(order)
        return len(orders)

    def amend(self, order: Order, lots: int | None, px_ticks: int | None, stop_ticks: int | None) -> bool:
        """Ask for a change of a working order; tell whether the request left.

        A limit may deny it; and an order that has ended, was asked back or is in doubt cannot be changed: which of them
        comes first is the venue's to say, so that is no mistake.
        """
        held = order.status is OrderStatus.HELD
        if not held and not can_amend(order):
            return False
        changed = copy(order)
        _change(changed, lots, px_ticks, stop_ticks)
        denial = None if held or not self.abilities else self.abilities.check_amend(order)
        if denial is None and not held and _is_more(changed, order):
            denial = self._veto(changed, is_new=False)
        if denial is not None:
            self.denied_amends += 1
            self._denied(order, denial, "an amend was denied: ")
            return False
        if lots is not None and order.group_kind is GroupKind.BRACKET:
            self.guards.sized_by_hand(order)
        if held:
            _change(order, lots, px_ticks, stop_ticks)
            self.tell(order)
        else:
            self.ask_amend(order, lots, px_ticks, stop_ticks)
        return True

    def ask_amend(self, order: Order, lots: int | None, px_ticks: int | None, stop_ticks: int | None) -> None:
        """Send a change of a working order, unchecked."""
        now = self.clock.now
        number = lifecycle.ask_amend(order, lots, now)
        self.intents += 1
        self.out.append(
            AmendOrder(order.order_id, order.instrument_id, now, lots, px_ticks, stop_ticks, number)
        )

    def join(self, orders: list[Order], group_id: str, kind: GroupKind) -> None:
        """Join working orders so that the fill of one cancels the others.

        Orders that have not left yet leave as one group, which the venue keeps; for the others the engine
        cancels the siblings when it hears of a fill.
        """
        for order in orders:
            order.group_id, order.group_kind = group_id, kind
        ids = {order.order_id for order in orders}
        self.out[:] = [grouped(command, ids, group_id, kind) for command in self.out]
        self._joined[group_id] = orders

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Let what is asked for inside leave as one ``Batch`` for each venue; an inner batch joins the outer one.

        An error inside does not undo what was asked for before it.
        """
        if self._batching:
            yield
            return
        self._batching = True
        start = len(self.out)
        try:
            yield
        finally:
            self._batching = False
            self.out[start:] = packed(self.out[start:], self.orders, self.clock.now)

    def find(self, order: OrderView | str) -> Order:
        """Return the order behind a view or an id."""
        order_id = order if isinstance(order, str) else order.order_id
        found = self.orders.get(order_id)
        if found is None and isinstance(order, OrderView) and self.retention.has_forgotten(order):
            found = order._order
        if found is None:
            fix = "It ended long ago; the ledger has it." if self.retention.has_forgotten(order_id) else None
            raise NotFoundError(f"no order {order_id!r} in this run", fix=fix)
        return found

    def open_orders(self, strategy_id: str, instrument_id: str | None = None) -> Iterable[Order]:
        """Return a strategy's orders that may still fill, oldest first."""
        if instrument_id is not None:
            return list(self._open.get((strategy_id, instrument_id), {}).values())
        return [o for key, orders in self._open.items() if key[0] == strategy_id for o in orders.values()]

    def working_orders(self) -> Iterator[Order]:
        """Go through all orders that may still fill."""
        for orders in self._open.values():
            yield from orders.values()

    def pending_lots(self, strategy_id: str, instrument_id: str, held: int) -> int:
        """Return the signed lots that working orders of targets may still add, and those at market, which will."""
        left = held
        for order in self._open.get((strategy_id, instrument_id), {}).values():
            if order.overtaken is None and brings(order):
                left += lots_to_come(order, left)
        return left - held

    def is_alone(self, instrument: Instrument) -> bool:
        """Tell whether nothing stops an exit at a position of 0: on spot it locks what it sells, too."""
        return instrument.is_spot or instrument.id in self.shared

    def shrink_exits(self, strategy_id: str, instrument_id: str, lots: int) -> None:
        """Bring protective exits down to a position that is about to be ``lots``."""
        key = (strategy_id, instrument_id)
        self.guards.shrink(key, lots)
        self.stops.shrink(key, lots)

    # -- the veto ----------------------------------------------------------------------------------

    def _veto(self, order: Order, *, is_new: bool = True) -> Denial | None:
        instrument = order.instrument
        position = self.portfolio.position(order.strategy_id, instrument)
        working = self._open.get((order.strategy_id, instrument.id), {}).values()
        risk = self.risk
        if risk is not None and self.clock.now >= risk.next_look:
            risk.look(self.clock.now)
        denial = self.gate.check(order, position, working) or check_order(
            order,
            position,
            self.portfolio.marks.get(instrument.id, float("nan")),
            self._open_count.get(order.strategy_id, 0) if is_new else 0,
            self.limits,
            working,
            self.portfolio.rate(instrument.settle),
        )
        if denial is None and risk is not None:
            denial = risk.check(order, position, working, is_new=is_new)
        return denial

    def _deny(self, order: Order, denial: Denial) -> None:
        order.reject_code = denial.code
        move(order, OrderStatus.DENIED, self.clock.now)
        self._denied(order, denial, "")
        if self.held:
            self.held.after_news(order)
        self.retention.ended(order)

    def _denied(self, order: Order, denial: Denial, prefix: str) -> None:
        order.reason = prefix + denial.reason
        if self.limits.on_deny is OnDeny.STOP and self.refusal is None:
            self.refusal = RiskRefusedError(
                f"the run was stopped: {prefix}order {order.order_id} of {order.strategy_id} "
                f"({order.side.name} {order.qty:f} {order.instrument_id}): {denial.reason}",
                expected=f"risk.{denial.limit}: at most {denial.allowed}",
                found=denial.found,
                fix="Raise the limit, send less, or set risk.on_deny: record to go on without such orders.",
            )
        self.tell(order)

    def let_go(self, order: Order) -> None:
        """Check an order that was held and send it."""
        denial = self._veto(order)
        if denial is None:
            self.send(order)
        else:
            self._deny(order, denial)

    def send(self, order: Order) -> None:
        """Send an order, unchecked."""
        self._count_open(order)
        move(order, OrderStatus.SUBMITTED, self.clock.now)
        self.out.append(command_of(order, self.clock.now))
        self.publish("order.submitted", OrderView(order))

    def _count_open(self, order: Order) -> None:
        self._open.setdefault((order.strategy_id, order.instrument_id), {})[order.order_id] = order
        self._open_count[order.strategy_id] = self._open_count.get(order.strategy_id, 0) + 1

    # -- reports -----------------------------------------------------------------------------------

    def on_report(self, report: OrderReport) -> None:
        """Apply what the venue says about one of our orders."""
        order = self.orders.get(report.order_id)
        if order is None:
            self.stray_reports += 1
            return
        if order.concluded is not None and isinstance(report, OrderFilled):
            fresh = book_recognised(order, report, self.portfolio)
            if fresh is None:
                self.tell(order)
                return
            report = fresh
        was, was_open = order.status, order.is_open
        if not apply_report(order, report):
            return
        if order.status is not was:
            self.gate.note(order)
        if isinstance(report, OrderFilled):
            self._booked(order, report)
        if was_open and not order.is_open:
            self._closed(order)
        if order.group_kind is GroupKind.BRACKET:
            self.guards.after_report(order, report, was)
        elif was_open and not order.is_open:
            self.guards.after_end(order)
        if self.stops:
            self.stops.after_report(order, report, was_open)
        if self.held:
            self.held.after_news(order)
        self.tell(order)
        make_good(self, order)

    def _booked(self, order: Order, fill: OrderFilled) -> None:
        instrument = order.instrument
        back = self.unexplained.explained_by(fill) if self.unexplained else None
        if back is None:
            position = self.portfolio.apply_fill(order.strategy_id, instrument, fill)
        else:
            position = self.portfolio.apply_late(order.strategy_id, instrument, fill, back)
            self.taken_back.append(back)
        self.fills.append((fill, order))
        self.retention.booked()
        if self.risk is not None:
            self.risk.next_look = 0
        self.notices.append(
            (
                order.strategy_id,
                Fill(
                    order.order_id,
                    fill.trade_id,
                    order.strategy_id,
                    instrument.id,
                    fill.ts_event,
                    fill.side,
                    instrument.px(fill.px_ticks),
                    instrument.qty(fill.lots),
                    fill.fee,
                    fill.liquidity,
                    order.tag or order.intent,
                    position.qty,
                ),
            )
        )
        self._tell_position(order.strategy_id, position)
        self.guards.after_fill(order, position.lots)
        if self.stops:
            self.stops.after_fill(order)
        if back is not None and back.strategy_id != order.strategy_id:
            self.adjusted(back.strategy_id, instrument.id)

    def adjusted(self, strategy_id: str, instrument_id: str) -> None:
        """Bring exits and stops to a position that was brought to what the venue has, and tell it."""
        position = self.portfolio.positions[strategy_id, instrument_id]
        self._tell_position(strategy_id, position)
        self.guards.after_adjustment(strategy_id, instrument_id, position.lots)
        if self.stops:
            self.stops.after_adjustment(strategy_id, instrument_id)

    def _tell_position(self, strategy_id: str, position: Position) -> None:
        topic = f"position.{position.instrument.id}"
        if self.listens(topic):
            mark = self.portfolio.marks.get(position.instrument.id, float("nan"))
            self.publish(topic, snapshot(position, strategy_id, mark, self.clock.now))

    def _closed(self, order: Order) -> None:
        orders = self._open[order.strategy_id, order.instrument_id]
        del orders[order.order_id]
        self._open_count[order.strategy_id] -= 1
        if order.status is OrderStatus.REJECTED and not order.cum_lots:
            self.guards.drop(order)
        self.retention.ended(order)
        for sibling in self._joined.pop(order.group_id, ()) if order.cum_lots else ():
            if sibling is not order:
                self.cancel(sibling)

    def tell(self, order: Order) -> None:
        """Tell a strategy, and whoever listens, what an order has come to."""
        view = OrderView(order)
        self.notices.append((order.strategy_id, view))
        self.publish(_TOPICS.get(order.status, "order.update"), view)

    def on_timer(self, timer: TimerEvent) -> None:
        """Take one of the house's own timers."""
        (self.stops if timer.owner == STOPS_OWNER else self.guards).on_timer(timer)


def _somebody(_topic: str) -> bool:
    """Nobody knows who listens, so somebody may."""
    return True


def _change(order: Order, lots: int | None, px_ticks: int | None, stop_ticks: int | None) -> None:
    order.lots = order.lots if lots is None else lots
    order.px_ticks = order.px_ticks if px_ticks is None else px_ticks
    order.stop_ticks = order.stop_ticks if stop_ticks is None else stop_ticks


def _is_more(changed: Order, order: Order) -> bool:
    """Tell whether a change could raise what an order is worth."""
    return (
        changed.lots > order.lots
        or (changed.px_ticks or 0) > (order.px_ticks or 0)
        or (changed.stop_ticks or 0) > (order.stop_ticks or 0)
    )
