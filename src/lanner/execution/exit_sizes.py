"""``ExitSizes`` brings the exits of brackets to the size that they should have, each when it has answered.

A venue may hear two requests in any order, so nothing is asked of an exit that it may not have yet, or of which another
change is under way.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from lanner.execution.cover import Cover
from lanner.execution.exit_orders import ExitOrders
from lanner.execution.exits import (
    AGAIN,
    ROI_OWNER,
    Guard,
    Key,
    coming_lots,
    has_answered,
    is_working,
    may_shrink,
)
from lanner.execution.lifecycle import can_amend
from lanner.model.enums import OrderStatus, OrderType
from lanner.model.orders import Order

if TYPE_CHECKING:
    from lanner.execution.engine import ExecutionEngine


class ExitSizes:
    """Let exits grow with their entry's fills, and come down with what others close."""

    def __init__(self, engine: ExecutionEngine, cover: Cover, orders: ExitOrders) -> None:
        self.engine = engine
        self.cover = cover
        self.orders = orders

    def settle(self, guard: Guard) -> None:
        """Bring a guard's exits to their size, and its target to its price, as far as they have answered."""
        share = self.cover.share(guard)
        self.fit(guard, share)
        self.send_again(guard)
        if guard.lost:
            self._restore(guard)
        self.cover_bare(guard, share - guard.covered_lots)
        take = guard.orders.get("take")
        if guard.take_ticks is not None and take is not None and has_answered(take) and can_amend(take):
            level, guard.take_ticks = guard.take_ticks, None
            if level != take.px_ticks:
                self.engine.ask_amend(take, None, level, None)

    def cover_bare(self, guard: Guard, lots: int) -> None:
        """Cover what earlier groups do not: by the present group, or another one where it has done its work.

        Where its exits ended otherwise, ``FailedExits`` sees to them.
        """
        if lots <= 0:
            return
        if not guard.orders:
            self.orders.place(guard, lots)
        elif guard.is_done:
            self.orders.place(guard, lots, leave_out=guard.by_hand)
        elif not guard.is_over:
            self.resize(guard, lots)

    def protect(self, guard: Guard, leave_out: Collection[str] = ()) -> None:
        """Cover all that a guard has to: what its entry fills after the work of its exits gets new ones."""
        lots = self.cover.bare(guard)
        if lots > 0 and (
            not guard.orders or guard.is_over
        ):  # perhaps they closed the first part of the entry
            self.orders.place(guard, lots, leave_out)
        elif lots > 0:
            self.resize(guard, lots)

    def resize(self, guard: Guard, lots: int) -> None:
        """Let exits grow to these lots: one that was asked something does so when it has answered."""
        exits = [
            order for role, order in guard.orders.items() if role not in guard.by_hand and is_working(order)
        ]
        if not all(map(self.engine.abilities.can_amend, exits)):
            short = lots - min(map(coming_lots, exits), default=lots)
            if short > 0:  # what cannot grow gets company
                self.orders.place(guard, short, leave_out=guard.by_hand)
            return
        for order in exits:
            if order.leaves_lots < lots and has_answered(order):
                self.engine.ask_amend(order, lots + order.cum_lots, None, None)

    def after_refusal(self, guard: Guard, bare: int) -> None:
        """The venue refuses to let an exit grow: once all are answered, send more for what the smallest leaves bare."""
        exits = [o for role, o in guard.orders.items() if is_working(o) and role not in guard.by_hand]
        if not exits or any(order.requests and order.requests.amends for order in exits):
            return
        least = min(order.leaves_lots for order in exits)
        if bare > least:
            self.orders.place(guard, bare - least, leave_out=guard.by_hand)
            for order in exits:  # those that did grow cover what the new ones do
                if order.leaves_lots > least:
                    self._lower(guard, order, least)

    def fit(self, guard: Guard, share: int, *, at_once: bool = False) -> None:
        """Bring down what would close more than a guard has to cover; its oldest exits keep their size first."""
        groups: dict[str, list[Order]] = {}
        for order in filter(is_working, guard.all_orders):
            groups.setdefault(order.group_id, []).append(order)
        for group_id, orders in groups.items():
            if guard.is_group_done(group_id):  # they are asked back
                continue
            most = min(share, guard.size_of(group_id, orders))
            share -= most
            for order in orders:
                if order.leaves_lots > most:
                    self._lower(guard, order, most, at_once=at_once)

    def shrink(self, key: Key, lots: int) -> None:
        """Bring exits down to a position that is about to be ``lots``: a spot venue locks what they sell."""
        left = lots
        for guard, share in self.cover.shares(key):
            self.fit(guard, min(share, left), at_once=True)
            left -= min(share, left)

    def send_again(self, guard: Guard) -> None:
        """Send the successors of exits that were asked back to be made smaller and have ended."""
        if self.orders.halted:
            return
        for role, order in list(guard.orders.items()):
            if role not in guard.again or not order.is_final:
                continue
            lots = self.cover.bare(guard)
            if order.status is not OrderStatus.CANCELED:
                guard.again.discard(role)
            elif lots > 0:
                guard.again.discard(role)
                self.orders.replace(guard, role, order, lots)

    def _restore(self, guard: Guard) -> None:
        """Send exits again that ended although they are needed, unless the strategy is about to close it all."""
        engine, bare = self.engine, self.cover.bare(guard)
        if self.orders.halted or bare <= self.cover.leaving(guard):
            return
        for role, since in list(guard.lost.items()):
            ended = guard.orders[role]
            if engine.clock.now < since:
                engine.clock.set_timer(ROI_OWNER, f"{AGAIN}{ended.order_id}", since)
                continue
            del guard.lost[role]
            lots = min(bare, ended.lots - ended.cum_lots) if role in guard.by_hand else bare
            why = ended.reason or "it was asked back"
            engine.publish("risk.trouble", f"{ended.instrument_id}: a bracket's {role} is sent again: {why}")
            if ended.triggered and ended.type is not OrderType.LIMIT:
                self.orders.follow(guard, ended, lots)
            else:
                self.orders.replace(guard, role, ended, lots)

    def _lower(self, guard: Guard, order: Order, lots: int, *, at_once: bool = False) -> None:
        """Bring one exit down: by an amend, or by another order in its place where the venue cannot, or will not.

        It is looked at again when it has answered what was asked of it; ``at_once`` does not wait for that.
        """
        role = guard.role_of(order)
        refused = guard.shrinking.get(order.order_id, False)
        amends = lots > 0 and not refused and self.engine.abilities.can_amend(order)
        if amends and may_shrink(order, self.engine.clock.now, at_once=at_once):
            guard.shrinking[order.order_id] = False
            self.engine.ask_amend(order, lots + order.cum_lots, None, None)
        elif lots == 0 or self.engine.is_alone(order.instrument):
            if not amends:
                guard.again |= {role} if role else set()
                self.engine.clear(order)
        elif not amends and role and has_answered(order) and order.type is not OrderType.TRAILING_STOP:
            if not self.orders.halted:
                self.orders.replace(guard, role, order, lots)  # a trailing stop would forget the best price
            self.engine.clear(order)
