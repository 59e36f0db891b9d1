"""Protective exits: the stop, the target and the trailing stop that come with an entry (a bracket).

A plan waits until its entry fills; then its orders are sent, sized to what was filled, and kept in step
with it. They form a one-cancels-other group, and all of them are withdrawn when the position they protect
is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from lanner.core.errors import InvalidOrderError
from lanner.execution.lifecycle import can_amend
from lanner.execution.stops import Stop, StopKind
from lanner.model.enums import GroupKind, OrderStatus, OrderType, Side
from lanner.model.instruments import Instrument, Rounding
from lanner.model.orders import Order
from lanner.risk.checks import Denial

Key = tuple[str, str]

ROI_OWNER = "execution.roi"
"""Who owns the timers of brackets."""
AGAIN = "again:"
"""How the name of a timer begins after which an exit, whose id follows, is looked at again."""
RETRY_NS = 1_000_000_000
"""How long an exit that ended before its work was done waits until it is sent again."""
SHRINK_AGAIN_NS = 1_000_000_000
"""How long an exit that would not shrink is left in peace."""


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

    @property
    def trails(self) -> bool:
        """Tell whether a trailing stop belongs to it."""
        return self.trail_frac is not None or self.trail_ticks is not None


@dataclass(slots=True)
class Guard:
    """A plan at work: the entry it belongs to and the orders it has out, by role.

    ``orders`` is the group that follows the entry's fills; ``past`` has the orders of earlier groups, which filled,
    ended, or work on at a size that the venue did not let grow. ``by_hand`` are the roles whose quantity the
    strategy set itself: the guard leaves those alone. ``refused``: the venue did not let one of the group grow.
    ``gone_lots`` of the entry were closed by others. ``again`` are the roles whose order is asked back to be sent anew
    with another size, ``take_ticks`` is where the target goes once it has answered. ``watched`` are the exits that
    have no order, because a spot venue locks what the first one sells, or because the venue refuses it. ``tries``
    counts by intent how often an exit that the venue refused was sent again. ``let_go`` are the orders that the
    strategy asked back itself, and their size by then; ``lost`` are the roles whose order ended although it is needed,
    and when it may be sent again. ``shrinking`` are the orders that were asked to be smaller, and whether the venue
    refused that.
    """

    entry: Order
    plan: ExitPlan
    group_id: str
    orders: dict[str, Order] = field(default_factory=dict)
    opened_at: int = 0
    past: list[Order] = field(default_factory=list)
    by_hand: set[str] = field(default_factory=set)
    refused: bool = False
    gone_lots: int = 0
    again: set[str] = field(default_factory=set)
    tries: dict[str, int] = field(default_factory=dict)
    take_ticks: int | None = None
    watched: dict[str, Stop] = field(default_factory=dict)
    let_go: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    shrinking: dict[str, bool] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Return whose position it protects."""
        return self.entry.strategy_id, self.entry.instrument_id

    def role_of(self, order: Order) -> str:
        """Return the role of an order of the present group, nothing for any other."""
        return next((role for role, one in self.orders.items() if one is order), "")

    @property
    def claim_lots(self) -> int:
        """Return the filled lots of the entry that nobody has closed, as far as is known here."""
        return max(0, self.entry.cum_lots - self.closed_lots - self.gone_lots)

    @property
    def level(self) -> float:
        """Return how near its stop lies, the nearest highest; one without a fixed stop lies farthest away."""
        stop, entry = self.plan.stop, self.entry
        if stop is None or entry.avg_px is None:
            return float("-inf")
        return int(entry.side) * stop.at(entry.instrument, entry.avg_px, -entry.side)

    def is_reached(self, px: float) -> bool:
        """Tell whether a price lies at its stop or beyond, unless the strategy took that one back."""
        stop, side = self.orders.get("stop"), int(self.entry.side)
        if stop is None or stop.stop_ticks is None or stop.order_id in self.let_go:
            return False
        return side * (px - self.entry.instrument.px_float(stop.stop_ticks)) <= 0

    @property
    def all_orders(self) -> tuple[Order, ...]:
        """Return its orders of all groups."""
        return (*self.past, *self.orders.values())

    @property
    def closed_lots(self) -> int:
        """Return the lots that the guard's own exits have closed."""
        return sum(order.cum_lots for order in self.all_orders)

    @property
    def covered_lots(self) -> int:
        """Return the lots that the exits of earlier groups cover."""
        if not self.past:
            return 0
        covers: dict[str, int] = {}
        for order in filter(is_working, self.past):
            if order.group_id == self.group_id:  # another one stands in its place
                continue
            covers[order.group_id] = min(covers.get(order.group_id, order.leaves_lots), order.leaves_lots)
        # the venue ends a group with the fill of one of its orders, heard of or not
        done = {order.group_id for order in self.past if order.status is OrderStatus.FILLED}
        return sum(lots for group_id, lots in covers.items() if group_id not in done)

    @property
    def present_lots(self) -> int:
        """Return the lots that the exits of the present group cover."""
        roles = {role: order for role, order in self.orders.items() if role not in self.by_hand}
        if any(order.status is OrderStatus.FILLED for order in roles.values()):
            return 0
        return min((order.leaves_lots for order in roles.values() if is_working(order)), default=0)

    def is_replaced(self, order: Order) -> bool:
        """Tell whether another order of its group stands in an exit's place."""
        return order.group_id == self.group_id and order in self.past

    def size_of(self, group_id: str, working: list[Order]) -> int:
        """Return the lots of a group: an earlier one has come down with its smallest exit, the present one grows."""
        own = [order.leaves_lots for order in working if order.intent not in self.by_hand]
        if group_id == self.group_id or not own:
            return max(order.leaves_lots for order in working)
        return min(own)

    def is_group_done(self, group_id: str) -> bool:
        """Tell whether an exit of a group has done its work: the venue ends the others with it, heard of or not."""
        return any(o.group_id == group_id and o.status is OrderStatus.FILLED for o in self.all_orders)

    def lacks(self, ended: Order) -> int:
        """Return for how many lots an earlier group works on without an exit of the role of one that has ended."""
        if ended.group_id == self.group_id or self.is_group_done(ended.group_id):
            return 0
        group = [order for order in self.past if order.group_id == ended.group_id]
        same = [order for order in group if order.intent == ended.intent]
        if any(is_working(order) or order.order_id in self.let_go for order in same):
            return 0
        return min((order.leaves_lots for order in group if is_working(order)), default=0)

    @property
    def is_done(self) -> bool:
        """Tell whether one of the present group has done its work."""
        return any(order.status is OrderStatus.FILLED for order in self.orders.values())

    @property
    def is_over(self) -> bool:
        """Tell whether the exits have done their work, or none of them works any more."""
        return bool(self.orders) and (self.is_done or not any(map(is_working, self.orders.values())))

    def renew(self, group_id: str) -> None:
        """Begin a new group of exits for what the present one does not cover."""
        self.past += self.orders.values()
        self.orders = {}
        self.group_id = group_id
        self.refused = False
        self.again = set()
        self.lost = {}
        self.take_ticks = None


def is_working(order: Order) -> bool:
    """Tell whether an order works and is meant to go on."""
    return order.is_open and order.status is not OrderStatus.PENDING_CANCEL


def has_answered(order: Order) -> bool:
    """Tell whether the venue has answered all that was asked of a working order, so that more may be asked."""
    if order.status in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN):
        return False
    return order.requests is None or not order.requests.amends


def coming_lots(order: Order) -> int:
    """Return the lots that a working order has when the venue takes the changes that are under way."""
    requests = order.requests
    aim = requests.aim_lots if requests is not None and requests.amends else 0
    return max(order.leaves_lots, aim - order.cum_lots)


def may_shrink(order: Order, now: int, *, at_once: bool) -> bool:
    """Tell whether an exit may be asked to be smaller; ``at_once`` also while it is being changed.

    A change that was refused a moment ago is not asked for again at once: it would be refused again, without end.
    """
    refused = 0 if order.requests is None else order.requests.amend_refused_ns
    if refused and now < refused + SHRINK_AGAIN_NS:
        return False
    return has_answered(order) or (at_once and can_amend(order))


def check_levels(plan: ExitPlan, side: Side, reference: int) -> None:
    """Refuse a stop or target on the wrong side of an entry's own price, in ticks; and distances that make no sense."""
    wrong = passed_level(plan, side, reference)
    if wrong is not None:
        raise InvalidOrderError(
            f"the {wrong.what} is on the wrong side",
            expected=f"a price {wrong.place} the entry for a {side.name}",
            found=f"{wrong.ticks} ticks with the price at {reference} ticks",
        )
    check_distances(plan, side)


class Passed(NamedTuple):
    """A level that a price has passed: ``stop`` or ``target``, where it should be, and where it is, in ticks."""

    what: str
    place: str
    ticks: int


def passed_level(plan: ExitPlan, side: Side, reference: int) -> Passed | None:
    """Return the level of a plan that lies on the wrong side of a price, None where none does."""
    direction = int(side)
    for what, level, away in (("stop", plan.stop, direction), ("target", plan.take, -direction)):
        if level is not None and level.ticks is not None and (reference - level.ticks) * away <= 0:
            return Passed(what, "below" if away > 0 else "above", level.ticks)
    return None


def check_market(order: Order, plan: ExitPlan, mark: float) -> Denial | None:
    """Return why an order at market must not leave: the price has passed a level of its exits while it was decided.

    What was right when the strategy looked may be wrong a moment later, so this is no mistake of the strategy's.
    """
    instrument = order.instrument
    if order.px_ticks or order.stop_ticks or not mark > 0:
        return None
    reference = instrument.quantise_px(mark)
    wrong = passed_level(plan, order.side, reference)
    if wrong is None:
        return None
    px, level = f"{instrument.px(reference):f}", f"{instrument.px(wrong.ticks):f}"
    reason = f"the {wrong.what} at {level} is not {wrong.place} the market at {px}"
    return Denial("level_passed", f"a {wrong.what} {wrong.place} {px}", level, reason)


def check_distances(plan: ExitPlan, side: Side) -> None:
    """Refuse distances of a stop or target that make no sense at any price."""
    if plan.stop is not None and plan.stop.fraction is not None and not 0 < plan.stop.fraction < 1:
        raise InvalidOrderError(
            "the stop distance is out of range", expected="between 0 % and 100 %", found=plan.stop.fraction
        )
    if (
        plan.take is not None
        and plan.take.fraction is not None
        and (plan.take.fraction <= 0 or (side < 0 and plan.take.fraction >= 1))
    ):
        raise InvalidOrderError(
            "the target distance is out of range", expected="more than 0 %", found=plan.take.fraction
        )


def exit_order(guard: Guard, order_id: str, kind: OrderType, lots: int, now: int, intent: str) -> Order:
    """Return an order of the guard's present group; its prices and whether it may only reduce are not set."""
    entry, plan = guard.entry, guard.plan
    trailing = kind is OrderType.TRAILING_STOP
    return Order(
        order_id,
        entry.strategy_id,
        entry.instrument,
        entry.side.opposite,
        kind,
        lots,
        now,
        trail_frac=plan.trail_frac if trailing else None,
        trail_ticks=plan.trail_ticks if trailing else None,
        group_id=guard.group_id,
        group_kind=GroupKind.BRACKET,
        parent_id=entry.order_id,
        intent=intent,
    )


def watched_exit(guard: Guard, stop_id: str, kind: StopKind, ticks: int, now: int) -> Stop:
    """Return the stop that stands for an exit without an order: it leaves at market, and never rests at the venue."""
    entry, plan = guard.entry, guard.plan
    stop = Stop(
        stop_id,
        entry.strategy_id,
        entry.instrument,
        entry.side,
        kind,
        entry.order_id,
        Decimal(1),
        now,
        ticks=ticks,
        held_back=True,
    )
    if kind is StopKind.TRAIL:
        stop.trail_frac = plan.trail_frac
        stop.trail_px = None if plan.trail_ticks is None else plan.trail_ticks * entry.instrument.tick_float
        stop.best = float(entry.avg_px or 0)
        stop.place()
    return stop
