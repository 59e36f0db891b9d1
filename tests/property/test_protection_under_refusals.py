"""Brackets at a venue that refuses, forgets and drops: once it behaves, what is held is protected, and no more."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lanner.execution.exits import ExitPlan, Level, is_working
from lanner.model.commands import AmendOrder, CancelOrder, SubmitOrder
from lanner.model.enums import GroupKind, OrderType, Side
from lanner.model.features import Feature
from lanner.model.orders import Order
from lanner.model.reports import (
    AmendRejected,
    CancelRejected,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderUnanswered,
)
from tests.unit.execution.orders import PERP
from tests.unit.execution.room import Desk
from tests.unit.execution.test_lost_exits import pass_time

PLANS = [
    ExitPlan(stop=Level(Decimal("0.02"))),
    ExitPlan(stop=Level(Decimal("0.01")), take=Level(Decimal("0.03"))),
    ExitPlan(stop=Level(Decimal("0.03")), take=Level(Decimal("0.01"))),
]
Asked = SubmitOrder | AmendOrder | CancelOrder


class Market:
    """One strategy that buys with brackets, and a venue that answers late, or not, or with a no."""

    def __init__(self, seed: int, *, shared: bool, amends: bool) -> None:
        self.desk = Desk()
        self.dice = Random(seed)
        self.angry = True
        self.at_venue: dict[str, Order] = {}
        self.waiting: list[Asked] = []
        if shared:
            self.desk.engine.shared = frozenset({PERP.id})
        if not amends:
            self.desk.engine.abilities.forbid(PERP.id, [Feature.AMEND_TRIGGER])

    # -- the venue -----------------------------------------------------------------------------------------

    def work(self) -> None:
        """Let the venue take one thing that it was asked for, in any order among orders."""
        self.waiting += self.desk.sends()
        if not self.waiting:
            return
        firsts = {one.order_id: one for one in reversed(self.waiting)}
        asked = self.dice.choice(list(firsts.values()))
        self.waiting.remove(asked)
        order = self.desk.engine.orders[asked.order_id]
        refuses = self.angry and self.dice.random() < 0.3
        if isinstance(asked, SubmitOrder):
            self.take(order, refuses=refuses and order.parent_id != "")
        elif isinstance(asked, AmendOrder):
            if refuses or asked.order_id not in self.at_venue:
                self.desk.say(AmendRejected, order, reason="no", request=asked.request)
            else:
                lots = order.lots if asked.lots is None else asked.lots
                self.desk.say(
                    OrderAmended, order, lots=lots, px_ticks=order.px_ticks, stop_ticks=order.stop_ticks,
                    request=asked.request,
                )  # fmt: skip
                if not order.is_open:
                    self.at_venue.pop(order.order_id, None)
        elif refuses:
            self.say_no(order, asked)
        elif self.at_venue.pop(asked.order_id, None) is not None:
            self.desk.say(OrderCanceled, order)
        elif order.is_open:
            self.desk.say(CancelRejected, order, reason="unknown", request=asked.request)

    def take(self, order: Order, *, refuses: bool) -> None:
        if refuses:
            self.desk.say(OrderRejected, order, reason="overloaded", code="RETRY")
            return
        self.at_venue[order.order_id] = order
        self.desk.say(OrderAccepted, order)
        if order.type is OrderType.MARKET:
            part = order.lots if not self.angry else self.dice.randint(0, order.lots)
            self.trade(order, part)
            if order.is_open:
                del self.at_venue[order.order_id]
                self.desk.say(OrderExpired, order, reason="no more liquidity")

    def say_no(self, order: Order, asked: CancelOrder) -> None:
        if self.dice.random() < 0.5:
            self.desk.say(CancelRejected, order, reason="too many requests", request=asked.request)
        elif order.is_open:
            self.desk.say(OrderUnanswered, order, reason="timeout")
            if order.order_id in self.at_venue:
                self.desk.say(OrderAccepted, order)
            else:
                self.desk.say(OrderCanceled, order, reason="not there")

    def trade(self, order: Order, lots: int) -> None:
        """Fill an order, not beyond its position where it only reduces; the venue ends its group with it."""
        if order.reduce_only:
            lots = min(lots, max(0, -order.side * self.desk.lots))
        lots = min(lots, order.leaves_lots)
        if lots > 0:
            self.desk.fill(order, lots)
            if not order.is_open:
                self.at_venue.pop(order.order_id, None)

    # -- what happens --------------------------------------------------------------------------------------

    def happen(self) -> None:
        chance, engine = self.dice.random(), self.desk.engine
        resting = list(self.at_venue.values())
        exits = [order for order in resting if order.group_kind is GroupKind.BRACKET]
        if chance < 0.10 and self.desk.lots < 40:
            plan = self.dice.choice(PLANS)
            self.desk.send(self.dice.randint(2, 10), plan=plan, type=OrderType.LIMIT, px_ticks=1000)
        elif chance < 0.25 and len(resting) > len(exits):
            order = self.dice.choice([order for order in resting if order not in exits])
            self.trade(order, self.dice.randint(1, order.leaves_lots))
        elif chance < 0.28 and exits:
            order = self.dice.choice(exits)
            self.trade(order, self.dice.randint(1, order.leaves_lots))
        elif chance < 0.36 and exits:
            lost = self.dice.choice(exits)
            del self.at_venue[lost.order_id]
            self.desk.say(OrderCanceled, lost, reason="dropped")
        elif chance < 0.39 and exits:
            engine.take_back(self.dice.choice(exits))
        elif chance < 0.41 and self.desk.lots > 1:
            self.desk.send(self.dice.randint(1, self.desk.lots), Side.SELL, intent="target", reduce_only=True)
        elif chance < 0.42 and self.desk.lots > 0:
            engine.cancel_all("s", PERP.id, spare_stops=True)
            self.desk.send(self.desk.lots, Side.SELL, intent="target", reduce_only=True)
        elif chance < 0.50:
            pass_time(self.desk, self.dice.choice([0.2, 1.0, 3.0]))
        else:
            self.work()

    def calm_down(self) -> None:
        self.angry = False
        for _ in range(60):
            for _ in range(50):
                self.work()
            pass_time(self.desk)
        self.waiting += self.desk.sends()
        assert self.waiting == [], "it never comes to rest"


@settings(max_examples=150, deadline=None, derandomize=True)
@example(seed=30, shared=True, amends=True)  # taken back while it was to grow
@example(seed=36, shared=True, amends=False)  # to come again smaller, and left behind by a newer group
@example(seed=41, shared=True, amends=True)  # filled on while a sale that failed was under way
@example(seed=51, shared=False, amends=True)  # replaced, and its cancel refused
@example(seed=93, shared=False, amends=True)
@example(seed=194, shared=True, amends=False)  # a cancel in vain, beside a stop that was refused
@example(seed=337, shared=True, amends=True)  # it will not be made smaller
@example(seed=581, shared=True, amends=True)  # filled on when its position had gone
@given(seed=st.integers(0, 2**32), shared=st.booleans(), amends=st.booleans())
def test_what_is_held_is_protected_once_the_venue_behaves(seed: int, shared: bool, amends: bool) -> None:
    market = Market(seed, shared=shared, amends=amends)
    for _ in range(120):
        market.happen()
    market.calm_down()
    desk, guards = market.desk, market.desk.engine.guards
    exits = [o for o in desk.engine.working_orders() if o.group_kind is GroupKind.BRACKET and is_working(o)]
    assert [order for order in exits if guards.failed.is_unwanted(order)] == []
    for guard, share in guards.cover.shares(("s", PERP.id)):
        stops = sum(
            order.leaves_lots
            for order in exits
            if order.intent == "stop" and order.parent_id == guard.entry.order_id
        )
        if not guard.let_go and "stop" not in guard.watched:
            assert stops >= share, (guard, share)
        takes = sum(
            order.leaves_lots
            for order in exits
            if order.intent == "take" and order.parent_id == guard.entry.order_id
        )
        if guard.plan.take is not None and not guard.let_go and "take" not in guard.watched:
            assert takes >= share, (guard, share)
        if shared:
            assert stops <= share, (guard, share)
    if desk.lots <= 0:
        assert exits == []
