"""``StopBook`` knows the stops of each position, the orders that stand for them, and whose prices they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from lanner.execution.exits import Key
from lanner.execution.stops import KINDS, Stop, StopKind, StopStats
from lanner.model.orders import Order

if TYPE_CHECKING:
    from lanner.execution.engine import ExecutionEngine

STOPS_OWNER = "execution.stops"
"""Who owns the timers of stops."""


class StopBook:
    """Hold the stops at work, by (strategy, instrument).

    ``watched`` names the instruments whose prices are needed; ``on_watch`` hears when one comes or goes. ``leaving``
    has the orders of stops that were asked back, and whose position they belong to.
    """

    def __init__(self, engine: ExecutionEngine) -> None:
        self.engine = engine
        self.watched: set[str] = set()
        self.on_watch: Callable[[str, bool], None] = _ignore
        self.stats: dict[str, StopStats] = {}
        self.leaving: dict[str, Key] = {}
        self._of: dict[Key, list[Stop]] = {}
        self._by_order: dict[str, Stop] = {}

    def __bool__(self) -> bool:
        return bool(self._of or self.leaving)  # who leaves is heard of after the last stop is gone, too

    def __contains__(self, key: Key) -> bool:
        return key in self._of

    def __iter__(self) -> Iterator[Stop]:
        return (stop for stops in list(self._of.values()) for stop in list(stops))

    def positions(self) -> list[Key]:
        """Return the positions that have stops."""
        return list(self._of)

    def of(self, key: Key) -> list[Stop]:
        """Return the stops of a position, in the order in which they are looked at."""
        return list(self._of.get(key, ()))

    def add(self, stop: Stop) -> None:
        """Take a stop in."""
        stops = self._of.setdefault(stop.key, [])
        stops.append(stop)
        stops.sort(key=lambda one: KINDS.index(one.kind))

    def discard(self, stop: Stop) -> None:
        """Let a stop and its timer go, if it is there."""
        stops = self._of.get(stop.key, [])
        if stop in stops:
            stops.remove(stop)
        if not stops:
            self._of.pop(stop.key, None)
        self.engine.clock.cancel_timer(STOPS_OWNER, stop.stop_id)

    def behind(self, order: Order) -> Stop | None:
        """Return the stop that an order stands for."""
        return self._by_order.get(order.order_id)

    def bind(self, stop: Stop, order: Order) -> None:
        """Note that an order stands for a stop."""
        stop.order = order
        self._by_order[order.order_id] = stop

    def part(self, order: Order) -> Stop | None:
        """Note that an order stands for no stop any more; return the one it stood for."""
        return self._by_order.pop(order.order_id, None)

    def stats_of(self, strategy_id: str) -> StopStats:
        """Return the counts of a strategy."""
        return self.stats.setdefault(strategy_id, StopStats())

    def lots(self, key: Key) -> int:
        """Return the lots of a position, negative for a short."""
        position = self.engine.portfolio.positions.get(key)
        return 0 if position is None else position.lots

    def firing_lots(self, key: Key) -> int:
        """Return the lots that stops which went off are about to close, or close already."""
        return sum(
            stop.owed if stop.order is None else stop.order.worst_lots
            for stop in self._of.get(key, ())
            if stop.went_off
        )

    def watch(self, instrument_id: str) -> None:
        """Ask for the prices of an instrument while a stop follows them or has no order at the venue."""
        wanted = any(
            stop.order is None
            or (stop.kind is StopKind.TRAIL and not stop.went_off)
            or (stop.waits_for_price and key in self.engine.guards.cover)
            for key, stops in self._of.items()
            if key[1] == instrument_id
            for stop in stops
            if stop.kind is not StopKind.TIME
        )
        if wanted != (instrument_id in self.watched):
            (self.watched.add if wanted else self.watched.discard)(instrument_id)
            self.on_watch(instrument_id, wanted)

    def tell(self, what: str, stop: Stop, reason: str = "", order: Order | None = None) -> None:
        """Tell the strategy, and whoever listens, what happened to a stop."""
        event = stop.event(what, self.engine.clock.now, reason, order or stop.order)
        self.engine.notices.append((stop.strategy_id, event))
        self.engine.publish(f"risk.stop.{what}", event)


def _ignore(_instrument_id: str, _watched: bool) -> None:
    """Nobody shows prices."""
