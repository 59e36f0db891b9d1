"""What was counted of orders and fills before they were forgotten: figures that people see never shrink."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from decimal import Decimal

from lanner.model.enums import OrderStatus
from lanner.model.instruments import Instrument
from lanner.model.orders import Order
from lanner.model.reports import OrderFilled
from lanner.portfolio.matching import Matcher

Key = tuple[str, str]


@dataclass(slots=True)
class Traded:
    """What orders of one instrument traded: ticks × lots, and the fees in its settle currency."""

    instrument: Instrument
    notional: int = 0
    fees: Decimal = Decimal(0)


class Totals:
    """Counts of orders by status, what they traded by instrument, and the round trips that their fills closed.

    ``lots`` are the signed lots of the fills by (strategy, instrument).
    """

    __slots__ = ("_matchers", "closed", "fills", "lost", "lots", "orders", "traded", "won")

    def __init__(self) -> None:
        self.orders: dict[OrderStatus, int] = {}
        self.traded: dict[str, Traded] = {}
        self.fills = self.closed = self.won = self.lost = 0
        self.lots: dict[Key, int] = {}
        self._matchers: dict[Key, Matcher] = {}

    def take_order(self, order: Order) -> None:
        """Count an order that has ended."""
        self.orders[order.status] = self.orders.get(order.status, 0) + 1
        if order.cum_lots:
            name = order.instrument_id
            traded = self.traded.get(name)
            if traded is None:
                traded = self.traded[name] = Traded(order.instrument)
            traded.notional += order.notional
            traded.fees += order.fees

    def take_fills(self, fills: Iterable[tuple[OrderFilled, Order]]) -> None:
        """Count the next fills, and the round trips that are over with them."""
        touched: dict[Key, Matcher] = {}
        for fill, order in fills:
            key = (order.strategy_id, order.instrument_id)
            self.lots[key] = self.lots.get(key, 0) + fill.lots * int(fill.side)
            matcher = touched[key] = self._matchers.setdefault(key, Matcher())
            matcher.take(self.fills, fill, order)
            self.fills += 1
        for matcher in touched.values():
            for pair in matcher.take_done():
                self._count(pair.net(pair.entry.instrument))

    def trips(self, later: Iterable[tuple[OrderFilled, Order]]) -> tuple[int, int, int]:
        """Return how many round trips were closed, won and lost, with those of later fills."""
        whole = self.copy()
        whole.take_fills(later)
        for matcher in whole._matchers.values():
            for pair in matcher.pairs.values():  # those whose orders still work
                whole._count(pair.net(pair.entry.instrument))
        return whole.closed, whole.won, whole.lost

    def _count(self, made: float) -> None:
        self.closed += 1
        self.won += made > 0
        self.lost += made < 0

    def count(self, *statuses: OrderStatus) -> int:
        """Return how many orders ended in one of these ways."""
        return sum(self.orders.get(status, 0) for status in statuses)

    def copy(self) -> Totals:
        """Return totals that go on from here by themselves."""
        other = Totals()
        other.orders, other.lots = dict(self.orders), dict(self.lots)
        other.traded = {name: copy(traded) for name, traded in self.traded.items()}
        other.fills, other.closed, other.won, other.lost = self.fills, self.closed, self.won, self.lost
        other._matchers = {key: matcher.copy() for key, matcher in self._matchers.items()}
        return other
