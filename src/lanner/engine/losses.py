"""The risk rules inside the engine: where they are made, when they look, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lanner.engine.cache import Cache
from lanner.engine.emergency import TAG, close_positions
from lanner.execution.engine import ExecutionEngine
from lanner.model.commands import Command
from lanner.risk.checks import RiskLimits
from lanner.risk.engine import RiskEngine

if TYPE_CHECKING:
    from lanner.engine.engine import Engine


def make_risk(execution: ExecutionEngine, cache: Cache, limits: RiskLimits | None) -> RiskEngine | None:
    """Give an execution engine its risk rules; None where there are none, so that they cost nothing."""
    if limits is None or not limits.rules:
        return None
    execution.risk = RiskEngine(
        limits.rules, execution.clock, execution.portfolio, cache, execution.gate, execution.working_orders
    )
    return execution.risk


def looking(engine: Engine, step: Callable[[Any], list[Command]]) -> Callable[[Any], list[Command]]:
    """Make a step after which the risk rules look at the losses, as often as they want to."""
    risk, clock, flush = engine.risk, engine.clock, engine.flush
    if risk is None:
        return step

    def looked(message: Any) -> list[Command]:
        commands = step(message)
        return commands if clock.now < risk.next_look else [*commands, *flush()]

    return looked


def watch_losses(execution: ExecutionEngine) -> None:
    """Let the risk rules judge the losses; when they end all trading, take everything back and say so.

    A driver without a kill switch of its own has the positions closed here, once no other order works any more.
    """
    risk = execution.risk
    assert risk is not None
    risk.look(execution.clock.now)
    if risk.take_kill():
        for strategy_id in execution.portfolio.capital:
            execution.cancel_all(strategy_id)
        execution.publish("risk.kill_wanted", risk.killed)
        if risk.on_kill is not None:
            risk.on_kill(risk.killed)
    if risk.killed and risk.closes and risk.closes_positions():
        working = (o for o in execution.working_orders() if o.tag != TAG)
        if next(working, None) is None:
            close_positions(execution)
