"""An execution engine with one strategy, and a venue that says what a test wants it to say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from lanner.core.clock import LogicalClock
from lanner.core.ids import IdFactory
from lanner.execution.engine import ExecutionEngine
from lanner.execution.exits import ExitPlan, Level
from lanner.model.commands import AmendOrder, Batch, CancelOrder, Command, SubmitOrder
from lanner.model.enums import OrderType, Side
from lanner.model.orders import Order
from lanner.model.reports import AmendRejected, OrderAccepted, OrderAmended
from lanner.portfolio.portfolio import Portfolio
from lanner.risk.checks import RiskLimits
from tests.unit.execution.orders import PERP, fill, report

TWO_PERCENT = ExitPlan(stop=Level(Decimal("0.02")), take=Level(Decimal("0.04")))


class Desk:
    """An execution engine with one strategy, and the venue's answers at hand."""

    def __init__(self, **limits: Any) -> None:
        self.clock = LogicalClock(1)
        self.portfolio = Portfolio("USDT", {}, {PERP.id: 100.0})
        self.portfolio.add_strategy("s", Decimal(1_000_000))
        self.heard: list[str] = []
        self.engine = ExecutionEngine(
            self.clock,
            IdFactory("r"),
            self.portfolio,
            RiskLimits(**limits),
            lambda topic, event: self.heard.append(topic),
        )
        self.trades = 0

    def send(self, lots: int, side: Side = Side.BUY, plan: ExitPlan | None = None, **more: Any) -> Order:
        type_ = more.pop("type", OrderType.MARKET)
        order = Order(self.engine.ids.next("o"), "s", PERP, side, type_, lots, self.clock.now, **more)
        self.engine.submit(order, plan)
        return order

    def fill(self, order: Order, lots: int, px: int = 1000) -> None:
        self.trades += 1
        made = fill(f"t{self.trades}", lots, px, self.clock.now, order.order_id, order.side)
        self.engine.on_report(made)

    def sends(self) -> list[SubmitOrder | CancelOrder | AmendOrder]:
        """Return what leaves, batches opened."""
        return [one for c in self.out() for one in (c.commands if isinstance(c, Batch) else (c,))]

    def say(self, kind: type[Any], order: Order, **fields: Any) -> None:
        self.engine.on_report(report(kind, self.clock.now, order.order_id, **fields))

    def out(self) -> list[Command]:
        commands, self.engine.out = self.engine.out, []
        return commands

    def accept(self, *orders: Order) -> None:
        """Let the venue say that it has these orders, or all exits."""
        for order in orders or [o for o in self.engine.orders.values() if o.parent_id and o.is_open]:
            self.say(OrderAccepted, order)

    def answer_amends(self) -> None:
        for command in self.sends():
            if isinstance(command, AmendOrder):
                order = self.engine.orders[command.order_id]
                lots = order.lots if command.lots is None else command.lots
                px = order.px_ticks if command.px_ticks is None else command.px_ticks
                self.say(
                    OrderAmended,
                    order,
                    lots=lots,
                    px_ticks=px,
                    stop_ticks=order.stop_ticks,
                    request=command.request,
                )

    def refuse_amends(self) -> None:
        for command in self.sends():
            if isinstance(command, AmendOrder):
                order = self.engine.orders[command.order_id]
                self.say(AmendRejected, order, reason="too late", request=command.request)

    def exits(self) -> dict[str, Order]:
        return {o.intent: o for o in self.engine.orders.values() if o.parent_id}

    @property
    def lots(self) -> int:
        return self.portfolio.position("s", PERP).lots
