"""``ExitOrders`` sends the exits of brackets, and has those watched that cannot rest at the venue."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import TYPE_CHECKING

from lanner.execution.cover import Cover
from lanner.execution.exits import AGAIN, RETRY_NS, ROI_OWNER, Guard, exit_order, watched_exit
from lanner.execution.staged_targets import StagedTargets
from lanner.execution.stops import StopKind
from lanner.model.enums import OrderType
from lanner.model.orders import Order
from lanner.risk.gate import TradingState

if TYPE_CHECKING:
    from lanner.execution.engine import ExecutionEngine


class ExitOrders:
    """Place groups of exits, single exits in the place of others, and withdraw them.

    A spot venue locks what a working order sells: there the first exit of a group rests (the stop, where there is one),
    and the others are watched by ``PositionStops``.
    """

    def __init__(self, engine: ExecutionEngine, cover: Cover) -> None:
        self.engine = engine
        self.cover = cover
        self.staged = StagedTargets(engine, self)

    def place(self, guard: Guard, lots: int, leave_out: Collection[str] = ()) -> None:
        """Send a new group of exits for a part of the entry; while trading is halted, wait."""
        if self.halted:
            self.wait(guard)
            return
        if guard.orders:
            self.begin_group(guard)
        plan, entry = guard.plan, guard.entry
        instrument, side, avg = entry.instrument, entry.side, entry.avg_px
        assert avg is not None
        if plan.stop is not None and "stop" not in leave_out:
            level = plan.stop.at(instrument, avg, -side)
            self.send(guard, "stop", OrderType.STOP_MARKET, lots, stop_ticks=level)
        if plan.trails and "trail" not in leave_out:
            if self.locks(guard):
                self.watch(guard, "trail", StopKind.TRAIL, 0)
            else:
                self.send(guard, "trail", OrderType.TRAILING_STOP, lots)
        if "take" in leave_out:
            return
        if plan.roi:
            self.staged.stage(guard, lots)
        if plan.take is not None:
            level = plan.take.at(instrument, avg, side)
            if self.locks(guard):
                self.watch(guard, "take", StopKind.TAKE, level)
            else:
                self.send(guard, "take", OrderType.LIMIT, lots, px_ticks=level)

    @property
    def halted(self) -> bool:
        """Tell whether nothing may leave: a kill switch takes everything back, and closes what is held."""
        return self.engine.gate.state is TradingState.HALTED

    def wait(self, guard: Guard) -> None:
        """Have a guard looked at again in a moment."""
        self.wait_for(guard.entry)

    def wait_for(self, order: Order, pause_ns: int = RETRY_NS) -> None:
        """Have an exit, or all exits of an entry, looked at again in a moment."""
        clock = self.engine.clock
        clock.set_timer(ROI_OWNER, f"{AGAIN}{order.order_id}", clock.now + pause_ns)

    def replace(self, guard: Guard, role: str, old: Order, lots: int) -> None:
        """Send an exit in the place of another, with another size."""
        guard.past.append(old)
        self.send(
            guard, role, old.type, lots, px_ticks=old.px_ticks, stop_ticks=old.stop_ticks, intent=old.intent
        )

    def follow(self, guard: Guard, ended: Order, lots: int) -> None:
        """Send the rest of a stop after it, at market."""
        role = guard.role_of(ended)
        if ended.type is OrderType.LIMIT:
            return
        if role:
            guard.past.append(ended)
            self.send(guard, role, OrderType.MARKET, lots, intent=ended.intent)
        else:
            self.mend(guard, ended, OrderType.MARKET, lots)

    def begin_group(self, guard: Guard) -> None:
        """Let the present group of exits be an earlier one from now on."""
        for role in sorted({*guard.lost, *guard.again} & guard.orders.keys()):
            self.wait_for(guard.orders[role])
        self.staged.forget(guard)
        guard.renew(self.engine.ids.next("g"))

    def mend(self, guard: Guard, ended: Order, type_: OrderType, lots: int) -> None:
        """Send an exit into an earlier group, in the place of one of its own that ended."""
        order = self._made(guard, type_, lots, ended.intent)
        order.group_id = ended.group_id
        if type_ is ended.type:
            order.px_ticks, order.stop_ticks = ended.px_ticks, ended.stop_ticks
        guard.past.append(order)
        self._leave(order)

    def send(
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
        """Send one exit; what was watched for it is not any more."""
        order = self._made(guard, type_, lots, intent or role)
        order.px_ticks, order.stop_ticks = px_ticks, stop_ticks
        guard.orders[role] = order
        guard.lost.pop(role, None)
        self._leave(order)
        watched = guard.watched.pop(role, None)
        if watched is not None and not watched.went_off:
            self.engine.stops.remove(watched, "an order stands for it again")

    def _made(self, guard: Guard, type_: OrderType, lots: int, intent: str) -> Order:
        engine = self.engine
        order = exit_order(guard, engine.ids.next("o"), type_, lots, engine.clock.now, intent)
        order.reduce_only = order.instrument_id not in engine.shared
        return order

    def _leave(self, order: Order) -> None:
        self.engine.orders[order.order_id] = order
        self.engine.send(order)

    def withdraw(self, guard: Guard) -> None:
        """Give a guard up, and ask its exits back."""
        self.cover.remove(guard)
        self.staged.forget(guard)
        for order in guard.all_orders:
            if order.is_open and order.leaves_lots:
                self.engine.cancel(order)
        for stop in guard.watched.values():
            if not stop.went_off:
                self.engine.stops.remove(stop, "its bracket is over")

    # -- exits without an order ----------------------------------------------------------------------------

    def locks(self, guard: Guard) -> bool:
        """Tell whether an exit of the group locks all that another one would sell: real spot venues do that."""
        return bool(guard.orders) and guard.entry.instrument.is_spot and bool(self.engine.abilities)

    def watch(self, guard: Guard, role: str, kind: StopKind, ticks: int) -> None:
        """Have an exit watched here; when it goes off, what rests is asked back first."""
        known = guard.watched.get(role)
        if known is not None and not known.went_off and known.ticks == ticks:
            return
        stop = watched_exit(guard, self.engine.ids.next("s"), kind, ticks, self.engine.clock.now)
        guard.watched[role] = stop
        self.size_watched(guard)
        self.engine.stops.set(stop)

    def hand_over(self, guard: Guard, role: str, kind: StopKind, lots: int) -> None:
        """Leave it to ``PositionStops`` to close lots at market, now that the venue refuses the bracket's own order."""
        if lots > 0:
            stop = watched_exit(guard, self.engine.ids.next("s"), kind, 0, self.engine.clock.now)
            guard.watched[role] = stop
            self.engine.stops.leave(stop, lots)

    def size_watched(self, guard: Guard) -> None:
        """Let watched exits close the share of the position that is the guard's."""
        if guard.watched:
            held = self.cover.held(guard.key)
            share = min(guard.claim_lots, held)
            for stop in guard.watched.values():
                stop.part = Decimal(share) / held if 0 < share < held else Decimal(1)
