"""``StagedTargets`` moves the targets that come down with time (ROI tables)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from lanner.execution.exits import ROI_OWNER, Guard
from lanner.execution.stops import StopKind
from lanner.model.enums import OrderType

if TYPE_CHECKING:
    from lanner.execution.engine import ExecutionEngine
    from lanner.execution.exit_orders import ExitOrders


class StagedTargets:
    """Know which group of exits waits for its target's next stage; each has one timer, by the name of its group."""

    def __init__(self, engine: ExecutionEngine, orders: ExitOrders) -> None:
        self.engine = engine
        self.orders = orders
        self._waiting: dict[str, Guard] = {}

    def stage(self, guard: Guard, lots: int) -> None:
        """Set the target of the stage that has come, and a timer for the next one."""
        now = self.engine.clock.now
        stages = sorted(guard.plan.roi.items())
        passed = [fraction for after, fraction in stages if guard.opened_at + after <= now]
        if passed:
            self._move(guard, passed[-1], lots)
        ahead = [after for after, _ in stages if guard.opened_at + after > now]
        if ahead:
            self.engine.clock.set_timer(ROI_OWNER, guard.group_id, guard.opened_at + ahead[0])
            self._waiting[guard.group_id] = guard

    def due(self, name: str) -> Guard | None:
        """Return the guard whose group waited for a timer, unless it has begun another group since."""
        guard = self._waiting.pop(name, None)
        return guard if guard is not None and guard.group_id == name else None

    def forget(self, guard: Guard) -> None:
        """Let no further stage come for a guard's present group."""
        self.engine.clock.cancel_timer(ROI_OWNER, guard.group_id)
        self._waiting.pop(guard.group_id, None)

    def _move(self, guard: Guard, fraction: Decimal, lots: int) -> None:
        entry = guard.entry
        avg = entry.avg_px
        assert avg is not None
        level = entry.instrument.quantise_px(avg * (1 + int(entry.side) * fraction))
        take, watched = guard.orders.get("take"), guard.watched.get("take")
        if take is not None:
            guard.take_ticks = level  # it goes there once it has answered
        if (watched is not None and not watched.went_off) or (take is None and self.orders.locks(guard)):
            self.orders.watch(guard, "take", StopKind.TAKE, level)
        elif take is None and lots > 0:
            self.orders.send(guard, "take", OrderType.LIMIT, lots, px_ticks=level, intent="roi")
