"""``Cover`` knows the guards of each position, and how many lots each of them has to cover."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lanner.execution.exits import Guard, Key
from lanner.model.enums import OrderType
from lanner.model.orders import Order

if TYPE_CHECKING:
    from lanner.execution.engine import ExecutionEngine


class Cover:
    """Hold the guards at work, by (strategy, instrument); exits never close more than is held."""

    def __init__(self, engine: ExecutionEngine) -> None:
        self.engine = engine
        self._guards: dict[Key, list[Guard]] = {}
        self._by_entry: dict[str, Guard] = {}

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._guards))

    def __contains__(self, key: Key) -> bool:
        return key in self._guards and bool(self._guards[key])

    def add(self, guard: Guard) -> bool:
        """Take a guard in; tell whether it is new."""
        guards = self._guards.setdefault(guard.key, [])
        if guard in guards:
            return False
        guards.append(guard)
        self._by_entry[guard.entry.order_id] = guard
        return True

    def remove(self, guard: Guard) -> None:
        """Give a guard up."""
        self._guards[guard.key].remove(guard)
        self._by_entry.pop(guard.entry.order_id, None)

    def of(self, key: Key) -> list[Guard]:
        """Return the guards of a position, oldest first."""
        return list(self._guards.get(key, ()))

    def behind(self, exit_order: Order) -> Guard | None:
        """Return the guard that an exit belongs to."""
        return self._by_entry.get(exit_order.parent_id)

    def started_by(self, entry: Order) -> Guard | None:
        """Return the guard of an entry."""
        return self._by_entry.get(entry.order_id)

    def needs(self, order: Order) -> bool:
        """Tell whether a guard refers to an order: its entry, or one of its exits."""
        return order.order_id in self._by_entry or order.parent_id in self._by_entry

    def nearest_first(self, key: Key) -> list[Guard]:
        """Return the guards of a position, those first whose stop is nearest."""
        guards = self.of(key)
        return sorted(guards, key=lambda one: -one.level) if len(guards) > 1 else guards

    def shares(self, key: Key) -> list[tuple[Guard, int]]:
        """Return the lots that each guard has to cover: where less is held than all claim, the nearest stop first."""
        guards = self.nearest_first(key)
        if not guards:
            return []
        left = abs(self._left(key, guards[0].entry))
        shares = []
        for guard in guards:
            shares.append((guard, min(guard.claim_lots, left)))
            left -= shares[-1][1]
        return shares

    def share(self, guard: Guard) -> int:
        """Return the lots that a guard has to cover."""
        return next((lots for one, lots in self.shares(guard.key) if one is guard), 0)

    def bare(self, guard: Guard) -> int:
        """Return the lots that a guard has to cover and that no earlier group of its exits does."""
        return max(0, self.share(guard) - guard.covered_lots)

    def leaving(self, guard: Guard) -> int:
        """Return the lots that the strategy is about to close itself."""
        orders = self.engine.open_orders(*guard.key)
        return sum(o.worst_lots for o in orders if o.side != guard.entry.side and o.intent == "target")

    def held(self, key: Key) -> int:
        """Return the lots of a position, long or short."""
        return abs(self.engine.portfolio.positions[key].lots)

    def locked_lots(self, key: Key) -> int:
        """Return the lots that exits at the venue may still close at worst, asked back or not; a group counts once."""
        groups: dict[str, int] = {}
        for guard in self.of(key):
            for order in guard.all_orders:
                if order.is_open:
                    groups[order.group_id] = max(groups.get(order.group_id, 0), order.worst_lots)
        return sum(groups.values())

    def _left(self, key: Key, entry: Order) -> int:
        """Return the lots for the exits: what is held; without what leaves already, where nothing stops that at 0."""
        engine = self.engine
        held = engine.portfolio.positions[key].lots * entry.side
        if not engine.is_alone(entry.instrument):
            return max(0, held)
        leaving = sum(
            order.worst_lots
            for order in engine.open_orders(*key)
            if order.side != entry.side
            and order.intent == "target"
            and (order.type is OrderType.MARKET or entry.instrument.is_spot)
        )
        return max(0, held - leaving - engine.stops.firing_lots(key))
