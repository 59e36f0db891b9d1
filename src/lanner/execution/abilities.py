"""What each instrument's venue can do with orders, asked before an order leaves: the impossible is denied here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from lanner.execution.exits import ExitPlan
from lanner.model.enums import OrderType
from lanner.model.features import Feature, features_of_order
from lanner.model.orders import TRIGGERED_TYPES, Order
from lanner.risk.checks import Denial

Refuses = Callable[[Order], str]

LIMIT = "venue_capabilities"
"""The name under which such a denial is told."""


class Abilities:
    """The impossible features by instrument; empty where the venue is a simulated one that can do everything."""

    __slots__ = ("_impossible", "_refuses")

    def __init__(self) -> None:
        self._impossible: dict[str, frozenset[str]] = {}
        self._refuses: dict[str, Refuses] = {}

    def __bool__(self) -> bool:
        """Tell whether anything is impossible anywhere."""
        return bool(self._impossible or self._refuses)

    def forbid(self, instrument_id: str, features: Iterable[str], refuses: Refuses | None = None) -> None:
        """Say what an instrument's venue cannot do; ``refuses`` tells why it does not take an order, or nothing."""
        found = frozenset(features)
        if found:
            self._impossible[instrument_id] = found
        if refuses is not None:
            self._refuses[instrument_id] = refuses

    def can(self, instrument_id: str, feature: str) -> bool:
        """Tell whether an instrument's venue can do something."""
        return feature not in self._impossible.get(instrument_id, ())

    def check(self, order: Order, plan: ExitPlan | None = None) -> Denial | None:
        """Return why an order must not leave: its venue cannot do it, or could not protect what it opens."""
        impossible = self._impossible.get(order.instrument_id, frozenset())
        for feature in features_of_order(order):
            if feature in impossible:
                return _denial(order, feature, f"{order.instrument.venue} has no {_words(feature)} orders")
        for feature in features_of_plan(plan) if plan else ():
            if feature in impossible:
                text = f"{order.instrument.venue} has no {_words(feature)}, which shall protect this order"
                return _denial(order, feature, text)
        refuses = self._refuses.get(order.instrument_id)
        return None if refuses is None else _refused(order, plan, refuses)

    def check_amend(self, order: Order) -> Denial | None:
        """Return why an order must not be changed, or None."""
        impossible = self._impossible.get(order.instrument_id)
        if impossible is None:
            return None
        if Feature.AMEND in impossible:
            return _denial(order, Feature.AMEND, f"{order.instrument.venue} cannot amend orders")
        if Feature.AMEND_TRIGGER in impossible and waits_for_trigger(order):
            reason = f"{order.instrument.venue} cannot amend orders that wait for their trigger"
            return _denial(order, Feature.AMEND_TRIGGER, reason)
        return None

    def can_amend(self, order: Order) -> bool:
        """Tell whether an order's venue can change an order of its kind."""
        return self.check_amend(order) is None


def waits_for_trigger(order: Order) -> bool:
    """Tell whether an order waits for its trigger price."""
    return order.type in TRIGGERED_TYPES and not order.triggered


def _refused(order: Order, plan: ExitPlan | None, refuses: Refuses) -> Denial | None:
    reason = refuses(order)
    if reason:
        return _denial(order, order.type.name.lower(), reason)
    trail = trailing_exit(order, plan) if plan else None
    reason = "" if trail is None else refuses(trail)
    return (
        _denial(order, Feature.TRAILING_STOP, f"what shall protect this order: {reason}") if reason else None
    )


def trailing_exit(entry: Order, plan: ExitPlan) -> Order | None:
    """Return the trailing stop that would protect an entry, None where there is to be none."""
    if plan.trail_frac is None and plan.trail_ticks is None:
        return None
    return Order(
        entry.order_id, entry.strategy_id, entry.instrument, entry.side.opposite, OrderType.TRAILING_STOP,
        entry.lots, entry.ts_init, trail_frac=plan.trail_frac, trail_ticks=plan.trail_ticks,
    )  # fmt: skip


def features_of_plan(plan: ExitPlan) -> Iterator[str]:
    """Return what the exits of a plan ask for."""
    yield Feature.BRACKET
    if plan.stop is not None:
        yield Feature.STOP_MARKET
    if plan.trail_frac is not None or plan.trail_ticks is not None:
        yield Feature.TRAILING_STOP
    if plan.take is not None or plan.roi:
        yield Feature.LIMIT


def _denial(order: Order, feature: str, reason: str) -> Denial:
    return Denial(
        LIMIT, f"what {order.instrument.venue} can do", feature, f"{reason} (see `lanner check --venue`)"
    )


def _words(feature: str) -> str:
    return feature.replace("_", " ")
