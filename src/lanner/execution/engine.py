"""The execution engine: registers orders before they leave, applies reports, keeps protective exits in step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec

from lanner.core.clock import LogicalClock, TimerEvent
from lanner.core.errors import InvalidOrderError, NotFoundError
from lanner.core.ids import IdFactory
from lanner.execution.exits import ExitPlan, Guard
from lanner.execution.lifecycle import apply_report, move
from lanner.model.commands import AmendOrder, CancelOrder, SubmitOrder
from lanner.model.enums import GroupKind, OrderStatus, OrderType, Side
from lanner.model.orders import Order, OrderView
from lanner.model.reports import Fill, OrderFilled, OrderReport
from lanner.portfolio.portfolio import Portfolio
from lanner.risk.checks import RiskLimits, check_order

Publish = Callable[[str, object], None]
Key = tuple[str, str]

ROI_OWNER = "execution.roi"

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
    another's position.
    """

    def __init__(
        self, clock: LogicalClock, ids: IdFactory, portfolio: Portfolio, limits: RiskLimits, publish: Publish
    ) -> None:
        self.clock = clock
        self.ids = ids
        self.portfolio = portfolio
        self.limits = limits
        self.orders: dict[str, Order] = {}
        self.out: list[SubmitOrder | CancelOrder | AmendOrder] = []
        self.notices: list[tuple[str, OrderView | Fill]] = []
        self.fills: list[tuple[OrderFilled, Order]] = []
        self.intents = 0
        self.stray_reports = 0
        self.shared: frozenset[str] = frozenset()
        self._publish = publish
        self._open: dict[Key, dict[str, Order]] = {}
        self._open_count: dict[str, int] = {}
        self._guards: dict[Key, list[Guard]] = {}
        self._plans: dict[str, Guard] = {}
        self._roi: dict[str, Key] = {}
        self._joined: dict[str, list[Order]] = {}

    # -- intents -----------------------------------------------------------------------------------

    def submit(self, order: Order, plan: ExitPlan | None = None) -> OrderView:
        """Check an order, register it, and let it go."""
        view = OrderView(order)
        self.orders[order.order_id] = order
        self.intents += 1
        why = self._veto(order)
        if why is not None:
            order.reason = why
            move(order, OrderStatus.DENIED, self.clock.now)
            self._tell(order)
            return view
        if plan:
            self._plans[order.order_id] = Guard(order, plan, self.ids.next("g"))
        self._send(order)
        return view

    def cancel(self, order: Order) -> None:
        """Ask for a working order back; asking twice or too late is harmless."""
        if order.status in (OrderStatus.PENDING_CANCEL, OrderStatus.INITIALIZED) or order.is_final:
            return
        move(order, OrderStatus.PENDING_CANCEL, self.clock.now)
        self.intents += 1
        self.out.append(CancelOrder(order.order_id, order.instrument_id, self.clock.now))

    def cancel_all(self, strategy_id: str, instrument_id: str | None = None) -> int:
        """Ask for all of a strategy's orders back (of one instrument, or of all)."""
        orders = list(self.open_orders(strategy_id, instrument_id))
        for order in orders:
            self.cancel(order)
        return len(orders)

    def amend(self, order: Order, lots: int | None, px_ticks: int | None, stop_ticks: int | None) -> None:
        """Ask for a change of a working order."""
        if not order.is_open or order.status is OrderStatus.PENDING_CANCEL:
            raise InvalidOrderError(
                f"order {order.order_id} cannot be amended",
                expected="a working order",
                found=order.status.name,
            )
        move(order, OrderStatus.PENDING_AMEND, self.clock.now)
        self.intents += 1
        self.out.append(
            AmendOrder(order.order_id, order.instrument_id, self.clock.now, lots, px_ticks, stop_ticks)
        )

    def join(self, orders: list[Order], group_id: str, kind: GroupKind) -> None:
        """Join working orders so that the fill of one cancels the others.

        Orders that have not left yet leave as one group, which the venue keeps; for the others the engine
        cancels the siblings when it hears of a fill.
        """
        for order in orders:
            order.group_id, order.group_kind = group_id, kind
        ids = {order.order_id for order in orders}
        self.out[:] = [
            msgspec.structs.replace(command, group_id=group_id, group_kind=kind)
            if isinstance(command, SubmitOrder) and command.order_id in ids
            else command
            for command in self.out
        ]
        self._joined[group_id] = orders

    def find(self, order: OrderView | str) -> Order:
        """Return the order behind a view or an id."""
        order_id = order if isinstance(order, str) else order.order_id
        found = self.orders.get(order_id)
        if found is None:
            raise NotFoundError(f"no order {order_id!r} in this run")
        return found

    def open_orders(self, strategy_id: str, instrument_id: str | None = None) -> Iterable[Order]:
        """Return a strategy's orders that may still fill, oldest first."""
        if instrument_id is not None:
            return list(self._open.get((strategy_id, instrument_id), {}).values())
        return [o for key, orders in self._open.items() if key[0] == strategy_id for o in orders.values()]

    def pending_lots(self, strategy_id: str, instrument_id: str) -> int:
        """Return the signed lots that working entry orders (market and limit) may still add."""
        orders = self._open.get((strategy_id, instrument_id))
        if not orders:
            return 0
        return sum(o.leaves_lots * o.side for o in orders.values() if o.intent == "target")

    def _veto(self, order: Order) -> str | None:
        limits = self.limits
        if self.intents > limits.max_intents_per_step:
            return f"too many intents in one step (limit {limits.max_intents_per_step})"
        position = self.portfolio.position(order.strategy_id, order.instrument)
        mark = self.portfolio.marks.get(order.instrument_id, float("nan"))
        return check_order(order, position, mark, self._open_count.get(order.strategy_id, 0), limits)

    def _send(self, order: Order) -> None:
        key = (order.strategy_id, order.instrument_id)
        self._open.setdefault(key, {})[order.order_id] = order
        self._open_count[order.strategy_id] = self._open_count.get(order.strategy_id, 0) + 1
        move(order, OrderStatus.SUBMITTED, self.clock.now)
        self.out.append(
            SubmitOrder(
                order.order_id,
                order.instrument_id,
                self.clock.now,
                order.side,
                order.type,
                order.lots,
                order.px_ticks,
                order.stop_ticks,
                order.trail_ticks,
                order.trail_frac,
                order.tif,
                order.expire_ts,
                order.post_only,
                order.reduce_only,
                order.display_lots,
                order.fit,
                order.group_id,
                order.group_kind,
            )
        )
        self._publish("order.submitted", order)

    # -- reports -----------------------------------------------------------------------------------

    def on_report(self, report: OrderReport) -> None:
        """Apply what the venue says about one of our orders."""
        order = self.orders.get(report.order_id)
        if order is None:
            self.stray_reports += 1
            return
        was_open = order.is_open
        if not apply_report(order, report):
            return
        if isinstance(report, OrderFilled):
            self._booked(order, report)
        if was_open and not order.is_open:
            self._closed(order)
            for sibling in self._joined.pop(order.group_id, ()) if order.cum_lots else ():
                if sibling is not order and sibling.is_open:
                    self.cancel(sibling)
        self._tell(order)

    def _booked(self, order: Order, fill: OrderFilled) -> None:
        instrument = order.instrument
        position = self.portfolio.apply_fill(order.strategy_id, instrument, fill)
        self.fills.append((fill, order))
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
        self._publish(f"position.{instrument.id}", position)
        self._keep_guards(order, position.lots)

    def _closed(self, order: Order) -> None:
        orders = self._open[order.strategy_id, order.instrument_id]
        del orders[order.order_id]
        self._open_count[order.strategy_id] -= 1
        if order.status is OrderStatus.REJECTED and not order.cum_lots:
            self._plans.pop(order.order_id, None)

    def _tell(self, order: Order) -> None:
        self.notices.append((order.strategy_id, OrderView(order)))
        self._publish(_TOPICS.get(order.status, "order.update"), order)

    # -- protective exits --------------------------------------------------------------------------

    def _keep_guards(self, order: Order, lots: int) -> None:
        """After a fill: start the guard of an entry, and withdraw guards whose position is gone."""
        key = (order.strategy_id, order.instrument_id)
        for guard in list(self._guards.get(key, ())):
            if lots * guard.entry.side <= 0:
                self._withdraw(key, guard)
        started = self._plans.get(order.order_id)
        if started is None:
            return
        if order.status is OrderStatus.FILLED:  # any other order may still have a late fill
            del self._plans[order.order_id]
        size = min(order.cum_lots - started.closed_lots, abs(lots)) if lots * order.side > 0 else 0
        if size > 0:
            self._protect(key, started, size)

    def _protect(self, key: Key, guard: Guard, lots: int) -> None:
        if guard not in self._guards.setdefault(key, []):
            self._guards[key].append(guard)
            guard.opened_at = guard.entry.ts_last
        if guard.is_over:  # its exits closed the first part of an entry that goes on filling
            guard.renew(self.ids.next("g"))
        if guard.orders:
            for order in guard.orders.values():
                total = lots + order.cum_lots
                if order.is_open and order.lots != total and order.status is not OrderStatus.PENDING_CANCEL:
                    self.amend(order, total, None, None)
            return
        entry, plan = guard.entry, guard.plan
        instrument, side = entry.instrument, entry.side
        avg = entry.avg_px
        assert avg is not None
        if plan.stop is not None:
            level = plan.stop.at(instrument, avg, -side)
            self._guard_order(guard, "stop", OrderType.STOP_MARKET, lots, stop_ticks=level)
        if plan.trail_frac is not None or plan.trail_ticks is not None:
            self._guard_order(guard, "trail", OrderType.TRAILING_STOP, lots)
        if plan.roi:
            self._plan_roi(key, guard)
        if plan.take is not None:
            level = plan.take.at(instrument, avg, side)
            self._guard_order(guard, "take", OrderType.LIMIT, lots, px_ticks=level)

    def _guard_order(
        self,
        guard: Guard,
        role: str,
        type_: OrderType,
        lots: int,
        *,
        px_ticks: int | None = None,
        stop_ticks: int | None = None,
    ) -> None:
        entry, plan = guard.entry, guard.plan
        trailing = type_ is OrderType.TRAILING_STOP
        order = Order(
            self.ids.next("o"),
            entry.strategy_id,
            entry.instrument,
            Side.SELL if entry.side is Side.BUY else Side.BUY,
            type_,
            lots,
            self.clock.now,
            px_ticks=px_ticks,
            stop_ticks=stop_ticks,
            trail_frac=plan.trail_frac if trailing else None,
            trail_ticks=plan.trail_ticks if trailing else None,
            reduce_only=entry.instrument_id not in self.shared,
            group_id=guard.group_id,
            group_kind=GroupKind.BRACKET,
            parent_id=entry.order_id,
            intent=role,
        )
        guard.orders[role] = order
        self.orders[order.order_id] = order
        self._send(order)

    def shrink_exits(self, strategy_id: str, instrument_id: str, lots: int) -> None:
        """Bring protective exits down to a position that is about to be ``lots``: a spot venue locks what they sell."""
        left = lots
        for guard in self._guards.get((strategy_id, instrument_id), ()):
            size = 0
            for order in guard.orders.values():
                if not order.is_open or order.status is OrderStatus.PENDING_CANCEL:
                    continue
                size = min(order.lots, left)
                if size <= order.cum_lots:
                    self.cancel(order)
                elif size < order.lots:
                    self.amend(order, size, None, None)
            left -= size

    def _withdraw(self, key: Key, guard: Guard) -> None:
        self._guards[key].remove(guard)
        self.clock.cancel_timer(ROI_OWNER, guard.group_id)
        for order in guard.orders.values():
            if order.is_open and order.leaves_lots:
                self.cancel(order)

    def _plan_roi(self, key: Key, guard: Guard) -> None:
        """Set the first target of a time-staged table and a timer for the next stage."""
        stages = sorted(guard.plan.roi.items())
        passed = [fraction for after, fraction in stages if guard.opened_at + after <= self.clock.now]
        if passed:
            self._move_take(guard, passed[-1])
        ahead = [after for after, _ in stages if guard.opened_at + after > self.clock.now]
        if ahead:
            self.clock.set_timer(ROI_OWNER, guard.group_id, guard.opened_at + ahead[0])
            self._roi[guard.group_id] = key

    def _move_take(self, guard: Guard, fraction: Decimal) -> None:
        entry = guard.entry
        avg = entry.avg_px
        assert avg is not None
        level = entry.instrument.quantise_px(avg * (1 + int(entry.side) * fraction))
        take = guard.orders.get("take")
        if take is None:
            lots = min(entry.cum_lots, abs(self.portfolio.position(entry.strategy_id, entry.instrument).lots))
            self._guard_order(guard, "take", OrderType.LIMIT, lots, px_ticks=level)
            take = guard.orders["take"]
            take.intent = "roi"
        elif take.is_open and take.status is not OrderStatus.PENDING_CANCEL:
            self.amend(take, None, level, None)

    def on_timer(self, timer: TimerEvent) -> None:
        """Move a target to its next stage."""
        key = self._roi.pop(timer.name, None)
        if key is None:
            return
        for guard in self._guards.get(key, ()):
            if guard.group_id == timer.name:
                self._plan_roi(key, guard)
