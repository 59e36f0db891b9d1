"""Protective exits: the stop, the target and the trailing stop that come with an entry (a bracket).

A plan waits until its entry fills; then its orders are sent, sized to what was filled, and kept in step
with it. They form a one-cancels-other group, and all of them are withdrawn when the position they protect
is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from lanner.core.errors import InvalidOrderError
from lanner.model.enums import OrderStatus, Side
from lanner.model.instruments import Instrument, Rounding
from lanner.model.orders import Order


@dataclass(frozen=True, slots=True)
class Level:
    """A protective price: a fraction of the entry price, or a price in ticks."""

    fraction: Decimal | None = None
    ticks: int | None = None

    def at(self, instrument: Instrument, entry: Decimal, direction: int) -> int:
        """Return the price in ticks; ``direction`` is +1 when it lies above the entry."""
        if self.ticks is not None:
            return self.ticks
        assert self.fraction is not None
        return instrument.quantise_px(entry * (1 + direction * self.fraction), Rounding.NEAREST)


@dataclass(slots=True)
class ExitPlan:
    """What shall protect a position once its entry fills.

    ``roi`` maps nanoseconds since the entry to the profit (a fraction) at which to leave; it moves the target
    down as time passes.
    """

    stop: Level | None = None
    take: Level | None = None
    trail_frac: float | None = None
    trail_ticks: int | None = None
    roi: Mapping[int, Decimal] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.stop or self.take or self.trail_frac or self.trail_ticks or self.roi)


@dataclass(slots=True)
class Guard:
    """A plan at work: the entry it belongs to and the orders it has out, by role.

    ``orders`` is the group that follows the entry's fills; ``past`` has the orders of earlier groups, which filled,
    ended, or work on at a size that the venue did not let grow. ``by_hand`` are the roles whose quantity the
    strategy set itself: the guard leaves those alone. ``refused``: the venue did not let one of the group grow.
    """

    entry: Order
    plan: ExitPlan
    group_id: str
    orders: dict[str, Order] = field(default_factory=dict)
    opened_at: int = 0
    past: list[Order] = field(default_factory=list)
    by_hand: set[str] = field(default_factory=set)
    refused: bool = False

    @property
    def bare_lots(self) -> int:
        """Return the filled lots of the entry that no exit has closed and no earlier group covers."""
        return self.entry.cum_lots - self.closed_lots - self._covered_before()

    @property
    def closed_lots(self) -> int:
        """Return the lots that the guard's own exits have closed."""
        return sum(order.cum_lots for order in (*self.past, *self.orders.values()))

    def _covered_before(self) -> int:
        if not self.past:
            return 0
        covers: dict[str, int] = {}
        for order in filter(is_working, self.past):
            covers[order.group_id] = min(covers.get(order.group_id, order.leaves_lots), order.leaves_lots)
        # the venue ends a group with the fill of one of its orders, heard of or not
        done = {order.group_id for order in self.past if order.status is OrderStatus.FILLED}
        return sum(lots for group_id, lots in covers.items() if group_id not in done)

    @property
    def is_over(self) -> bool:
        """Tell whether the exits have done their work, or none of them works any more."""
        orders = self.orders.values()
        if not orders:
            return False
        return any(o.status is OrderStatus.FILLED for o in orders) or not any(map(is_working, orders))

    def renew(self, group_id: str) -> None:
        """Begin a new group of exits for what the present one does not cover."""
        self.past += self.orders.values()
        self.orders = {}
        self.group_id = group_id
        self.refused = False


def is_working(order: Order) -> bool:
    """Tell whether an order works and is meant to go on."""
    return order.is_open and order.status is not OrderStatus.PENDING_CANCEL


def check_levels(plan: ExitPlan, side: Side, reference: int) -> None:
    """Refuse a stop or target on the wrong side of the reference price."""
    direction = int(side)
    if (
        plan.stop is not None
        and plan.stop.ticks is not None
        and (reference - plan.stop.ticks) * direction <= 0
    ):
        raise InvalidOrderError(
            "the stop is on the wrong side",
            expected=f"a price {'below' if direction > 0 else 'above'} the entry for a {side.name}",
            found=f"{plan.stop.ticks} ticks with the price at {reference} ticks",
        )
    if (
        plan.take is not None
        and plan.take.ticks is not None
        and (plan.take.ticks - reference) * direction <= 0
    ):
        raise InvalidOrderError(
            "the target is on the wrong side",
            expected=f"a price {'above' if direction > 0 else 'below'} the entry for a {side.name}",
            found=f"{plan.take.ticks} ticks with the price at {reference} ticks",
        )
    if plan.stop is not None and plan.stop.fraction is not None and not 0 < plan.stop.fraction < 1:
        raise InvalidOrderError(
            "the stop distance is out of range", expected="between 0 % and 100 %", found=plan.stop.fraction
        )
    if (
        plan.take is not None
        and plan.take.fraction is not None
        and (plan.take.fraction <= 0 or (direction < 0 and plan.take.fraction >= 1))
    ):
        raise InvalidOrderError(
            "the target distance is out of range", expected="more than 0 %", found=plan.take.fraction
        )
