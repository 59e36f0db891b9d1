"""``FailedExits`` sees to exits that ended without having done their work, until what they covered is safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lanner.execution.cover import Cover
from lanner.execution.exit_orders import ExitOrders
from lanner.execution.exit_sizes import ExitSizes
from lanner.execution.exits import AGAIN, RETRY_NS, Guard, is_working
from lanner.execution.refusals import HOPELESS, NEVER_ARRIVED, REACHED
from lanner.execution.stops import StopKind
from lanner.model.enums import OrderStatus, OrderType
from lanner.model.orders import Order

if TYPE_CHECKING:
    from lanner.execution.engine import ExecutionEngine

TRIES = 5
"""How often an exit that was refused is sent again, each time after twice as long, before its price is watched here.

It is sent again nevertheless, about once a minute, until the venue takes it, unless the venue never can.
"""

KINDS = {"stop": StopKind.LOSS, "trail": StopKind.TRAIL, "take": StopKind.TAKE}


def role_in(order: Order) -> str:
    """Return the role that an exit has, or had, in its group."""
    return "take" if order.intent == "roi" else order.intent


class FailedExits:
    """Send exits again that were refused, lost, or found too little liquidity; each waits under its own timer."""

    def __init__(self, engine: ExecutionEngine, cover: Cover, orders: ExitOrders, sizes: ExitSizes) -> None:
        self.engine = engine
        self.cover = cover
        self.orders = orders
        self.sizes = sizes

    def after_expiry(self, guard: Guard, ended: Order) -> None:
        """A stop went off, and the market could not take all of it: send the rest after it.

        One that got nothing waits a moment; the same quote would have nothing for it again.
        """
        if ended.type is OrderType.LIMIT:
            self._lost(guard, ended)
        elif self._bare(guard, ended) > 0:
            if ended.cum_lots and not self.orders.halted:
                self.orders.follow(guard, ended, self._bare(guard, ended))
            else:
                self.look_again(ended)

    def after_cancel(self, guard: Guard, ended: Order) -> None:
        """An exit is gone: for good where the strategy took it back, else until it is known that it is needed."""
        if ended.order_id in guard.let_go:
            self._given_up(guard, ended)
        else:
            self._lost(guard, ended)

    def after_vain_cancel(self, guard: Guard, order: Order) -> None:
        """An exit works on that was asked back: it may be too large, and its group may lack another one by now."""
        self.look_again(order)
        for other in guard.past:
            if other.group_id == order.group_id and other.is_final:
                self.look_again(other)

    def after_rejection(self, guard: Guard, ended: Order) -> None:
        """An exit was refused: leave where its price is reached, else try again, and at last watch the price here."""
        if self.orders.halted:
            self.look_again(ended)
            return
        if not (guard.role_of(ended) or guard.lacks(ended) or ended.type is OrderType.MARKET):
            self.sizes.settle(guard)
            return
        bare = self._bare(guard, ended)
        if ended.reject_code == REACHED and bare > 0 and ended.type is not OrderType.LIMIT:
            self.orders.follow(guard, ended, bare)
            return
        tries, never = guard.tries.get(ended.intent, 0), ended.reject_code in HOPELESS
        gives_up = never or tries >= TRIES
        if tries in (0, TRIES) or (never and tries < TRIES):
            self._tell(ended, gives_up=gives_up)
        if gives_up:
            guard.tries[ended.intent] = TRIES + 1
            self._watch(guard, ended, bare)
        elif ended.reject_code != NEVER_ARRIVED:
            guard.tries[ended.intent] = tries + 1
        if not (gives_up and bare > 0 if ended.type is OrderType.MARKET else never):
            self.orders.wait_for(ended, RETRY_NS * 2**tries)

    def after_acceptance(self, guard: Guard, order: Order) -> None:
        """The venue has taken an exit: the next refusal is the first one again."""
        guard.tries.pop(order.intent, None)

    def on_timer(self, name: str) -> None:
        """Send an exit again, or the rest of it, unless something else leaves already; ask back what nobody wants."""
        ended = self.engine.orders[name.removeprefix(AGAIN)]
        entered = self.cover.started_by(ended)
        guard = entered or self.cover.behind(ended)
        if entered is None and is_working(ended) and self.is_unwanted(ended):
            self.engine.clear(ended)
            return
        if guard is None:
            return
        if self.orders.halted:
            self.look_again(ended)
            return
        if entered is not None:
            self.sizes.settle(entered)
            self.sizes.protect(entered)
            return
        if not ended.is_open and guard.lacks(ended):
            self._mend(guard, ended)
            return
        role, refused = guard.role_of(ended), ended.status is OrderStatus.REJECTED
        if refused and self._goes_off(guard, ended):
            self.orders.wait_for(ended, RETRY_NS * 2**TRIES)
            return
        is_earlier = refused and not role and ended.type is not OrderType.MARKET
        is_lost = ended.status is OrderStatus.CANCELED or (ended.type is OrderType.LIMIT and not refused)
        if ended.is_open or is_lost or is_earlier:
            self.sizes.settle(guard)
            if not (role or ended.is_open):
                self._protect_rest(guard, ended)
        elif (bare := self._bare(guard, ended)) > 0:
            if role and refused:
                own = ended.lots - ended.cum_lots if role in guard.by_hand else bare
                self.orders.replace(guard, role, ended, min(own, bare))
            else:
                self.orders.follow(guard, ended, bare)
        elif role and refused:  # something else leaves, and may fail
            self.look_again(ended)

    def is_unwanted(self, order: Order) -> bool:
        """Tell whether an exit protects nothing any more: its guard is gone, its group done, or it was replaced."""
        guard = self.cover.behind(order)
        return guard is None or guard.is_group_done(order.group_id) or guard.is_replaced(order)

    def look_again(self, order: Order) -> None:
        """Look at an exit again in a moment."""
        self.orders.wait_for(order)

    # -- parts ---------------------------------------------------------------------------------------------

    def _tell(self, ended: Order, *, gives_up: bool) -> None:
        what = f"{ended.instrument_id}: a bracket's {role_in(ended)} was refused: {ended.reason}"
        if gives_up and ended.type is not OrderType.MARKET:
            what += "; the engine watches its price"
        self.engine.publish("risk.trouble", what)

    def _watch(self, guard: Guard, ended: Order, bare: int) -> None:
        """Have the price of an exit watched that the venue does not take; what was to leave at once still does."""
        role, kind = role_in(ended), KINDS[role_in(ended)]
        if ended.type is OrderType.MARKET:
            self.orders.hand_over(guard, role, kind, bare)
        else:
            level = ended.px_ticks if ended.type is OrderType.LIMIT else ended.stop_ticks
            self.orders.watch(guard, role, kind, level or 0)

    def _goes_off(self, guard: Guard, ended: Order) -> bool:
        """Tell whether the stop that stands for a refused exit goes off just now, so that none is needed any more."""
        watched = guard.watched.get(role_in(ended))
        return watched is not None and watched.went_off and watched in self.engine.stops.of(*guard.key)

    def _bare(self, guard: Guard, ended: Order) -> int:
        """Return the lots of the guard that nothing covers, now that one of its exits has ended."""
        bare = self.cover.bare(guard)
        return bare if guard.role_of(ended) else max(guard.lacks(ended), bare - guard.present_lots)

    def _mend(self, guard: Guard, ended: Order) -> None:
        """Give an earlier group that works on the exit back that it lacks, unless a sale makes it superfluous."""
        if self.engine.is_alone(ended.instrument) and self.cover.leaving(guard):
            self.look_again(ended)
            return
        went_off = ended.triggered or ended.status is OrderStatus.EXPIRED
        type_ = OrderType.MARKET if went_off and ended.type is not OrderType.LIMIT else ended.type
        self.orders.mend(guard, ended, type_, guard.lacks(ended))

    def _protect_rest(self, guard: Guard, ended: Order) -> None:
        """Cover what an earlier group left, if no group is there to grow; not before a sale of it has failed."""
        bare, leaving = self.cover.bare(guard), self.cover.leaving(guard)
        if bare > leaving:
            self.sizes.protect(guard, leave_out=guard.by_hand)
        elif bare > guard.present_lots:
            self.look_again(ended)

    def _given_up(self, guard: Guard, ended: Order) -> None:
        """The strategy took an exit back: when nothing else covers its lots, they are no business of the guard's."""
        group = [order for order in guard.all_orders if order.group_id == ended.group_id]
        if any(map(is_working, group)) or guard.watched:
            guard.by_hand.add(role_in(ended))
            return
        lots = max(guard.let_go[o.order_id] - o.cum_lots for o in group if o.order_id in guard.let_go)
        others = guard.covered_lots + guard.present_lots
        if lots >= self.cover.share(guard) - others:
            lots = guard.claim_lots  # more than its share, where a fee was taken in the coin
        guard.gone_lots += max(0, min(lots, guard.claim_lots - others))
        if ended.group_id == guard.group_id:
            self.orders.begin_group(
                guard
            )  # what is filled later, or was to be covered later, has exits of its own
        if not self.orders.halted:
            self._protect_rest(guard, ended)

    def _lost(self, guard: Guard, ended: Order) -> None:
        """An exit ended although nobody asked for that, or to make way for a sale that may fail.

        The venue ends exits with their position, or with the fill of another one of their group, and that may be heard
        after it: so it is looked at a moment later, or at the end of the sale.
        """
        role = guard.role_of(ended)
        if role in guard.again:  # it comes back in another size
            if self.orders.halted:
                self.orders.wait(guard)
            return
        if guard.is_group_done(ended.group_id):
            return
        if role:
            guard.lost[role] = self.engine.clock.now + RETRY_NS
        if self.orders.halted or self._bare(guard, ended) > (self.cover.leaving(guard) if role else 0):
            self.look_again(ended)
