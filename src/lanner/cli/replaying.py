"""Stop a replay where something happens, and look into the strategies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lanner.core.errors import ConfigError
from lanner.model.reports import OrderFilled

if TYPE_CHECKING:
    from lanner.engine.engine import Engine
    from lanner.storage.journal import Record
    from lanner.strategy.base import Strategy

EVENTS = ("on_fill", "on_order")


class Breaker:
    """Tell when to stop: at the ``count``-th fill, or the ``count``-th report about an order."""

    def __init__(self, event: str, count: int) -> None:
        if event and event not in EVENTS:
            raise ConfigError(
                "cannot stop at that", expected=f"one of {', '.join(EVENTS)}", found=repr(event)
            )
        if count < 1:
            raise ConfigError("--count must be at least 1", found=count)
        self.stopped_at: dict[str, Any] | None = None
        self.states: dict[str, dict[str, str]] = {}
        self._event = event
        self._left = self._count = count

    def step(self, engine: Engine, record: Record) -> bool:
        """Look at a record that was just played."""
        from lanner.storage.journal import Kind

        if not self._event:
            return False
        hit = (
            record.kind is Kind.FILLED
            if self._event == "on_fill"
            else Kind.ACCEPTED <= record.kind <= Kind.UNANSWERED
        )
        self._left -= hit
        if self._left:
            return False
        self.stopped_at = {
            "record": record.seq,
            "ts": record.ts,
            "event": report_in_words(engine, record.message),
        }
        self.states = self.look(engine)
        return True

    def look(self, engine: Engine) -> dict[str, dict[str, str]]:
        """Return the strategies' parameters and own attributes, as text."""
        return {name: _state(desk.strategy) for name, desk in engine.desks.items()}

    def words(self) -> str:
        """Say where the replay stopped, or that it did not; nothing where nobody asked."""
        if self.stopped_at is not None:
            return f"stopped at record {self.stopped_at['record']}: {self.stopped_at['event']}"
        if not self._event:
            return ""
        name = self._event.removeprefix("on_")
        seen = self._count - self._left
        return f"not stopped: only {seen:,} times {self._event}" if seen else f"not stopped: no {name}"


def _state(strategy: Strategy) -> dict[str, str]:
    own = {key: value for key, value in vars(strategy).items() if not key.startswith("_") and key != "id"}
    return {key: repr(value) for key, value in sorted({**strategy.values(), **own}.items())}


def report_in_words(engine: Engine, report: Any) -> str:
    """Say what a venue reported about an order: quantities and prices in the instrument's own units."""
    order = engine.execution.orders.get(report.order_id)
    kind = re.sub(r"(?<!^)([A-Z])", r" \1", type(report).__name__.removeprefix("Order")).lower()
    text = f"order {report.order_id} {kind}"
    if order is None:
        return text
    instrument = order.instrument
    if isinstance(report, OrderFilled):
        qty, px = instrument.qty(report.lots), instrument.px(report.px_ticks)
        return f"{text}: {report.side.name} {qty:f} {instrument.id} at {px:f}, fee {report.fee:f}"
    limit = "" if order.px is None else f" at {order.px:f}"
    reason = getattr(report, "reason", "")
    text += f": {order.side.name} {order.qty:f} {instrument.id} {order.type.name.lower().replace('_', ' ')}{limit}"
    return f"{text} ({reason})" if reason else text
