"""``BracketGuards`` keep protective exits in step with the entries they protect.

A guard starts with its entry's first fill. Whatever the entry fills further is added to the working exits by
amending them. That races with the exits' own fills: an exit may fill, and cancel its siblings, while the amend
is under way. So whenever an exit is done or an amend refused, and a part of the entry is left bare, a new
group of exits is sent for that part at once. A triggered stop whose rest found no liquidity is followed by market
orders until the rest is out.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import TYPE_CHECKING

from lanner.core.clock import TimerEvent
from lanner.execution.exits import ExitPlan, Guard, is_working
from lanner.execution.lifecycle import can_amend
from lanner.model.enums import GroupKind, OrderStatus, OrderType
from lanner.model.orders import Order
from lanner.model.reports import AmendRejected, OrderAmended, OrderReport

if TYPE_CHECKING:
    from lanner.execution.engine import ExecutionEngine

Key = tuple[str, str]

ROI_OWNER = "execution.roi"
AGAIN = "again:"
RETRY_NS = 1_000_000_000


class BracketGuards:
    """Keep the stops, targets and trailing stops that came with entries, by (strategy, instrument)."""

    def __init__(self, engine: ExecutionEngine) -> None:
        self.engine = engine
        self._guards: dict[Key, list[Guard]] = {}
        self._plans: dict[str, Guard] = {}
        self._by_entry: dict[str, Guard] = {}
        self._roi: dict[str, Key] = {}

    def plan(self, entry: Order, plan: ExitPlan) -> None:
        """Keep a plan until its entry fills."""
        self._plans[entry.order_id] = Guard(entry, plan, self.engine.ids.next("g"))

    def drop(self, entry: Order) -> None:
        """Forget the plan of an entry that was refused."""
        self._plans.pop(entry.order_id, None)

    def after_fill(self, order: Order, lots: int) -> None:
        """After a fill: start or grow the guard of an entry, and withdraw guards whose position is gone."""
        key = (order.strategy_id, order.instrument_id)
        for guard in list(self._guards.get(key, ())):
            if lots * guard.entry.side <= 0:
                self._withdraw(key, guard)
        started = self._plans.get(order.order_id)
        if started is None:
            return
        if order.status is OrderStatus.FILLED:  # any other order may still have a late fill
            del self._plans[order.order_id]
        size = min(started.bare_lots, abs(lots)) if lots * order.side > 0 else 0
        if size > 0:
            self._protect(key, started, size)

    def after_adjustment(self, strategy_id: str, instrument_id: str, lots: int) -> None:
        """After a position was brought to what the venue has: withdraw guards whose position is gone."""
        key = (strategy_id, instrument_id)
        for guard in list(self._guards.get(key, ())):
            if lots * guard.entry.side <= 0:
                self._withdraw(key, guard)

    def after_report(self, exit_order: Order, report: OrderReport, was: OrderStatus) -> None:
        """After news of an exit: protect what it leaves bare, and bring down what grew beyond its entry."""
        guard = self._by_entry.get(exit_order.parent_id)
        if guard is None:
            return
        key = (exit_order.strategy_id, exit_order.instrument_id)
        bare = self._bare(guard)
        if exit_order.status is OrderStatus.FILLED:
            self._after_exit(key, guard, exit_order, bare)
        elif exit_order.status is OrderStatus.EXPIRED and bare > 0:
            self._after_expiry(guard, exit_order, bare)
        elif isinstance(report, AmendRejected):
            guard.refused = True
            self._after_refusal(key, guard, bare)
        elif isinstance(report, OrderAmended) and report.request:
            if exit_order.leaves_lots > guard.bare_lots > 0:
                self._resize(guard, guard.bare_lots)
            elif guard.refused:  # a sibling could not grow
                self._after_refusal(key, guard, bare)
        elif was is OrderStatus.UNKNOWN and exit_order.is_open and bare > 0:
            self._resize(guard, bare)

    def _bare(self, guard: Guard) -> int:
        """Return the lots of a guard's entry that are still held and that no earlier group of exits covers."""
        entry = guard.entry
        lots = self.engine.portfolio.position(entry.strategy_id, entry.instrument).lots
        return min(guard.bare_lots, abs(lots)) if lots * entry.side > 0 else 0

    def _after_exit(self, key: Key, guard: Guard, done: Order, bare: int) -> None:
        """An exit filled in full: its siblings go with it, so what is left needs new ones."""
        if guard.entry.cum_lots <= guard.closed_lots:
            for order in guard.past:
                if is_working(order) and order.group_id != done.group_id:
                    self.engine.cancel(order)
        elif bare > 0 and done in guard.orders.values():
            # a level that the strategy sized itself has had its turn
            self._place(key, guard, bare, leave_out=guard.by_hand)
        elif bare > 0:
            self._resize(guard, bare)

    def _after_refusal(self, key: Key, guard: Guard, bare: int) -> None:
        """The venue refuses to let an exit grow: once all are answered, send more for what the smallest leaves bare."""
        exits = [o for role, o in guard.orders.items() if is_working(o) and role not in guard.by_hand]
        if not exits or any(order.requests and order.requests.amends for order in exits):
            return
        short = bare - min(order.leaves_lots for order in exits)
        if short > 0:
            self._place(key, guard, short, leave_out=guard.by_hand)

    def _after_expiry(self, guard: Guard, ended: Order, bare: int) -> None:
        """A stop went off, and the market could not take all of it: send the rest after it.

        One that got nothing waits a moment; the same quote would have nothing for it again.
        """
        if ended.cum_lots:
            self._finish(guard, ended, bare)
        else:
            clock = self.engine.clock
            clock.set_timer(ROI_OWNER, f"{AGAIN}{ended.order_id}", clock.now + RETRY_NS)

    def _finish(self, guard: Guard, ended: Order, lots: int) -> None:
        for role, order in list(guard.orders.items()):
            if order is ended:
                guard.past.append(ended)
                self._send(guard, role, OrderType.MARKET, lots, intent=ended.intent)

    # -- sending and sizing ------------------------------------------------------------------------

    def _protect(self, key: Key, guard: Guard, lots: int) -> None:
        if guard not in self._guards.setdefault(key, []):
            self._guards[key].append(guard)
            self._by_entry[guard.entry.order_id] = guard
            guard.opened_at = guard.entry.ts_last
        if not guard.orders or guard.is_over:  # perhaps its exits closed the first part of the entry
            self._place(key, guard, lots)
        else:
            self._resize(guard, lots)

    def _resize(self, guard: Guard, lots: int) -> None:
        exits = [order for role, order in guard.orders.items() if role not in guard.by_hand]
        if not all(map(self.engine.abilities.can_amend, filter(is_working, exits))):
            short = lots - min((order.leaves_lots for order in exits if is_working(order)), default=lots)
            if short > 0:  # what cannot grow gets company
                key = (guard.entry.strategy_id, guard.entry.instrument_id)
                self._place(key, guard, short, leave_out=guard.by_hand)
            return
        for role, order in guard.orders.items():
            total = lots + order.cum_lots
            requests = order.requests
            aim = requests.aim_lots if requests is not None and requests.amends else 0
            if role not in guard.by_hand and can_amend(order) and (aim or order.lots) != total:
                self.engine.ask_amend(order, total, None, None)

    def _place(self, key: Key, guard: Guard, lots: int, leave_out: Collection[str] = ()) -> None:
        """Send a new group of exits for a part of the entry."""
        if guard.orders:
            self.engine.clock.cancel_timer(ROI_OWNER, guard.group_id)
            guard.renew(self.engine.ids.next("g"))
        plan, entry = guard.plan, guard.entry
        instrument, side, avg = entry.instrument, entry.side, entry.avg_px
        assert avg is not None
        if plan.stop is not None and "stop" not in leave_out:
            level = plan.stop.at(instrument, avg, -side)
            self._send(guard, "stop", OrderType.STOP_MARKET, lots, stop_ticks=level)
        if (plan.trail_frac is not None or plan.trail_ticks is not None) and "trail" not in leave_out:
            self._send(guard, "trail", OrderType.TRAILING_STOP, lots)
        if "take" in leave_out:
            return
        if plan.roi:
            self._stage_roi(key, guard, lots)
        if plan.take is not None:
            level = plan.take.at(instrument, avg, side)
            self._send(guard, "take", OrderType.LIMIT, lots, px_ticks=level)

    def _send(
        self,
        guard: Guard,
        role: str,
        type_: OrderType,
        lots: int,
        *,
        px_ticks: int | None = None,
        stop_ticks: int | None = None,
        intent: str = "",
    ) -> None:
        entry, plan = guard.entry, guard.plan
        trailing = type_ is OrderType.TRAILING_STOP
        order = Order(
            self.engine.ids.next("o"),
            entry.strategy_id,
            entry.instrument,
            entry.side.opposite,
            type_,
            lots,
            self.engine.clock.now,
            px_ticks=px_ticks,
            stop_ticks=stop_ticks,
            trail_frac=plan.trail_frac if trailing else None,
            trail_ticks=plan.trail_ticks if trailing else None,
            reduce_only=entry.instrument_id not in self.engine.shared,
            group_id=guard.group_id,
            group_kind=GroupKind.BRACKET,
            parent_id=entry.order_id,
            intent=intent or role,
        )
        guard.orders[role] = order
        self.engine.orders[order.order_id] = order
        self.engine.send(order)

    # -- from outside ------------------------------------------------------------------------------

    def sized_by_hand(self, exit_order: Order) -> None:
        """Note that the strategy set an exit's quantity itself."""
        guard = self._by_entry.get(exit_order.parent_id)
        if guard is not None:
            guard.by_hand |= {role for role, order in guard.orders.items() if order is exit_order}

    def shrink(self, strategy_id: str, instrument_id: str, lots: int) -> None:
        """Bring exits down to a position that is about to be ``lots``: a spot venue locks what they sell."""
        left = lots
        for guard in self._guards.get((strategy_id, instrument_id), ()):
            size = 0
            for order in (*guard.past, *guard.orders.values()):
                if not is_working(order):
                    continue
                size = min(order.lots, left)
                if size <= order.cum_lots:
                    self.engine.cancel(order)
                elif size < order.lots and can_amend(order):
                    self.engine.ask_amend(order, size, None, None)
            left -= size

    def _withdraw(self, key: Key, guard: Guard) -> None:
        self._guards[key].remove(guard)
        self._by_entry.pop(guard.entry.order_id, None)
        self.engine.clock.cancel_timer(ROI_OWNER, guard.group_id)
        for order in (*guard.past, *guard.orders.values()):
            if order.is_open and order.leaves_lots:
                self.engine.cancel(order)

    # -- targets that move with time ---------------------------------------------------------------

    def _stage_roi(self, key: Key, guard: Guard, lots: int) -> None:
        """Set the first target of a time-staged table and a timer for the next stage."""
        now = self.engine.clock.now
        stages = sorted(guard.plan.roi.items())
        passed = [fraction for after, fraction in stages if guard.opened_at + after <= now]
        if passed:
            self._move_take(guard, passed[-1], lots)
        ahead = [after for after, _ in stages if guard.opened_at + after > now]
        if ahead:
            self.engine.clock.set_timer(ROI_OWNER, guard.group_id, guard.opened_at + ahead[0])
            self._roi[guard.group_id] = key

    def _move_take(self, guard: Guard, fraction: Decimal, lots: int) -> None:
        entry = guard.entry
        avg = entry.avg_px
        assert avg is not None
        level = entry.instrument.quantise_px(avg * (1 + int(entry.side) * fraction))
        take = guard.orders.get("take")
        if take is None:
            if lots > 0:
                self._send(guard, "take", OrderType.LIMIT, lots, px_ticks=level, intent="roi")
        elif can_amend(take):
            self.engine.ask_amend(take, None, level, None)

    def on_timer(self, timer: TimerEvent) -> None:
        """Move a target to its next stage, or send the rest of a stop again."""
        if timer.name.startswith(AGAIN):
            self._again(self.engine.orders[timer.name.removeprefix(AGAIN)])
            return
        key = self._roi.pop(timer.name, None)
        if key is None:
            return
        for guard in self._guards.get(key, ()):
            if guard.group_id == timer.name:
                self._stage_roi(key, guard, self._bare(guard))

    def _again(self, ended: Order) -> None:
        guard = self._by_entry.get(ended.parent_id)
        if guard is None:
            return
        bare = self._bare(guard)
        if bare > 0:
            self._finish(guard, ended, bare)
