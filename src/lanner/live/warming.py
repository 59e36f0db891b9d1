"""Keep the way from a quote to an order warm in a session that orders rarely: the engine's part.

An engine of its own, which nothing leaves, decides one order again and again; ``venues.rehearsal`` says why, and does
the same for the wire.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lanner.live.build import Plan, build_engine
from lanner.model.commands import CancelOrder, SubmitOrder
from lanner.model.enums import Side, TimeInForce
from lanner.model.market import Quote
from lanner.model.reports import OrderAccepted, OrderCanceled
from lanner.net.wallclock import wall_ns
from lanner.risk.checks import OnDeny
from lanner.risk.rules import ScopeKind

if TYPE_CHECKING:
    from lanner.engine.engine import Engine

IDLE = "lanner.live.idle:Idle"
PX = 1_000.0


class Warming:
    """Decide an order of the session's first instrument each ``turn``, on an engine of its own."""

    def __init__(self, plan: Plan) -> None:
        config = plan.config.model_copy(
            update={"mode": "paper", "strategy": IDLE, "strategies": None, "params": {}, "timeframe": None}
        )
        self.turns = 0
        self._engine = build_engine(
            Plan(config, plan.instruments, plan.currency, plan.products), "warming", keeps_all=True
        )
        _loosen(self._engine)
        self._engine.start(1)
        [self._desk] = self._engine.desks.values()
        self._instrument = next(iter(plan.instruments.values()))
        self._qty = max(self._instrument.min_qty, self._instrument.lot)

    def turn(self) -> None:
        """Decide an order, hear that the venue has it, take it back."""
        engine, name = self._engine, self._instrument.id
        self.turns += 1
        ts = max(wall_ns(), engine.clock.now + 1)
        engine.step(Quote(name, ts, ts, PX, 1.0, PX + 1, 1.0))
        self._order()
        for command in engine.flush():
            if isinstance(command, SubmitOrder):
                engine.step(OrderAccepted(command.order_id, name, ts, ts, "1"))
        self._desk.cancel_all(None)
        for command in engine.flush():
            if isinstance(command, CancelOrder):
                engine.step(OrderCanceled(command.order_id, name, ts, ts, ""))
        engine.execution.orders.clear()
        engine.reports.clear()
        engine.funding_after.clear()

    def _order(self) -> None:
        self._desk.order(
            Side.BUY,
            self._qty,
            PX,
            type=None,
            stop_px=None,
            trail=None,
            tif=TimeInForce.GTC,
            expire=None,
            post_only=False,
            reduce_only=False,
            display_qty=None,
            stop=None,
            take=None,
            after=None,
            scaled=False,
            instrument=None,
            tag="",
        )


def _loosen(engine: Engine) -> None:
    """Leave out the limits that nobody here can keep: those of the session's strategies, and of the pace of orders."""
    limits = engine.execution.limits
    engine.execution.limits = replace(limits, on_deny=OnDeny.RECORD)
    if engine.risk is not None:
        engine.risk.set_rules(
            replace(told, rules=replace(told.rules, max_orders_per_minute=None))
            for told in limits.rules
            if told.kind is not ScopeKind.STRATEGY
        )
