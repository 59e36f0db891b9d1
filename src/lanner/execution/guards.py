"""``BracketGuards`` keep protective exits in step with the entries they protect.

A guard starts with its entry's first fill. Whatever the entry fills further is added to the working exits by amending
them, each when it has answered what was asked of it before (``ExitSizes``). That races with the exits' own fills: an
exit may fill, and cancel its siblings, while the amend is under way. So whenever an exit is done or an amend refused,
and a part of the entry is left bare, a new group of exits is sent for that part at once (``ExitOrders``). A triggered
stop whose rest found no liquidity is followed by market orders until the rest is out (``FailedExits``).

What others close of a position (the strategy, a stop of ``PositionStops``) is taken off the exits, those whose stop is
nearest keep their size longest. So exits never close more than is held (``Cover``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanner.core.clock import TimerEvent
from lanner.execution.cover import Cover
from lanner.execution.exit_orders import ExitOrders
from lanner.execution.exit_sizes import ExitSizes
from lanner.execution.exits import AGAIN, ExitPlan, Guard, Key, coming_lots, is_working
from lanner.execution.failed_exits import FailedExits
from lanner.model.enums import OrderStatus
from lanner.model.orders import Order
from lanner.model.reports import AmendRejected, CancelRejected, OrderAmended, OrderReport

if TYPE_CHECKING:
    from lanner.execution.engine import ExecutionEngine


class BracketGuards:
    """Keep the stops, targets and trailing stops that came with entries, by (strategy, instrument)."""

    def __init__(self, engine: ExecutionEngine) -> None:
        self.engine = engine
        self.cover = Cover(engine)
        self.orders = ExitOrders(engine, self.cover)
        self.sizes = ExitSizes(engine, self.cover, self.orders)
        self.failed = FailedExits(engine, self.cover, self.orders, self.sizes)
        self._plans: dict[str, Guard] = {}

    def plan(self, entry: Order, plan: ExitPlan) -> None:
        """Keep a plan until its entry fills."""
        self._plans[entry.order_id] = Guard(entry, plan, self.engine.ids.next("g"))

    def plan_of(self, entry: Order) -> ExitPlan | None:
        """Return the plan of an entry that may still fill, None where it has none."""
        found = self._plans.get(entry.order_id)
        return None if found is None else found.plan

    def drop(self, entry: Order) -> None:
        """Forget the plan of an entry that was refused."""
        self._plans.pop(entry.order_id, None)

    # -- what the execution engine tells -------------------------------------------------------------------

    def after_fill(self, order: Order, lots: int) -> None:
        """After a fill: start or grow the guard of an entry, and bring down or withdraw those of what is closed."""
        key = (order.strategy_id, order.instrument_id)
        if any(guard.entry.side != order.side for guard in self.cover.of(key)):
            self._after_closing(key, lots)
        started = self._plans.get(order.order_id)
        if started is None:
            return
        if order.status is OrderStatus.FILLED:  # any other order may still have a late fill
            del self._plans[order.order_id]
        if lots * order.side > 0:
            self._protect(started)

    def after_adjustment(self, strategy_id: str, instrument_id: str, lots: int) -> None:
        """After a position was brought to what the venue has: size the exits by it."""
        key = (strategy_id, instrument_id)
        self._withdraw_against(key, lots)
        self.settle(key)

    def after_report(self, exit_order: Order, report: OrderReport, was: OrderStatus) -> None:
        """After news of an exit: protect what it leaves bare, and bring down what grew beyond its entry."""
        guard = self.cover.behind(exit_order)
        if is_working(exit_order) and self.failed.is_unwanted(exit_order):
            self.failed.look_again(exit_order)
        if guard is None:
            return
        refused = exit_order.status is OrderStatus.REJECTED
        if exit_order.status is OrderStatus.CANCELED or (refused and exit_order.order_id in guard.let_go):
            self.failed.after_cancel(guard, exit_order)
            refused = False
        if exit_order.is_open and was is OrderStatus.SUBMITTED:
            self.failed.after_acceptance(guard, exit_order)
        if exit_order.is_final and guard.again:
            self.sizes.send_again(guard)
        bare = self.cover.bare(guard)
        if exit_order.status is OrderStatus.FILLED:
            self._after_exit(guard, exit_order, bare)
        elif exit_order.status is OrderStatus.EXPIRED:
            self.failed.after_expiry(guard, exit_order)
        elif refused:  # what leaves instead may fail, too
            self.failed.after_rejection(guard, exit_order)
        elif isinstance(report, CancelRejected):  # it may still be larger than it should be
            self.failed.after_vain_cancel(guard, exit_order)
        elif isinstance(report, AmendRejected):
            guard.refused = True
            self.sizes.after_refusal(guard, bare)
            if exit_order.order_id in guard.shrinking:
                guard.shrinking[exit_order.order_id] = True
                self.sizes.settle(guard)
        elif guard.refused and isinstance(report, OrderAmended) and report.request:
            self.sizes.after_refusal(guard, bare)
        elif exit_order.is_open and (
            was in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN) or isinstance(report, OrderAmended)
        ):
            self.sizes.settle(guard)

    def after_end(self, order: Order) -> None:
        """After the end of an order that is no exit: what made way for it may be needed again."""
        key = (order.strategy_id, order.instrument_id)
        if self.engine.is_alone(order.instrument) or any(guard.lost for guard in self.cover.of(key)):
            self.settle(key)

    def on_timer(self, timer: TimerEvent) -> None:
        """Move a target to its next stage, or send the rest of a stop again."""
        if timer.name.startswith(AGAIN):
            self.failed.on_timer(timer.name)
            return
        guard = self.orders.staged.due(timer.name)
        if guard is not None:
            self.orders.staged.stage(guard, self.cover.bare(guard))
            if guard.take_ticks is not None:
                self.sizes.settle(guard)

    # -- what others ask -----------------------------------------------------------------------------------

    def settle(self, key: Key) -> None:
        """Bring the exits of a position to the size that they should have now."""
        for guard in self.cover.of(key):
            self.sizes.settle(guard)

    def shrink(self, key: Key, lots: int) -> None:
        """Bring exits down to a position that is about to be ``lots``: a spot venue locks what they sell."""
        self.sizes.shrink(key, lots)

    def locked_lots(self, key: Key) -> int:
        """Return the lots that exits at the venue may still close at worst, asked back or not; a group counts once."""
        return self.cover.locked_lots(key)

    def let_go(self, exit_order: Order) -> None:
        """Note that the strategy, or a person, asks an exit back by itself: it is not sent again."""
        guard = self.cover.behind(exit_order)
        if guard is not None and exit_order.is_open:
            guard.let_go[exit_order.order_id] = coming_lots(exit_order) + exit_order.cum_lots

    def sized_by_hand(self, exit_order: Order) -> None:
        """Note that the strategy set an exit's quantity itself."""
        guard = self.cover.behind(exit_order)
        role = "" if guard is None else guard.role_of(exit_order)
        if guard is not None and role:
            guard.by_hand.add(role)

    # -- parts ---------------------------------------------------------------------------------------------

    def _protect(self, guard: Guard) -> None:
        if self.cover.add(guard):
            guard.opened_at = guard.entry.ts_last
            if guard.orders:  # of a position that was gone meanwhile
                self.orders.begin_group(guard)
        # a fee that was taken in the coin leaves less than was filled, and so does a short that was closed first
        surplus = sum(one.claim_lots for one in self.cover.of(guard.key)) - self.cover.held(guard.key)
        guard.gone_lots += max(0, min(surplus, guard.claim_lots))
        self._fit_all(guard.key)
        self.sizes.protect(guard)

    def _after_closing(self, key: Key, lots: int) -> None:
        """A part of the position was closed, or all: what others closed is no business of the exits any more."""
        self._withdraw_against(key, lots)
        held = abs(lots)
        for guard in self.cover.nearest_first(key):
            share = min(guard.claim_lots, held)
            held -= share
            guard.gone_lots += guard.claim_lots - share
        self._fit_all(key)

    def _after_exit(self, guard: Guard, done: Order, bare: int) -> None:
        """An exit filled in full: its siblings go with it, so what is left needs new ones."""
        over = guard.claim_lots == 0
        for order in guard.all_orders:
            if is_working(order) and (over or order.group_id == done.group_id):
                self.engine.cancel(order)  # not every venue does it
        if over:
            return
        if guard.role_of(done):
            guard.again = set()
        self.sizes.cover_bare(guard, bare)  # a level that the strategy sized itself has had its turn

    def _fit_all(self, key: Key) -> None:
        for guard, share in self.cover.shares(key):
            self.orders.size_watched(guard)
            self.sizes.fit(guard, share)

    def _withdraw_against(self, key: Key, lots: int) -> None:
        """Withdraw the guards of a position that is gone or turned."""
        for guard in self.cover.of(key):
            if lots * guard.entry.side <= 0:
                self.orders.withdraw(guard)
