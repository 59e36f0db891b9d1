"""Stop a replay where something happens, and look into the strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lanner.core.errors import ConfigError

if TYPE_CHECKING:
    from lanner.engine.engine import Engine
    from lanner.storage.journal import Record

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
        self._left = count

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
        self.stopped_at = {"record": record.seq, "ts": record.ts, "event": str(record.message)}
        self.states = self.look(engine)
        return True

    def look(self, engine: Engine) -> dict[str, dict[str, str]]:
        """Return the strategies' own attributes, as text."""
        return {
            name: {
                key: repr(value)
                for key, value in sorted(vars(desk.strategy).items())
                if not key.startswith("_")
            }
            for name, desk in engine.desks.items()
        }
