"""Stops, take-profits and trailing orders that wait for a price."""

from __future__ import annotations

import heapq

from lanner.model.enums import Side
from lanner.simulator.markets import Market
from lanner.simulator.orders import STOP_TYPES, SimOrder, SimStatus, TriggerBy

Heap = list[tuple[int, int, SimOrder]]
SWEEP = 512


def fires_above(order: SimOrder) -> bool:
    """Tell whether a rise to the trigger price wakes the order (else a fall)."""
    return (order.side is Side.BUY) == (order.type in STOP_TYPES or order.trail_bps > 0)


def watched_px(market: Market, by: TriggerBy) -> int:
    """Return the price in ticks that wakes orders of a kind, 0 while there is none."""
    return market.mark_ticks or market.last_ticks if by is TriggerBy.MARK else market.last_ticks


class Triggers:
    """The waiting orders of one market. Ended ones are dropped when they come up."""

    __slots__ = ("_above", "_below", "_trailing")

    def __init__(self) -> None:
        self._above: dict[TriggerBy, Heap] = {TriggerBy.LAST: [], TriggerBy.MARK: []}
        self._below: dict[TriggerBy, Heap] = {TriggerBy.LAST: [], TriggerBy.MARK: []}
        self._trailing: dict[int, SimOrder] = {}

    def __bool__(self) -> bool:
        return bool(self._trailing) or any(any(side.values()) for side in (self._above, self._below))

    def add(self, order: SimOrder) -> None:
        """Let an order wait; a changed trigger price is added again."""
        if order.trail_bps:
            self._trailing[order.order_id] = order
        elif fires_above(order):
            _push(self._above[order.trigger_by], (order.trigger_ticks, order.order_id, order))
        else:
            _push(self._below[order.trigger_by], (-order.trigger_ticks, order.order_id, order))

    def woken(self, market: Market) -> list[SimOrder]:
        """Take out the orders that the market's prices wake, oldest first."""
        found: list[SimOrder] = []
        for by in TriggerBy:
            px = watched_px(market, by)
            if px:
                _pop(self._above[by], px, found)
                _pop(self._below[by], -px, found)
        if self._trailing:
            self._trail(market, found)
        found.sort(key=lambda order: order.order_id)
        return found

    def _trail(self, market: Market, found: list[SimOrder]) -> None:
        for order_id, order in list(self._trailing.items()):
            if order.status is not SimStatus.PENDING_TRIGGER:
                del self._trailing[order_id]
                continue
            px = watched_px(market, order.trigger_by)
            if px and trails_to(order, px):
                del self._trailing[order_id]
                found.append(order)


def _push(heap: Heap, entry: tuple[int, int, SimOrder]) -> None:
    heapq.heappush(heap, entry)
    if len(heap) % SWEEP == 0:
        # orders that were cancelled or amended leave their entries behind
        heap[:] = [one for one in heap if _waits(one)]
        heapq.heapify(heap)


def _waits(entry: tuple[int, int, SimOrder]) -> bool:
    key, _, order = entry
    return order.status is SimStatus.PENDING_TRIGGER and abs(key) == order.trigger_ticks


def _pop(heap: Heap, limit: int, found: list[SimOrder]) -> None:
    while heap and heap[0][0] <= limit:
        entry = heapq.heappop(heap)
        if _waits(entry):
            found.append(entry[2])


def trails_to(order: SimOrder, px: int) -> bool:
    """Move a trailing order's best price with the market, and tell whether the way back wakes it."""
    buy = order.side is Side.BUY
    if not order.activated:
        if order.trigger_ticks and (px > order.trigger_ticks if buy else px < order.trigger_ticks):
            return False
        order.activated = True
        order.trail_best = px
    if buy:
        order.trail_best = min(order.trail_best, px)
        return px * 10_000 >= order.trail_best * (10_000 + order.trail_bps) and px != order.trail_best
    order.trail_best = max(order.trail_best, px)
    return px * 10_000 <= order.trail_best * (10_000 - order.trail_bps) and px != order.trail_best
